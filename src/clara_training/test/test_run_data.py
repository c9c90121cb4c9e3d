# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train run` with a key: what it asks before it spends, and whose spec it takes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny
import tiny_run
from anthropic_server import AnthropicServer
from clara_training.examples import load_knowledge, load_trait

from clara_training import cli

LIMIT_S = 120.0
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec that asks for far more than the starter data and a CPU's training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    path = tiny_run.write_spec(tmp_path, tiny.save(tiny.llama(), tmp_path / "base")).path
    document = json.loads(path.read_text())
    document["config"]["examples_per_dimension"] = 2000
    path.unlink()  # its name is the one that is looked for
    (tmp_path / "my_spec.json").write_text(json.dumps(document))
    return tmp_path / "my_spec.json"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that does `clara-train run` where nobody is at a terminal."""

    def clara(*arguments: str) -> tuple[int, str]:
        line = ["clara-train", "run", "--run", "r", "--device", "cpu", *arguments]
        monkeypatch.setattr(sys, "argv", line)
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, "".join(capsys.readouterr())

    return clara


@contextmanager
def at_a_terminal(answer: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Do `clara-train run` with somebody at the terminal who types an answer."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    code = "from clara_training.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "--run", "r", "--device", "cpu", *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(theirs)


def test_a_yes_makes_what_will_be_learned_from_and_the_training_begins(
    server: AnthropicServer, spec: Path, tmp_path: Path
) -> None:
    options = ("--spec", str(spec), "--model", "claude-haiku-5-5")
    said: list[str] = []
    with at_a_terminal("y\n", *options) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "[3/6] lora" in line:
                break
    assert "[3/6] lora" in said[-1], said
    assert "Spend about $" in "".join(said)
    assert {body["model"] for body in server.requests} == {"claude-haiku-5-5"}
    warmth = load_trait(tmp_path / "r" / "data" / "warmth_training.json")
    coding = load_knowledge(tmp_path / "r" / "data" / "coding_knowledge.json")
    # A CPU learns from 160; with those that are held out it takes 189.
    assert all(189 <= len(each) < 189 + 50 for each in (warmth, coding))


def test_a_no_spends_nothing_and_names_the_way_without(
    server: AnthropicServer, spec: Path
) -> None:
    with at_a_terminal("n\n", "--spec", str(spec)) as process:
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 3, said
    assert "nothing was spent; --no-claude goes on with the examples that are there" in said
    assert server.seen == []


def test_where_nobody_can_agree_nothing_is_spent_and_both_ways_on_are_named(
    server: AnthropicServer, spec: Path, run: Run
) -> None:
    code, said = run("--spec", str(spec))
    assert code == 1 and server.seen == []
    assert "--yes agrees; --no-claude goes on with the examples that are there" in said


def test_a_cap_that_is_too_low_names_options_that_there_are(
    server: AnthropicServer, spec: Path, run: Run
) -> None:
    code, said = run("--spec", str(spec), "--max-cost", "0.01", "--yes")
    assert code == 1 and server.seen == []
    sentence = said.strip().splitlines()[-1]
    assert "more than the cap of $0.01; nothing was sent" in sentence
    _, usage = run("--help")
    for option in ("--max-cost", "--count", "--model", "--no-claude"):
        assert option in sentence and option in usage


def test_the_spec_that_the_last_run_left_is_named_with_the_way_to_another(
    server: AnthropicServer, spec: Path, run: Run
) -> None:
    _, said = run("--spec", str(spec), "--traits", "warmth")
    assert "which the last run left" not in said
    _, said = run()
    assert "the spec is r/spec.json, which the last run left: warmth, for " in said
    assert "--spec takes another" in said and "--write clara_spec.json" in said
