# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara` as a process, against the real brain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import write_adapter
from world import World

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def world(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("adapters")
    write_adapter(folder / "warmth.gguf", seed=1)
    world = World(adapters_path=folder, skills=DATA / "skills.yaml", memory_policy="never")
    world.until(lambda: world.state() == "active")
    yield world
    world.close()


def clara(*words: str, code: int = 0, said: str = "") -> str:
    """Run the command; return what it printed on stdout, or on stderr when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", "from clara_brain.cli import main; main()", *words],
        capture_output=True,
        text=True,
        input=said,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


def test_the_personality_is_shown_and_moved(world):
    assert "companion" in clara("persona", "--presets").split()
    moved = json.loads(clara("persona", "--preset", "operator", "formal=0.9", "--json"))
    values = {each["name"]: round(each["value"], 4) for each in moved["traits"]}
    assert (values["warmth"], values["formal"]) == (0.1, 0.9)
    assert "formal" in clara("persona", "--prompt")
    assert "pirate" in clara("persona", "--preset", "pirate", code=1)
    assert "no setting" in clara("persona", "warmth", code=1)
    clara("persona", "--preset", "spec")


def test_adapters_are_listed_loaded_scaled_and_unloaded(world, tmp_path):
    path = tmp_path / "mood.gguf"
    write_adapter(path, seed=2)
    assert "follows its slider" in clara("adapters")
    loaded = json.loads(clara("adapters", "load", "mood", str(path), "--scale", "0.5", "--json"))
    assert loaded["adapter"]["scale"] == 0.5
    scaled = json.loads(clara("adapters", "scale", "mood=-1", "--json"))
    assert {each["name"]: each["scale"] for each in scaled["adapters"]}["mood"] == -1.0
    assert "slider" in clara("adapters", "scale", "warmth=1", code=1)
    assert clara("adapters", "unload", "mood") == "mood unloaded\n"
    assert "ADAPTER_FAILED" in clara("adapters", "unload", "mood", code=1)


def test_conversations_are_listed_shown_and_reset(world):
    said = clara("ask", "Hello!", "--session", "cli", "--max-tokens", "8")
    assert "cli" in clara("sessions")
    shown = clara("sessions", "show", "cli")
    assert shown.startswith("> Hello!") and said.split()[0] in shown
    kept = json.loads(clara("sessions", "show", "cli", "--json"))
    assert [each["user"] for each in kept["exchanges"]] == ["Hello!"]
    assert clara("sessions", "reset", "cli") == "1 turns forgotten\n"
    assert "SESSION_NOT_FOUND" in clara("sessions", "show", "cli", code=1)


def test_what_is_given_to_a_group_holds_for_its_commands(world):
    nobody = clara("sessions", "--namespace", "nobody", "--timeout", "0.2", "show", "x", code=1)
    assert "/nobody" in nobody


def test_skills_are_listed_with_their_limits(world):
    listed = clara("skills")
    assert "drive" in listed and "0.1 to 5" in listed
    named = [each["name"] for each in json.loads(clara("skills", "--json"))["skills"]]
    assert "drive" in named


def test_text_is_tokenized(world):
    tokens = clara("tokenize", "Hello world").split()
    assert tokens == [
        str(each) for each in json.loads(clara("tokenize", "Hello world", "--json"))["tokens"]
    ]


def test_commands_of_a_conversation_can_be_typed(world):
    lines = ["Hello!", "/history", "/persona warmth=0.4", "/skills", "/help", "/reset", "/quit"]
    printed = clara("chat", "--max-tokens", "6", said="\n".join(lines))
    assert "> Hello!" in printed and "0.40" in printed and "drive" in printed
    assert "/history" in printed and "1 turns forgotten" in printed


def test_markdown_is_rendered_where_it_is_asked_for(world):
    words = ("ask", "Hello!", "--max-tokens", "6", "--temperature", "0")
    assert clara(*words, "--markdown").split() == clara(*words, "--plain").split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete_it(shell):
    assert "_CLARA_COMPLETE" in clara("completion", shell)
