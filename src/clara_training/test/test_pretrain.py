# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Training from scratch learns, survives what happens to it, and ends as a GGUF."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.errors import PretrainError
from clara_training.gguf_scores import GgufScores
from clara_training.governance_fit import FitSettings
from clara_training.held_out import held_out_rows, steps_between
from clara_training.manifest import read_manifest
from clara_training.pretrain_checkpoint import Keeper, Progress, State
from clara_training.pretrain_export import export
from clara_training.pretrain_loop import PretrainSettings, bits_per_byte
from clara_training.sample import Sampling, generate, next_token
from clara_training.scratch import load_model, new_model
from clara_training.shards import HELD_OUT, TokenStream, write_shards
from clara_training.tokenizer import byte_lengths, load_tokenizer
from scratch_world import CONTEXT, STEPS, VOCAB, sample_corpus, train

from clara_training import cli, mvlm

PACKAGE = Path(__file__).parents[1]
KINDS = ("mvlm", "simone")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_corpus(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        kind: train(kind, corpus, tmp_path_factory.mktemp(kind), num_epochs=3) for kind in KINDS
    }


def same(one: Path, other: Path) -> bool:
    """Tell whether weights and optimiser are the same, bit by bit."""
    states = [torch.load(folder / "training_state.pt") for folder in (one, other)]
    moments = [
        {
            (number, name): value
            for number, each in state["optimizer"]["state"].items()
            for name, value in each.items()
        }
        for state in states
    ]
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, other)]
    return weights[0] == weights[1] and all(
        torch.equal(value, moments[1][key]) for key, value in moments[0].items()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_learns_what_follows_what(tmp_path: Path, kind: str) -> None:
    words = "abcdefghijkl"
    source = tmp_path / "text"
    source.mkdir()
    for number in range(10):
        text = " ".join(words[(number + place) % 12] for place in range(300))
        (source / f"{number}.txt").write_text(f"{number} {text}")
    corpus = tmp_path / "corpus"
    make_corpus(source, corpus, CorpusSettings(vocab_size=270, held_out=("3",), near=1.0))
    best = train(kind, corpus, tmp_path / "out", max_steps=110, num_epochs=60)
    figures = read_manifest(best)["metrics"]
    assert figures["step"] <= 110 and not (tmp_path / "out" / "checkpoints").exists()
    held_out = TokenStream(corpus, HELD_OUT)
    tokens = held_out.slice(0, len(held_out))
    counts = np.bincount(tokens)[tokens]
    without_order = -np.log2(counts / len(tokens)).sum() / held_out.bytes
    assert figures["best"] < 0.3 * without_order


def test_after_kill_9_it_goes_on_bit_by_bit_as_if_nothing_had_been(
    corpus: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("scratch_world.py"), "simone", corpus, tmp_path],
        env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[0]) >= 5:
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    steps: list[int] = []
    again = {"report": lambda record: steps.append(record["step"])}
    best = train("simone", corpus, tmp_path, again=again)
    assert 2 <= steps[0] <= STEPS
    assert same(best, trained["simone"])


@pytest.mark.parametrize("lost", [False, True])
def test_a_new_best_waits_for_a_checkpoint_and_ctrl_c_does_not_lose_it(
    corpus: Path, trained: dict[str, Path], tmp_path: Path, lost: bool
) -> None:
    there: list[bool] = []

    def stop(record: dict[str, Any]) -> None:
        there.append((tmp_path / "best_model").exists())
        if record["step"] == STEPS - 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("simone", corpus, tmp_path, num_epochs=3, again={"report": stop})
    assert not any(there)
    best = tmp_path / "best_model"
    (kept,) = (tmp_path / "checkpoints").iterdir()
    step = int(kept.name.removeprefix("step-"))
    assert 0 < step < STEPS - 2
    for name in ("model.safetensors", "training_state.pt"):
        assert (kept / name).samefile(best / name)  # once on the disk
    if lost:  # as when it is killed after the first write of the two
        shutil.rmtree(kept.parent)
    steps: list[int] = []
    again = {"report": lambda record: steps.append(record["step"])}
    assert same(train("simone", corpus, tmp_path, num_epochs=3, again=again), trained["simone"])
    assert steps[0] == step + 1


def test_compiled_it_learns_the_same(
    corpus: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    best = train("simone", corpus, tmp_path, execution={"compile": True}, num_epochs=3)
    found, wanted = (read_manifest(each)["metrics"]["best"] for each in (best, trained["simone"]))
    assert found == pytest.approx(wanted, rel=0.01)


def test_a_training_that_is_done_is_not_done_again_and_another_one_is_not_overwritten(
    corpus: Path, trained: dict[str, Path]
) -> None:
    records: list[Any] = []
    output = trained["mvlm"].parent
    train("mvlm", corpus, output, again={"report": records.append})
    assert records == []
    with pytest.raises(
        PretrainError, match=r"other settings \(learning_rate .*\), and is kept: .*resume"
    ):
        train("mvlm", corpus, output, learning_rate=1e-4)
    with pytest.raises(PretrainError, match=r"take the same settings, or another --output_dir$"):
        train("mvlm", corpus, output, seed=5, again={"resumable": False})


def test_it_goes_on_from_the_best_model_with_other_settings(
    corpus: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    records: list[Any] = []
    again = {"report": records.append, "resume_from": str(trained["simone"])}
    best = train("simone", corpus, tmp_path, max_steps=STEPS + 3, again=again)
    assert [each["step"] for each in records if "loss" in each] == [
        *(STEPS + 1, STEPS + 2, STEPS + 3)
    ]
    assert records[0]["loss"] < 5.0  # it begins where the other had come to
    assert read_manifest(best)["settings"]["resume_from"] == str(trained["simone"])
    with pytest.raises(PretrainError, match="is kept"):  # it would be another one from the start
        train("simone", corpus, tmp_path, max_steps=STEPS + 3)


def test_a_resumed_run_that_is_stopped_goes_on_where_it_was_stopped(
    corpus: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == STEPS + 3:
            raise KeyboardInterrupt

    more: dict[str, Any] = {"max_steps": STEPS + 4, "seconds": 0}
    again: dict[str, Any] = {"resume_from": str(trained["simone"])}
    with pytest.raises(KeyboardInterrupt):
        train("simone", corpus, tmp_path / "1", again={**again, "report": stop}, **more)
    steps: list[int] = []
    again["report"] = lambda record: steps.append(record["step"])
    best = train("simone", corpus, tmp_path / "1", again=again, **more)
    assert steps[0] == STEPS + 3
    whole = train("simone", corpus, tmp_path / "2", again=again, **more)
    assert same(best, whole)


def test_the_best_of_another_folder_is_no_measure_here(
    corpus: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    again: dict[str, Any] = {"resume_from": str(trained["simone"])}
    worse: dict[str, Any] = {"learning_rate": 0.3, "max_steps": STEPS + 2}
    best = train("simone", corpus, tmp_path / "1", again=again, **worse)
    wanted = read_manifest(trained["simone"])["metrics"]["best"]
    assert read_manifest(best)["metrics"]["best"] > wanted
    with pytest.raises(PretrainError, match=r"no new .*best_model, for no step was left"):
        train("simone", corpus, tmp_path / "2", again=again)
    assert not (tmp_path / "2" / "best_model").exists()


def test_what_interrupts_a_new_best_leaves_the_one_before(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = new_model("mvlm", "nano", VOCAB, CONTEXT)
    keeper = Keeper(tmp_path, corpus / "tokenizer")
    keeper.note_best(State(model, {}, Progress(step=1), {}))
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.data.add_(1.0)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("clara_training.pretrain_checkpoint.whole", interrupted)
        with pytest.raises(KeyboardInterrupt):
            keeper.note_best(State(model, {}, Progress(step=2), {}))
    keeper.flush()
    for folder in (tmp_path / "best_model", tmp_path / "checkpoints" / "step-00000001"):
        kept = load_model(folder).state_dict()
        assert all(torch.equal(tensor, first[name]) for name, tensor in kept.items())
    keeper.note_best(State(model, {}, Progress(step=2), {}))
    keeper.flush()
    kept = load_model(tmp_path / "best_model").state_dict()
    assert all(torch.equal(kept[name], first[name] + 1) for name in first)


def test_a_checkpoint_of_other_settings_is_a_sentence_that_names_them(
    corpus: Path, tmp_path: Path
) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("mvlm", corpus, tmp_path, seconds=0, again={"report": stop})
    with pytest.raises(PretrainError, match=r"other settings \(seed 0, not 1\): take the same"):
        train("mvlm", corpus, tmp_path, seed=1)
    with pytest.raises(PretrainError, match=r"has another shape \(context 64, not 32\)"):
        train("mvlm", corpus, tmp_path, again={"context": 32, "resume_from": "step-00000002"})
    state = tmp_path / "checkpoints" / "step-00000002" / "training_state.pt"
    state.write_bytes(state.read_bytes()[:-300])
    with pytest.raises(PretrainError, match=r"training_state.pt is damaged .*: remove"):
        train("mvlm", corpus, tmp_path)
    state.write_bytes(b"")
    with pytest.raises(PretrainError, match=r"training_state.pt is damaged \(EOFError\): remove"):
        train("mvlm", corpus, tmp_path)
    with pytest.raises(PretrainError, match="there is nothing to resume from"):
        train("mvlm", corpus, tmp_path, again={"resume_from": "worst_model"})


def test_another_tokenizer_is_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "corpus"
    make_corpus(SAMPLE, other, CorpusSettings(vocab_size=VOCAB, held_out=("ruth",)))
    with pytest.raises(PretrainError, match="was trained with another tokenizer than that of"):
        train("mvlm", other, tmp_path / "out", again={"resume_from": str(trained["mvlm"])})


def test_a_loss_that_is_not_finite_stops_the_training_and_the_last_good_state_is_kept(
    corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(PretrainError) as stopped:
        train("mvlm", corpus, tmp_path, learning_rate=1e18, seconds=0, warmup=0.0)
    said = str(stopped.value)
    assert said.startswith("at step 2 of") and "the loss is nan" in said
    kept = tmp_path / "checkpoints" / "step-00000000"
    assert f"Kept are {kept}: go on from one with --resume_from and a smaller" in said
    rows = held_out_rows(TokenStream(corpus, HELD_OUT), 64)
    bits = bits_per_byte(load_model(kept), rows, 4)
    assert math.isfinite(bits)


def test_out_of_memory_is_answered_by_smaller_micro_batches_and_the_same_steps(
    corpus: Path, trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = mvlm.Mvlm.forward

    def small(self: Any, tokens: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        if len(tokens) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, tokens, *rest, **named)

    monkeypatch.setattr(mvlm.Mvlm, "forward", small)
    figures = read_manifest(train("mvlm", corpus, tmp_path))["metrics"]
    assert figures["rows_at_once"] == 1
    wanted = read_manifest(trained["mvlm"])["metrics"]
    assert figures["best"] == pytest.approx(wanted["best"], abs=1e-3)
    assert figures["tokens"] == wanted["tokens"]
    monkeypatch.setattr(mvlm.Mvlm, "forward", lambda *_, **__: small(None, torch.zeros(2, 2)))
    with pytest.raises(PretrainError, match="a single row of 64 tokens does not fit into"):
        train("mvlm", corpus, tmp_path / "2")

    def short_while_measuring(self: Any, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
        if not self.training and len(tokens) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, tokens, *rest)

    most = 1
    monkeypatch.setattr(mvlm.Mvlm, "forward", short_while_measuring)
    found = read_manifest(train("mvlm", corpus, tmp_path / "3"))["metrics"]
    assert found["best"] == pytest.approx(wanted["best"], abs=1e-3)
    assert found["rows_at_once"] > 1
    most = 0
    with pytest.raises(PretrainError, match=r"the memory of cpu is full \(CUDA out of memory\)"):
        train("mvlm", corpus, tmp_path / "4")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_sentence(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(PretrainError, match=r"finds no CUDA GPU; leave --device out"):
        train("mvlm", corpus, tmp_path, execution={"device": "cuda"})


def test_where_one_row_is_too_much_its_activations_are_recomputed(
    corpus: Path, trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = mvlm.Mvlm.forward

    def small(self: Any, tokens: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        if len(tokens) > 1 or not all(layer.recompute for layer in self.h):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, tokens, *rest, **named)

    monkeypatch.setattr(mvlm.Mvlm, "forward", small)
    figures = read_manifest(train("mvlm", corpus, tmp_path))["metrics"]
    assert figures["rows_at_once"] == 1 and figures["recompute"]
    wanted = read_manifest(trained["mvlm"])["metrics"]
    assert not wanted["recompute"]
    assert figures["best"] == pytest.approx(wanted["best"], abs=1e-3)


def test_accumulated_batches_are_one_large_batch(corpus: Path, tmp_path: Path) -> None:
    how = {"max_steps": 3, "evaluations": 1}
    one = train("simone", corpus, tmp_path / "1", batch_size=8, **how)
    two = train(
        "simone", corpus, tmp_path / "2", batch_size=2, gradient_accumulation_steps=4, **how
    )
    for a, b in zip(load_model(one).parameters(), load_model(two).parameters(), strict=True):
        assert (a - b).abs().mean() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_bits_per_byte_are_those_of_each_document_read_by_itself(
    tmp_path: Path, kind: str
) -> None:
    draw = np.random.default_rng(1)
    documents = [[0, *draw.integers(1, VOCAB, size).tolist()] for size in (9, 30, 14)]
    counts = write_shards(tmp_path, "held_out", documents, VOCAB)
    report = {"format": 1, "splits": {"held_out": {**counts, "bytes": 100}}}
    (tmp_path / "corpus.json").write_text(json.dumps(report))
    model = new_model(kind, "nano", VOCAB, 128, seed=2)
    nats = 0.0
    with torch.inference_mode():
        for document, following in zip(documents, (0, 0, None), strict=True):
            known = document[1:] + ([following] if following is not None else [])
            log_p = model(torch.tensor([document])).log_softmax(-1)[0]
            nats -= float(sum(log_p[at, token] for at, token in enumerate(known)))
    stream = TokenStream(tmp_path, "held_out")
    measured = bits_per_byte(model, held_out_rows(stream, 128), 4)
    assert measured == pytest.approx(nats / math.log(2) / 100, rel=1e-5)


def test_of_long_held_out_text_rows_from_all_over_are_measured_and_no_more(
    corpus: Path, trained: dict[str, Path]
) -> None:
    stream, tokenizer = TokenStream(corpus, HELD_OUT), load_tokenizer(corpus / "tokenizer")
    size = len(stream)
    rows = held_out_rows(stream, CONTEXT, size // 3)
    assert 0.3 * size < rows.tokens <= size // 3 and rows == held_out_rows(
        stream, CONTEXT, size // 3
    )
    assert rows.starts[0] == 0 and 0.6 * size < rows.starts[-1] < size
    assert int(byte_lengths(tokenizer)[stream.slice(0, size)].sum()) == stream.bytes
    model = load_model(trained["mvlm"])
    nats = text = 0.0
    for start in rows.starts:
        tokens = torch.from_numpy(stream.slice(start, min(start + CONTEXT + 1, size)))
        with torch.inference_mode():
            nats += float(model(tokens[None, :-1], tokens[None, 1:]))
        text += len(tokenizer.decode(tokens[1:].tolist()).encode())
    assert rows.bytes == text
    assert bits_per_byte(model, rows, 4) == pytest.approx(nats / math.log(2) / text, rel=1e-5)


@pytest.mark.parametrize(
    ("total", "measured", "learned", "steps"),
    [
        (714, 111_397, 8192, 59),  # KJV and WEB for three epochs: four times in each
        (240, 135_000, 2048, 22),
        (12, 500_000, 2048, 82),  # once, at the end
    ],
)
def test_to_measure_takes_no_longer_than_to_learn(
    total: int, measured: int, learned: int, steps: int
) -> None:
    assert steps_between(12, total, measured, learned) == steps


@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_writes_the_same_text_from_the_gguf(trained: dict[str, Path], kind: str) -> None:
    files = export(trained[kind])
    model, tokenizer = load_model(trained[kind]), load_tokenizer(trained[kind])
    ids = [0, *tokenizer.encode("And Ruth said").ids]
    greedy = Sampling(temperature=0, repetition_penalty=1.0)
    with GgufScores(files["F16"], n_ctx=CONTEXT, threads=1) as exported:
        written = exported.generate(ids, 30)
        assert len(written) > 5 and written == list(generate(model, ids, 30, greedy))
        assert exported.metadata("general.name") == {"mvlm": "MVLM", "simone": "SIM-ONE"}[kind]
        assert exported.metadata("tokenizer.ggml.bos_token_id") == "0"
        best = read_manifest(trained[kind])["metrics"]["best"]
        assert float(exported.metadata("clara.held_out_bits_per_byte") or 0) == pytest.approx(best)
        with torch.inference_mode():
            wanted = model(torch.tensor([ids]))[0].numpy()
        assert np.abs(exported.logits(ids) - wanted).max() < 0.02
    before = files["Q8_0"].stat().st_mtime_ns
    with GgufScores(files["Q8_0"], n_ctx=CONTEXT, threads=1) as exported:
        assert np.abs(exported.logits(ids) - wanted).mean() < 0.1
    assert export(trained[kind])["Q8_0"].stat().st_mtime_ns == before


def test_sampling_keeps_to_the_likeliest_share_and_away_from_what_was_said() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    draw = torch.Generator().manual_seed(0)
    half = Sampling(temperature=1.0, top_p=0.5, repetition_penalty=1.0)
    assert {next_token(logits, [], half, draw) for _ in range(100)} == {2, 3}
    whole = Sampling(temperature=1.0, top_p=1.0, repetition_penalty=1.0)
    drawn = [next_token(logits, [], whole, draw) for _ in range(2000)]
    assert drawn.count(3) / 2000 == pytest.approx(0.4, abs=0.04) and drawn.count(0) > 100
    greedy = Sampling(temperature=0, repetition_penalty=2.0)
    assert next_token(logits, [], greedy, draw) == 3
    assert next_token(logits, [3], greedy, draw) == 2


@pytest.mark.parametrize("schedule", ["cosine", "wsd"])
def test_the_learning_rate_warms_up_and_comes_down(schedule: Any) -> None:
    how = PretrainSettings(schedule=schedule, learning_rate=1.0, warmup=0.1, decay=0.2, final=0.1)
    rates = [how.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert 0.1 <= rates[99] < 0.16 and rates == [*sorted(rates[:10]), *sorted(rates[10:])[::-1]]
    assert (rates[75] == 1.0) is (schedule == "wsd")


def test_the_commands_train_export_and_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def clara(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clara-train", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    monkeypatch.setenv("WANDB_MODE", "disabled")
    out = tmp_path / "out"
    command = (
        *("simone", "--data_dir", SAMPLE, "--output_dir", out, "--vocab_size", 384),
        *("--batch_size", 2, "--gradient_accumulation_steps", 2, "--num_epochs", 3),
        *("--accuracy", "--loss-weights", "dwa", "--optimizer", "muon", "--precision", "fp32"),
        *("--size", "nano", "--context", 64, "--max_steps", 3, "--threads", 1),
    )
    labels = tmp_path / "labels.json"
    code, _, err = clara(*command, "--labels", labels)
    assert code == 1 and not out.exists()
    assert err == f"clara-train: labels {labels} cannot be read: No such file or directory\n"
    labels.write_text('{"law": ["Leviticus"]}')
    code, _, err = clara(*command, "--labels", labels)
    assert code == 1 and "'leviticus' is no book or document of the corpus" in err
    assert not (out / "metrics").exists()  # nothing was trained yet
    code, said, _ = clara(*command, "--no-governance")
    assert code == 0 and "held-out bits per byte at step 3 of 3" in said
    assert not (out / "governance.safetensors").exists()
    assert (out / "simone.gguf").exists() and (out / "corpus" / "corpus.json").exists()
    lines = (out / "metrics" / "training.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert sum("loss" in each for each in records) == 3
    whole = len(TokenStream(out / "corpus", HELD_OUT)) - 1
    assert {each.get("held_out_tokens", whole) for each in records} == {whole}
    assert read_manifest(out / "best_model")["metrics"]["history"][-1]["held_out_tokens"] == whole
    quick = FitSettings(seeds=1, folds=2)
    monkeypatch.setattr("clara_training.governance_fit.FitSettings", lambda seed: quick)
    code, said, _ = clara(*command[:-4], "--max_steps", 5, "--resume_from", "best_model")
    assert code == 0 and "goes on after step 3" in said
    assert "policy: no head, for it takes two classes with two books each" in said
    assert "governance.safetensors: memory, trace" in said
    write = ("sample", out / "best_model", "--prompt", "Ruth", "--tokens", 5, "--seed", 1)
    code, said, _ = clara(*write)
    assert code == 0 and said.startswith("Ruth") and clara(*write)[1] == said
    code, _, err = clara("sample", tmp_path)
    assert code == 1 and err.startswith("clara-train: there is no model in ")
    code, _, err = clara(*command, "--vocab_size", 30000, "--data_dir", out / "corpus")
    assert code == 1 and "has a vocabulary of 384, not of 30000" in err
    code, _, err = clara(*command, "--size", "huge")
    assert code == 1 and "'huge' is no size of simone; there are tiny, small" in err
