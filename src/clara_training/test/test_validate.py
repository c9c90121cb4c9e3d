# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""An exported run is measured, judged and reported; what is amiss fails its gate."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import tiny
import tiny_run
import torch
from clara_training.errors import ExportError, ValidationError
from clara_training.examples import KnowledgeExample, TraitExample, held_out, load_trait
from clara_training.export import ExportSettings, export_run
from clara_training.gguf_scores import GgufScores, log_softmax
from clara_training.report import page, write_report
from clara_training.spec import Spec
from clara_training.validate import ValidateSettings, validate_run
from clara_training.validate_gates import gates, rises
from clara_training.validate_kept import Kept
from click.testing import CliRunner

from clara_training import cli, fidelity, margins

ONE = ValidateSettings(threads=1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Spec]:
    torch.set_num_threads(1)
    run, spec = tiny_run.make_run(tmp_path_factory.mktemp("tiny"))
    export_run(run, spec, ExportSettings(threads=1, collapsed=True))
    return run, spec


@pytest.fixture(scope="module")
def result(exported: tuple[Path, Spec]) -> dict[str, Any]:
    run, spec = exported
    found = validate_run(run, spec, ONE)
    write_report(run)
    return found


def test_the_export_is_complete_and_tells_where_it_came_from(exported: tuple[Path, Spec]) -> None:
    run, _ = exported
    fields = gguf.GGUFReader(run / "clara.gguf").fields
    assert fields["general.name"].contents() == "Clara"
    assert fields["clara.strength.warmth"].contents() == 0.8
    assert fields["clara.merge_method"].contents() == "task_arithmetic"
    manifest = json.loads((run / "adapters" / "warmth" / "manifest.json").read_text())
    assert fields["clara.adapter_sha256.warmth"].contents() == manifest["sha256"]
    assert fields["clara.data_sha256.warmth"].contents() == manifest["inputs"]["data"]
    whole = json.loads((run / "manifest.json").read_text())
    assert whole["lineage"]["clara.merged_sha256"]
    assert set(whole["files"]) == {
        *("clara.gguf", "clara-f16.gguf", "base.gguf", "collapsed.gguf"),
        *("adapters/warmth.gguf", "adapters/coding.gguf"),
    }
    modelfile = (run / "Modelfile").read_text()
    assert modelfile.startswith("FROM ./clara.gguf\n")
    assert "<|im_start|>user\n{{ .Prompt }}<|im_end|>" in modelfile
    assert 'PARAMETER stop "<|im_end|>"' in modelfile


def test_what_is_merged_at_a_share_is_exported_at_that_share(
    exported: tuple[Path, Spec], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(exported[0], run)
    path = run / "merged" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["metrics"]["live_share"] = 0.5
    path.write_text(json.dumps(manifest))
    export_run(run, exported[1], ExportSettings(threads=1, collapsed=True))
    fields = gguf.GGUFReader(run / "clara.gguf").fields
    assert fields["clara.strength.warmth"].contents() == pytest.approx(0.4)
    collapsed = gguf.GGUFReader(run / "collapsed.gguf").fields["clara.collapsed"].contents()
    assert collapsed == "warmth 0.4, coding 0.25"


def test_the_report_says_what_is_borne_together(result: dict[str, Any]) -> None:
    assert result["together"] is None and "All adapters together" not in page(result)
    together = {
        "share": 0.4,
        "size": 12.0,
        "points": [{"size": 12.0, "perplexity_ratio": 1.25}],
        "settings": {"limit": 1.3},
    }
    text = page({**result, "together": together})
    assert "The merged change is 0.40 of what" in text and "x 1.250" in text


def test_what_is_exported_already_is_not_written_again(exported: tuple[Path, Spec]) -> None:
    run, spec = exported
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*.gguf")}
    told: list[str] = []
    export_run(run, spec, ExportSettings(threads=1, collapsed=True), tell=told.append)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(told) == len(times) and all("is there already" in line for line in told)


def test_adapters_and_strengths_in_the_merge_give_the_merged_model(
    exported: tuple[Path, Spec],
) -> None:
    run, spec = exported
    tokens = tiny.tokenizer().encode(" ".join(tiny.TEXT))
    with GgufScores(run / "clara-f16.gguf", threads=1) as model:
        merged = log_softmax(model.logits(tokens))
    with GgufScores(run / "base.gguf", threads=1) as model:
        for name in spec.dimensions:
            model.load_adapter(name, run / "adapters" / f"{name}.gguf")
        model.load_adapter("collapsed", run / "collapsed.gguf")
        for scales in (spec.weights, {"collapsed": 1.0}):
            model.use(scales)
            live = log_softmax(model.logits(tokens))
            assert float((np.exp(merged) * (merged - live)).sum(-1).mean()) < 1e-2


def test_the_trait_moves_with_its_slider_and_in_the_merge(result: dict[str, Any]) -> None:
    found = result["traits"]["warmth"]
    assert found["base"]["mean"] < 0.5 < found["merged"]["mean"] < found["adapter"]["mean"]
    assert [point["weight"] for point in found["curve"]] == [0, 0.25, 0.5, 0.75, 1]
    assert found["merged"]["prompts"] == 4
    assert result["leakage"]["warmth"]["warmth"] > 10 * abs(result["leakage"]["coding"]["warmth"])
    domain = result["domains"]["coding"]
    assert domain["adapter"]["perplexity"] < domain["merged"]["perplexity"]
    assert domain["merged"]["perplexity"] < domain["base"]["perplexity"]
    assert all(gate["passed"] for gate in result["gates"]), result["gates"]
    assert result["speeds"]["merged"] > 0 and result["sizes"]["clara.gguf"] > 10_000


def test_the_margin_is_what_the_logits_say(exported: tuple[Path, Spec]) -> None:
    run, _ = exported
    examples = load_trait(run / "data" / "warmth_training.json")
    cases = margins.trait_cases(examples, tiny.tokenizer(), None)
    with GgufScores(run / "base.gguf", threads=1) as model:
        found = margins.margin(model, cases)
        expected = []
        for case in cases:
            means = []
            for reply in case.replies:
                rows = log_softmax(model.logits([*case.prompt, *reply]))[len(case.prompt) - 1 : -1]
                means.append(float(rows[np.arange(len(reply)), list(reply)].mean()))
            expected.append(means[0] - means[1])
    assert found.mean == pytest.approx(np.mean(expected), abs=3e-3)
    assert found.error == pytest.approx(np.std(expected, ddof=1) / math.sqrt(4), abs=3e-3)
    assert "glad you ask" in tiny.tokenizer().decode(cases[0].replies[0])


def test_a_wrong_answer_is_one_to_another_question(exported: tuple[Path, Spec]) -> None:
    examples = [
        KnowledgeExample("coding", f"What is {number}?", f"It is {number}.", "easy")
        for number in range(40)
    ]
    cases = margins.knowledge_cases(examples, tiny.tokenizer(), 3)
    assert len(cases) == 3
    for case in cases:
        prompt = tiny.tokenizer().decode(case.prompt)
        texts = [tiny.tokenizer().decode(reply) for reply in case.replies]
        assert len(set(texts)) == 1 + margins.OTHER_ANSWERS
        number = prompt.partition("What is ")[2].partition("?")[0]
        assert texts[0].startswith(f"It is {number}.")
    with pytest.raises(ValidationError, match="none of them is held out"):
        margins.knowledge_cases(examples[:0], tiny.tokenizer(), 3)


def test_a_conversation_is_judged_by_its_last_reply_after_what_there_is_room_for() -> None:
    turns = [("system", "You are Clara."), *[("user", "Hello."), ("assistant", "Good day!")] * 9]
    examples = [
        TraitExample("warmth", f"Is it {number}?", "", "Yes.", "Yes, my dear.", tuple(turns))
        for number in range(3)
    ]
    key = next(f"Is it {number}?" for number in itertools.count() if held_out(f"Is it {number}?"))
    begun = [replace(each, before=(turns[0], ("user", key), *turns[2:])) for each in examples]
    whole, short = (
        margins.trait_cases(begun, tiny.tokenizer(), None, longest)[0] for longest in (2048, 150)
    )
    read = tiny.tokenizer().decode(whole.prompt)
    assert whole.left_out == 0 and read.count("Good day!") == 9 and "Is it 0?" in read
    read = tiny.tokenizer().decode(short.prompt)
    assert 0 < short.left_out < 9 and read.count("Good day!") == 9 - short.left_out
    assert "You are Clara." in read and len(short.prompt) + len(short.replies[0]) <= 150
    assert [tiny.tokenizer().decode(each) for each in short.replies] == [
        *("Yes, my dear.<|im_end|>", "Yes.<|im_end|>")
    ]
    answers = [
        KnowledgeExample("coding", "Why?", f"It is {n}.", "easy", begun[0].before) for n in "12"
    ]
    (case,) = margins.knowledge_cases(answers, tiny.tokenizer(), 1, 150)
    assert case.left_out and "You are Clara." in tiny.tokenizer().decode(case.prompt)


def test_a_gguf_that_is_not_true_to_its_model_fails_its_gate(
    exported: tuple[Path, Spec], result: dict[str, Any]
) -> None:
    run, _ = exported
    tokens = tiny.tokenizer().encode(" ".join(tiny.TEXT))
    other = fidelity.compare(tiny.llama(), run / "clara-f16.gguf", [tokens], threads=1)
    assert len(other.faults("F16")) >= 2
    worse = json.loads(json.dumps(result))
    worse["fidelity"]["clara.gguf"]["faults"] = other.faults("F16")
    worse["traits"]["warmth"]["curve"][2]["mean"] = -1.0
    worse["traits"]["warmth"]["merged"]["mean"] = -2.0
    worse["general"]["ratio"] = 3.0
    failed = [gate.name for gate in gates(worse) if not gate.passed]
    assert failed == [
        *("fidelity of clara.gguf", "slider warmth", "merged warmth", "general text")
    ]
    worse["gates"] = [gate.as_json() for gate in gates(worse)]
    assert "4 of 5 gates failed" in page(worse)


@pytest.mark.parametrize(
    ("curve", "good"),
    [
        ([0.0, 0.5, 1.0], True),
        ([0.0, 0.99, 0.98], True),
        ([0.0, 0.9, 0.5], False),
        ([0.0, -0.5, 1.0], False),
        ([1.0, 0.5, 0.0], False),
    ],
)
def test_a_curve_may_not_fall(curve: list[float], good: bool) -> None:
    assert rises(curve) is good


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_report_is_one_page_that_fetches_nothing(
    exported: tuple[Path, Spec], result: dict[str, Any]
) -> None:
    text = (exported[0] / "report.html").read_text()
    reader = _Page()
    reader.feed(text)
    assert sum(tag == "svg" for tag, _ in reader.seen) >= 6
    assert not {tag for tag, _ in reader.seen} & {"script", "img", "link", "iframe"}
    links = [value for _, attrs in reader.seen for value in (attrs.get("xlink:href"),) if value]
    assert all(link.startswith("#") for link in links)
    for drawing in text.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + drawing.partition("</svg>")[0] + "</svg>")
    evil = json.loads(json.dumps(result))
    evil["replies"]["merged"] = dict.fromkeys(evil["replies"]["base"], "<script>alert(1)</script>")
    assert "<script>" not in page(evil)


def test_a_validation_that_was_killed_goes_on(exported: tuple[Path, Spec], tmp_path: Path) -> None:
    run, spec = exported
    copy = tmp_path / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("validation.json", "metrics"))
    command = [
        *(sys.executable, "-c", "from clara_training.cli import main; main()"),
        *("validate", "--run", str(copy)),
        *("--spec", str(spec.path), "--threads", "1"),
    ]
    kept = copy / "metrics" / "validate_kept.json"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ)
    end = time.monotonic() + 120
    while not kept.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (copy / "validation.json").exists()
    document = json.loads(kept.read_text())
    name = next(iter(document["measures"]))
    assert name.startswith("fidelity")
    document["measures"][name]["kl"] = 1.25e-7
    kept.write_text(json.dumps(document))
    found = validate_run(copy, spec, ONE)
    assert found["fidelity"][name.removeprefix("fidelity ")]["kl"] == 1.25e-7
    assert (copy / "validation.json").exists() and not kept.exists()


def test_measures_are_kept_for_the_same_files_only(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    first = Kept(path, {"model": "a"})
    assert first("one", lambda: 1) == 1
    assert Kept(path, {"model": "a"})("one", lambda: 2) == 1
    assert Kept(path, {"model": "b"})("one", lambda: 3) == 3
    path.write_text("{")
    assert Kept(path, {"model": "b"})("one", lambda: 4) == 4


def test_what_is_missing_is_said_with_what_to_do(
    exported: tuple[Path, Spec], tmp_path: Path
) -> None:
    run, spec = exported
    with pytest.raises(ExportError, match="run clara-train merge"):
        export_run(tmp_path, spec)
    with pytest.raises(ValidationError, match="run clara-train export"):
        validate_run(tmp_path, spec)
    with pytest.raises(ValidationError, match="run clara-train validate"):
        write_report(tmp_path)
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "adapters" / "warmth.gguf").write_bytes(b"GGUF")
    with pytest.raises(ExportError, match="could not load the adapter"):
        validate_run(copy, spec, ONE)


def test_the_commands_say_what_they_did(exported: tuple[Path, Spec], tmp_path: Path) -> None:
    run, spec = exported
    runner = CliRunner()
    where = ["--run", str(run), "--spec", str(spec.path)]
    done = runner.invoke(cli.commands, ["export", *where, "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert "clara.gguf is there already" in done.output
    assert f"model:={run}/clara.gguf" in done.output
    done = runner.invoke(cli.commands, ["validate", *where, "--quick", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert "passed: slider warmth" in done.output
    assert (run / "metrics" / "validation.jsonl").is_file()
    target = tmp_path / "one.gguf"
    done = runner.invoke(
        cli.commands, ["export", "--model", str(run / "merged"), "--output", str(target)]
    )
    assert "parameters" in done.output and target.is_file()
