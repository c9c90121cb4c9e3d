# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model as GGUF computes what it computed, reads as it read, and carries where it came from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import tiny
import torch
from clara_training.cli import commands
from clara_training.errors import ExportError, StorageError
from clara_training.export_check import check_tokens
from clara_training.export_families import window
from clara_training.export_gguf import write_model
from clara_training.gguf_scores import GgufScores
from click.testing import CliRunner
from transformers import AutoTokenizer

from clara_training import export_gguf, fidelity

SENTENCE = "The robot carries 12 cups to the café, isn't it? Good morning."
# Where llama.cpp's sources are unpacked, convert_hf_to_gguf.py among them: the sdist of
# llama-cpp-python has them under vendor/llama.cpp.
ORACLE = Path(os.environ.get("LLAMA_CPP_SOURCES", "nowhere")) / "convert_hf_to_gguf.py"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def qwen(kind: str) -> Any:
    import transformers

    torch.manual_seed(7)
    config = getattr(transformers, f"{kind}Config")(
        **{
            name: value
            for name, value in tiny.llama().config.to_dict().items()
            if name not in ("architectures", "model_type", "rope_parameters", "head_dim", "dtype")
        },
        **({"head_dim": 32} if kind == "Qwen3" else {}),
    )
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


def phi3() -> Any:
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.manual_seed(7)
    return Phi3ForCausalLM(
        Phi3Config(
            vocab_size=tiny.VOCAB,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            original_max_position_embeddings=512,
            initializer_range=0.1,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
    ).eval()


MODELS: dict[str, Callable[[], Any]] = {
    "llama": tiny.llama,
    "llama-tied": lambda: tiny.llama(tie_word_embeddings=True, attention_bias=True),
    "llama3-rope": lambda: tiny.llama(
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    ),
    "gpt2": tiny.gpt2,
    "qwen2": lambda: qwen("Qwen2"),
    "qwen3": lambda: qwen("Qwen3"),
    "phi3": phi3,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_gguf_computes_the_logits_of_the_model(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    folder = tiny.save(model, tmp_path / "hf")
    path = tmp_path / "model.gguf"
    parameters = write_model(folder, path)
    texts = [tiny.tokenizer().encode(" ".join((SENTENCE, *tiny.TEXT)))]
    found = fidelity.compare(model, path, [*texts, texts[0][::-1]], threads=1)
    assert found.faults("F16") == []
    frequencies = 8 if name == "llama3-rope" else 0
    assert parameters == sum(p.numel() for p in model.parameters()) + frequencies


def test_a_wrong_order_of_the_heads_rows_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clara_training.export_families import Family

    monkeypatch.setattr(Family, "rows", lambda self, name, tensor, config: tensor)
    model = tiny.llama()
    path = tmp_path / "model.gguf"
    write_model(tiny.save(model, tmp_path / "hf"), path)
    found = fidelity.compare(model, path, [tiny.tokenizer().encode(SENTENCE)], threads=1)
    assert found.faults("F16")


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_tokenizer_trained_here_reads_alike_in_llama_cpp(
    byte_fallback: bool, tmp_path: Path
) -> None:
    tokens = tiny.tokenizer(byte_fallback=byte_fallback)
    folder = tiny.save(tiny.llama(), tmp_path / "hf", tokens)
    path = tmp_path / "model.gguf"
    write_model(folder, path)
    check_tokens(path, tokens)
    with GgufScores(path, vocab_only=True) as model:
        assert model.metadata("tokenizer.ggml.pre") == ("default" if byte_fallback else "gpt-2")
        assert model.metadata("tokenizer.chat_template") == tiny.CHATML
        assert model.metadata("tokenizer.ggml.eos_token_id") == str(tokens.eos_token_id)


def test_a_tokenizer_that_reads_otherwise_is_found_out(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llama(), tmp_path / "hf")
    document = json.loads((folder / "tokenizer.json").read_text())
    document["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            document["pre_tokenizer"],
        ],
    }
    (folder / "tokenizer.json").write_text(json.dumps(document))
    path = tmp_path / "model.gguf"
    write_model(folder, path)
    with GgufScores(path, vocab_only=True) as model:
        assert model.metadata("tokenizer.ggml.pre") == "smollm"
    with pytest.raises(ExportError, match=r"1234567 robots .* as the tokens"):
        check_tokens(path, tiny.tokenizer())


def test_the_robot_is_given_the_template_that_was_learned_with(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llama(), tmp_path / "hf")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    path, tokens = tmp_path / "model.gguf", AutoTokenizer.from_pretrained(folder)
    write_model(folder, path)
    check_tokens(path, tokens)
    with GgufScores(path, vocab_only=True) as model:
        # transformers takes chat_template.jinja, where there are both.
        assert model.metadata("tokenizer.chat_template") == tokens.chat_template == tiny.CHATML
    tokens.chat_template = config["chat_template"]
    with pytest.raises(ExportError, match="has another chat template than"):
        check_tokens(path, tokens)


def test_of_several_templates_the_robot_is_given_the_one_for_conversations(tmp_path: Path) -> None:
    tokens = tiny.tokenizer()
    tokens.chat_template = {"default": tiny.CHATML, "tool_use": "{{ tools }}"}
    folder = tiny.save(tiny.llama(), tmp_path / "hf", tokens)
    write_model(folder, tmp_path / "model.gguf")
    check_tokens(tmp_path / "model.gguf", AutoTokenizer.from_pretrained(folder))
    with GgufScores(tmp_path / "model.gguf", vocab_only=True) as model:
        assert model.metadata("tokenizer.chat_template") == tiny.CHATML


def test_phi3_reads_as_its_tokenizer_does_whatever_it_is_called(tmp_path: Path) -> None:
    folder, path = tmp_path / "hf", tmp_path / "model.gguf"
    phi3().save_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(tiny.phi3_tokenizer(folder))
    for name, called in (("Clara", "Clara (Phi-3)"), ("my/Phi-3.5", "my/Phi-3.5"), ("", "Phi-3")):
        write_model(folder, path, lineage={"general.name": name} if name else {})
        check_tokens(path, tokens)
        with GgufScores(path, vocab_only=True) as model:
            assert model.metadata("general.name") == called


def test_what_is_no_phi3_is_not_called_so(tmp_path: Path) -> None:
    folder, path = tiny.save(tiny.llama(), tmp_path / "hf"), tmp_path / "model.gguf"
    write_model(folder, path, lineage={"general.name": "phi3-lab and Phi-3"})
    check_tokens(path, tiny.tokenizer())
    with GgufScores(path, vocab_only=True) as model:
        assert model.metadata("general.name") == "phi 3-lab and phi 3"


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({"sliding_window": 48}, 48),
        ({"sliding_window": None}, 512),
        ({"sliding_window": 4096}, 512),
        ({"model_type": "qwen2", "sliding_window": 48, "max_window_layers": 0}, 512),
        ({"model_type": "qwen2", "sliding_window": 48, "use_sliding_window": True}, 512),
        (
            {
                "model_type": "qwen2",
                "sliding_window": 48,
                "use_sliding_window": True,
                "max_window_layers": 1,
            },
            48,
        ),
        ({"sliding_window": 48, "layer_types": ["full_attention"] * 2}, 512),
        ({"sliding_window": 48, "layer_types": ["full_attention", "sliding_attention"]}, 48),
    ],
)
def test_a_context_ends_where_a_sliding_window_begins_to_matter(
    changes: dict[str, Any], context: int
) -> None:
    config = {"max_position_embeddings": 512, "num_hidden_layers": 2, **changes}
    assert (window(config) or 512) == context


def test_up_to_its_window_a_model_with_one_computes_what_it_computed(tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(7)
    given = {**tiny.llama().config.to_dict(), "sliding_window": 16}
    for name in ("architectures", "model_type", "attention_bias", "mlp_bias", "pretraining_tp"):
        given.pop(name, None)
    model = MistralForCausalLM(MistralConfig(**given)).eval()
    folder, path = tiny.save(model, tmp_path / "hf"), tmp_path / "model.gguf"
    options = ["export", "--model", str(folder), "--output", str(path)]
    done = CliRunner().invoke(commands, options, catch_exceptions=False)
    assert "looks back 16 tokens (sliding window)" in done.output
    assert gguf.GGUFReader(path).fields["llama.context_length"].contents() == 16
    tokens = tiny.tokenizer().encode(SENTENCE)
    assert len(tokens) > 16
    assert not fidelity.compare(model, path, [tokens[:16]], threads=1).faults("F16")


def test_the_lineage_travels_in_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    lineage = {"general.name": "Clara", "clara.strength.warmth": 0.8, "clara.seed": 3}
    write_model(tiny.save(tiny.llama(), tmp_path / "hf"), path, lineage=lineage)
    fields = gguf.GGUFReader(path).fields
    assert {name: fields[name].contents() for name in lineage} == lineage


def test_f32_keeps_every_bit(tmp_path: Path) -> None:
    model = tiny.llama()
    path = tmp_path / "model.gguf"
    write_model(tiny.save(model, tmp_path / "hf"), path, outtype="f32")
    stored = {each.name: each.data for each in gguf.GGUFReader(path).tensors}
    wanted = model.state_dict()["model.layers.1.mlp.down_proj.weight"].numpy()
    assert np.array_equal(stored["blk.1.ffn_down.weight"].reshape(wanted.shape), wanted)


def test_what_cannot_be_exported_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llama(), tmp_path / "hf")
    path = tmp_path / "model.gguf"

    def refused(change: Callable[[dict[str, Any]], None]) -> str:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        other = tmp_path / "other"
        other.mkdir(exist_ok=True)
        for file in folder.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        (other / "config.json").write_text(json.dumps(config))
        with pytest.raises(ExportError) as caught:
            write_model(other, path)
        assert not path.exists() and not list(tmp_path.glob(".*partial"))
        return str(caught.value)

    assert "BloomForCausalLM cannot be exported" in refused(
        lambda config: config.update(architectures=["BloomForCausalLM"])
    )
    assert "'gelu', but llama.cpp computes 'silu'" in refused(
        lambda config: config.update(hidden_act="gelu")
    )
    qwen3 = {"architectures": ["Qwen3ForCausalLM"], "attention_bias": True}
    assert "Qwen 3 with biases in its attention" in refused(lambda config: config.update(qwen3))
    assert "do not belong together" in refused(lambda config: config.update(vocab_size=300))
    with pytest.raises(ExportError, match="not a model in the format of transformers"):
        write_model(tmp_path, path)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ExportError, match=r"model\.safetensors cannot be read"):
        write_model(folder, path)


def test_weights_that_diverged_are_not_exported(tmp_path: Path) -> None:
    model = tiny.llama()
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[3, 4] = 1e30
    folder = tiny.save(model, tmp_path / "hf")
    with pytest.raises(ExportError, match=r"layers\.0\.mlp\.up_proj.*not finite in f16"):
        write_model(folder, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
    write_model(folder, tmp_path / "model.gguf", outtype="f32")


def test_a_full_disk_leaves_the_old_file_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save(tiny.llama(), tmp_path / "hf")
    path = tmp_path / "model.gguf"
    path.write_bytes(b"the old one")
    with pytest.raises(StorageError, match="it needs 0 MB, and the disk has 0 MB"):
        monkeypatch.setattr(
            export_gguf.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})()
        )
        write_model(folder, path)
    monkeypatch.undo()
    # A disk that fills up meanwhile: the limit on the size of files does the same to a write.
    limited = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, signal, sys; from pathlib import Path\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
            "from clara_training.export_gguf import write_model\n"
            "from clara_training.errors import StorageError\n"
            "try: write_model(Path(sys.argv[1]), Path(sys.argv[2]))\n"
            "except StorageError as error: print(error)",
            str(folder),
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written: " in limited.stdout, limited.stderr
    assert path.read_bytes() == b"the old one"
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.skipif(not ORACLE.is_file(), reason="LLAMA_CPP_SOURCES has no converter")
@pytest.mark.parametrize("name", ["llama", "llama-tied", "llama3-rope", "gpt2"])
def test_tensors_are_byte_equal_to_those_of_llama_cpps_converter(
    name: str, tmp_path: Path
) -> None:
    folder = tiny.save(MODELS[name](), tmp_path / "hf")
    if name == "gpt2":  # which the converter still asks for
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "n_ctx": 512}))
    ours, theirs = tmp_path / "ours.gguf", tmp_path / "theirs.gguf"
    write_model(folder, ours)
    # It knows no tokenizer trained here: this is the one line that makes it.
    script = (
        f"import sys; sys.path.insert(0, {str(ORACLE.parent)!r}); import conversion.base as base;"
        " base.TextModel.get_vocab_base_pre = lambda self, tokenizer: 'gpt-2'; import runpy;"
        f" sys.argv = ['convert', {str(folder)!r}, '--outfile', {str(theirs)!r}];"
        f" runpy.run_path({str(ORACLE)!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    one, other = (
        {t.name: (t.tensor_type, t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}
        for path in (ours, theirs)
    )
    assert one == other
