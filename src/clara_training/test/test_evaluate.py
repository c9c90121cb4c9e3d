# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The measures of models from scratch say what they are said to, and the whole chain goes on."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scratch_world
import torch
from clara_training.atomic import atomic_json
from clara_training.bundle import check_bundle
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.errors import BundleError, ExportError, PretrainError, ValidationError
from clara_training.gguf_scores import GgufScores
from clara_training.manifest import read_manifest
from clara_training.passages import Passage, Texts, Trigrams
from clara_training.pretrain_all import AllSettings, Finished, pack, pretrain_all
from clara_training.pretrain_loop import Execution, PretrainSettings
from clara_training.report_scratch import write_scratch_report
from clara_training.scratch import load_model
from clara_training.shards import HELD_OUT, TRAIN
from clara_training.tokenizer import load_tokenizer
from clara_training.validate_scratch import ScratchSettings, validate_scratch
from click.testing import CliRunner

from clara_training import cli, evaluate, pretrain_export
from clara_training import validate_scratch as validate_scratch_module

PACKAGE = Path(__file__).parents[1]
QUICK = ScratchSettings.quick()
SETTINGS = AllSettings(
    PretrainSettings(batch_size=4, max_steps=40, learning_rate=1e-2, patience=0),
    Execution(checkpoint_seconds=0),
    validation=QUICK,
    size="nano",
    context=128,
    vocab_size=scratch_world.VOCAB,
    threads=1,
)
OPTIONS = (
    *("--size", "nano", "--context", "128", "--vocab_size", str(scratch_world.VOCAB)),
    *("--batch_size", "4", "--max_steps", "40", "--learning_rate", "1e-2", "--patience", "0"),
    *("--checkpoint_seconds", "0", "--threads", "1", "--device", "cpu"),
    *("--quick", "--no-governance"),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "corpus"
    make_corpus(SAMPLE, folder, CorpusSettings(vocab_size=scratch_world.VOCAB))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished, str]:
    """Both models, of a call that was killed with -9 in its middle, and what the next one said."""
    output = tmp_path_factory.mktemp("all")
    process = subprocess.Popen(
        [sys.executable, Path(__file__), output],
        env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("simone step 20"):
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    torch.set_num_threads(1)
    done = CliRunner(env={"WANDB_MODE": "disabled"}).invoke(
        cli.commands,
        ["pretrain-all", "--data_dir", str(SAMPLE), "--output_dir", str(output), *OPTIONS],
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert not (output / "mvlm" / "metrics" / "training.jsonl").exists()  # it was done
    lines = (output / "simone" / "metrics" / "training.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert 1 < steps[0] <= 21 and steps[-1] == 40
    return output, pretrain_all(SAMPLE, output, SETTINGS), done.output


class Oracle:
    """Scores as a model would that knows which tokens go with which prompt."""

    def __init__(
        self, pairs: set[tuple[Sequence[int], Sequence[int]]], positions: int = 1000
    ) -> None:
        self._pairs, self.positions = pairs, positions

    def log_probabilities(self, prompt: Sequence[int], replies: Any) -> list[float]:
        assert len(prompt) + max(map(len, replies)) <= self.positions
        return [0.0 if (prompt, each) in self._pairs else -float(len(each)) for each in replies]


def test_references_and_coherence_are_all_right_for_who_knows_and_chance_for_who_does_not() -> (
    None
):
    passages = [
        Passage(f"book {n % 4}", (0, 100 + n), tuple(range(n, n + 30)), (200 + n, 1, 2))
        for n in range(200)
    ]
    knows = Oracle(
        {(each.reference, each.tokens) for each in passages}
        | {((0, *each.tokens), each.following) for each in passages}
    )
    nobody = Oracle(set())
    for measure, chance in (
        (evaluate.references, 1 / evaluate.REFERENCES),
        (evaluate.coherence, 1 / evaluate.FOLLOWERS),
    ):
        right = measure(knows, passages)  # type: ignore[operator]
        assert right["accuracy"]["value"] == 1.0 and right["chance"] == chance
        # Who finds all alike is right in nothing: a tie is no answer.
        assert measure(nobody, passages)["accuracy"]["value"] == 0.0  # type: ignore[operator]


def test_what_does_not_fit_into_the_models_context_is_not_asked() -> None:
    passages = [
        Passage(
            f"book {n % 4}",
            (0, 300 + n, *range(n % 30)),
            tuple(range(n, n + 30)),
            (200 + n, *[1] * (n % 30)),
        )
        for n in range(200)
    ]
    knows = Oracle(
        {(each.reference, each.tokens) for each in passages}
        | {((0, *each.tokens), each.following) for each in passages},
        positions=45,
    )
    fitting = [each for each in passages if len(each.following) + 31 <= 45]
    for measure in (evaluate.references, evaluate.coherence):
        assert measure(knows, fitting)["accuracy"]["value"] == 1.0  # type: ignore[operator]
    short = Oracle(set(), positions=32)
    assert evaluate.coherence(short, passages[20:30]) == {}  # type: ignore[arg-type]


def test_a_text_longer_than_a_model_was_made_for_is_a_sentence(
    made: tuple[Path, Finished, str],
) -> None:
    output, _, _ = made
    with GgufScores(output / "mvlm" / "mvlm.gguf", n_ctx=512, threads=1) as scores:
        assert scores.positions == 128
        for ask in (
            lambda: scores.step(1, 128),
            lambda: scores.logits([1] * 129),
            lambda: scores.generate([1] * 129, 1),
            lambda: scores.log_probabilities([0] * 100, [[1] * 20, [1] * 30]),
        ):
            with pytest.raises(ExportError, match="129 tokens is longer than the 128 that the"):
                ask()
        assert len(scores.generate([1] * 120, 50)) <= 9
        assert len(scores.log_probabilities([0] * 100, [[1] * 20, [1] * 29])) == 2


def test_a_writer_who_repeats_is_told_from_one_who_does_not() -> None:
    again = evaluate.repetition([[1, 2] * 20])
    fresh = evaluate.repetition([list(range(40))])
    assert again["rep_4"] > 0.9 and again["distinct_2"] < 0.06
    assert fresh == {"distinct_1": 1.0, "distinct_2": 1.0, "rep_4": 0.0}


def test_held_out_bits_are_those_of_each_document_by_itself(
    made: tuple[Path, Finished, str],
) -> None:
    output, finished, _ = made
    model = load_model(output / "simone" / "best_model")
    tokenizer = load_tokenizer(output / "corpus" / "tokenizer")
    texts = Texts(output / "corpus", HELD_OUT)
    nats = size = 0.0
    for number in range(len(texts)):
        tokens = texts.tokens(number)
        size += len(tokenizer.decode(tokens[1:].tolist()).encode())
        for start in range(0, len(tokens) - 1, 128):
            piece = torch.from_numpy(tokens[start : start + 129])[None]
            with torch.inference_mode():
                logits = model(piece[:, :-1])[0]
            nats += float(torch.nn.functional.cross_entropy(logits, piece[0, 1:], reduction="sum"))
    found = finished.validations["simone"]["held_out"]
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    part = evaluate.held_out_text(model, texts, tokenizer, len(texts.stream) // 3)
    assert len(texts) < 3 and part["tokens"] < 0.5 * len(texts.stream)  # documents are cut
    assert part["bits_per_byte"] == pytest.approx(found["bits_per_byte"], rel=0.1)
    trained = read_manifest(output / "simone" / "best_model")["metrics"]["best"]
    assert found["bits_per_byte"] == pytest.approx(trained, rel=0.02)
    tokens = texts.tokens(0)[1:]
    counts = np.ones(scratch_world.VOCAB)
    train = Texts(output / "corpus", TRAIN).stream
    counts += np.bincount(train.slice(0, len(train)), minlength=scratch_world.VOCAB)
    bits = -np.log2(counts[tokens] / counts.sum()).sum() / size
    assert found["without_order"] == pytest.approx(bits, rel=1e-6)


def test_recall_finds_what_was_learned_by_heart(
    made: tuple[Path, Finished, str],
) -> None:
    output, _, _ = made
    tokenizer = load_tokenizer(output / "corpus" / "tokenizer")
    with GgufScores(output / "simone" / "simone.gguf", n_ctx=128, threads=1) as scores:
        # What the model writes itself, it knows by heart.
        own = []
        for cue in ("And Ruth said", "Then Jonah", "And the LORD said unto"):
            ids = tokenizer.encode(cue).ids[: evaluate.CUE]
            own.append(Passage("", (0,), (*ids, *scores.generate((0, *ids), 40)), ()))
        own = [each for each in own if len(each.tokens) >= evaluate.CUE + evaluate.REST]
        trigrams = Trigrams([1, 2, 3, 4], scratch_world.VOCAB)
        found = evaluate.recall(scores, own, trigrams, tokenizer)
    assert found["model"]["exact"]["value"] == 1.0
    assert found["model"]["similarity"]["value"] == 1.0
    assert found["trigrams"]["exact"]["value"] == 0.0


def test_what_was_made_is_reported_side_by_side_and_packed(
    made: tuple[Path, Finished, str],
) -> None:
    output, finished, said = made
    assert "[5/5] bundle" in said and f"report: {output}/report.html" in said
    assert f"model:={output}/simone/simone.gguf" in said
    assert set(finished.seconds) == {"corpus", "mvlm", "simone", "validate", "bundle"}
    page = finished.products["report"].read_text()
    for words in ("MVLM and SIM-ONE", "Recall", "References and coherence", "Gates of MVLM"):
        assert words in page
    assert page.count("<svg") == 2 and "<script" not in page
    names = check_bundle(finished.products["bundle"])
    for kind in ("mvlm", "simone"):
        own = {name.partition("/")[2] for name in names if name.startswith(f"{kind}/")}
        assert own >= {
            *(f"{kind}-f16.gguf", f"{kind}.gguf", f"{kind}-Q4_K_M.gguf"),
            *("history.json", "validation.json", "best_model/model.safetensors"),
            *("best_model/chat_template.jinja", "best_model/tokenizer.json"),
        }
        assert not any("training_state" in name for name in own)
        history = json.loads((output / kind / "history.json").read_text())["evaluations"]
        assert [each["step"] for each in history] == sorted({each["step"] for each in history})
        assert history[-1]["step"] == 40 and history[-1]["tokens"] == 40 * 4 * 128
        seconds = finished.validations[kind]["seconds"]
        assert len(seconds) == 13 and all(each >= 0 for each in seconds.values())
        gates = {each["name"]: each["passed"] for each in finished.validations[kind]["gates"]}
        assert gates == dict.fromkeys(gates, True) and len(gates) == 4
    with tarfile.open(finished.products["bundle"]) as tar:
        assert tar.getnames()[0] == "SHA256SUMS"


def test_what_is_done_is_not_done_again_and_what_is_lost_is_made_again(
    made: tuple[Path, Finished, str],
) -> None:
    output, _, _ = made
    said: list[str] = []
    before = (output / "clara-models.tar.gz").read_bytes()
    pretrain_all(SAMPLE, output, SETTINGS, tell=said.append)
    there = [each for each in said if each.endswith("is there already")]
    assert len(there) == 6, said  # corpus, two models, two validations, the bundle
    lost = output / "simone" / "simone.gguf"
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(ValidationError, match=r"simone.gguf is not there: run clara-train simone"):
        validate_scratch(output / "simone", QUICK, threads=1)
    with pytest.raises(BundleError, match=r"simone.gguf is not there, and belongs into the bun"):
        pack(output)
    assert (output / "clara-models.tar.gz").read_bytes() == before
    pretrain_all(SAMPLE, output, SETTINGS)
    assert lost.read_bytes() == content


def test_what_cannot_be_measured_is_left_out_of_the_report(
    made: tuple[Path, Finished, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(made[0] / "simone", tmp_path / "simone")
    monkeypatch.setattr(validate_scratch_module, "draw_passages", lambda *_: [])
    monkeypatch.setattr(validate_scratch_module, "Trigrams", None)  # made for who is asked only
    said: list[str] = []
    found = validate_scratch(
        run, replace(QUICK, seed=9), corpus=made[0] / "corpus", threads=1, tell=said.append
    )
    for measure in ("recall", "references", "coherence"):
        assert found[measure] == {"train": {}, "held_out": {}}
    assert sum("none of 20 to 96 tokens is there" in each for each in said) == 2
    assert len(found["samples"]) == 1 and found["samples"][0]["given"]
    assert "In their own words" in write_scratch_report([run]).read_text()


def test_of_a_model_of_the_least_context_is_measured_what_fits_into_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain_export, "CALIBRATION_TOKENS", 64)
    best = scratch_world.train("mvlm", corpus, tmp_path, max_steps=1, again={"context": 8})
    pretrain_export.export(best)
    found = validate_scratch(tmp_path, QUICK, threads=1)
    assert found["recall"] == {"train": {}, "held_out": {}}
    assert all(each["given"] for each in found["samples"]) and found["tokens_per_second"] > 0


def test_governance_metrics_are_shown_and_heads_of_another_model_fail_their_gate(
    made: tuple[Path, Finished, str], tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    output, _, _ = made
    run = output / "simone"
    heads = run / "governance.safetensors"
    said = {"model_sha256": "another", "metrics": {"policy": {"accuracy": 0.875}}}
    try:
        save_file({"a": np.zeros(1)}, heads, metadata={"clara_governance": json.dumps(said)})
        found = validate_scratch(run, QUICK, threads=1)
        assert [each["name"] for each in found["gates"] if not each["passed"]] == [
            "governance heads"
        ]
        page = write_scratch_report([run], tmp_path / "report.html").read_text()
        assert "Governance heads of SIM-ONE" in page and "0.875" in page
        heads.write_bytes(heads.read_bytes()[:-40])
        with pytest.raises(ValidationError, match=r"the governance heads .* cannot be read"):
            validate_scratch(run, QUICK, threads=1)
    finally:
        heads.unlink()


def test_bad_input_is_a_sentence(
    made: tuple[Path, Finished, str], corpus: Path, tmp_path: Path
) -> None:
    output, _, _ = made

    def said(*arguments: Any) -> str:
        done = CliRunner().invoke(cli.commands, [str(each) for each in arguments])
        assert done.exit_code and done.exception
        return str(done.exception)

    other = tmp_path / "corpus"
    make_corpus(SAMPLE, other, CorpusSettings(vocab_size=scratch_world.VOCAB, held_out=("ruth",)))
    run = output / "simone"
    assert "was not trained on the corpus" in said("validate", run, "--data_dir", other)
    assert "is not a corpus" in said("validate", run, "--data_dir", tmp_path)
    (tmp_path / "labels.json").write_text('{"law": ["Leviticus"]}')
    named = ("pretrain-all", "--data_dir", corpus, "--output_dir", tmp_path / "all", "--labels")
    assert "none.json cannot be read" in said(*named, tmp_path / "none.json")
    assert "'leviticus' is no book" in said(*named, tmp_path / "labels.json")
    assert "holds no finished model from scratch" in said("validate", run, tmp_path)
    if not torch.cuda.is_available():
        for asked in (("validate", run), ("sample", run / "best_model")):
            assert "the device cuda was asked for" in said(*asked, "--device", "cuda")
    (tmp_path / "run" / "best_model").mkdir(parents=True)
    with pytest.raises(PretrainError, match="there is no finished model in"):
        validate_scratch(tmp_path / "run")
    with pytest.raises(ValidationError, match=r"run clara-train validate .* first"):
        write_scratch_report([tmp_path])
    atomic_json(tmp_path / "validation.json", {"format": 1})  # of a merged model
    with pytest.raises(ValidationError, match=r"run clara-train validate .* first"):
        write_scratch_report([tmp_path])
    weights = run / "best_model" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1000])
    try:
        (run / "validation.json").rename(tmp_path / "kept.json")
        with pytest.raises(PretrainError, match=r"the model in .* is damaged"):
            validate_scratch(run, QUICK, threads=1)
    finally:
        weights.write_bytes(content)
        (tmp_path / "kept.json").rename(run / "validation.json")


if __name__ == "__main__":
    torch.set_num_threads(1)
    pretrain_all(
        SAMPLE,
        Path(sys.argv[1]),
        SETTINGS,
        watch=lambda kind: nullcontext(
            lambda figures: print(f"{kind} step {figures['step']}", flush=True)
        ),
    )
