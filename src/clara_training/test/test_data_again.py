# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a journal gives back is still wanted: nothing taken out, nothing asked otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import AnthropicServer, Fault
from clara_training.data_claude import Claude
from clara_training.data_generate import estimate, generate
from clara_training.data_journal import NAME, read_state
from clara_training.data_missing import fill_from_starter
from clara_training.data_plan import Settings
from clara_training.errors import ApiError
from clara_training.spec import Spec, default_spec
from clara_training.starter import starter_examples

DIRECT = Settings(mode="direct", per_request=5, concurrency=1, poll_s=0.05)
BATCH = replace(DIRECT, mode="batch")


def curious(description: str = "how much the robot asks back", count: int = 8) -> Spec:
    return replace(
        default_spec(),
        personality={"curiosity": 0.6},
        expertise={},
        descriptions={"curiosity": description},
        examples_per_dimension=count,
    )


def make(folder: Path, spec: Spec, settings: Settings = DIRECT) -> list[str]:
    """Make what is missing; return what was said."""
    said: list[str] = []
    claude = Claude(settings.model, first_wait_s=0.01)
    generate(spec, folder, spec.dimensions, settings, claude, say=said.append)
    return said


def entries(folder: Path, name: str = "curiosity") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path(folder, name).read_text())
    return found


def path(folder: Path, name: str = "curiosity") -> Path:
    return folder / "data" / f"{name}_training.json"


def change(folder: Path, how: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change a file as a person would."""
    path(folder).write_text(json.dumps(how(entries(folder)), indent=1))


def test_what_a_person_took_out_of_a_file_stays_out(
    server: AnthropicServer, tmp_path: Path
) -> None:
    make(tmp_path, curious())
    bad, asked = entries(tmp_path)[:2], len(server.requests)
    change(tmp_path, lambda made: made[2:])
    said = make(tmp_path, curious(count=7))
    assert "curiosity: 2 examples that were taken out of its file stay out" in said
    # Nor does it after what is missing was asked for again, and the file was written once more.
    make(tmp_path, curious(count=12))
    make(tmp_path, curious(count=12))
    prompts = [each["prompt"] for each in entries(tmp_path)]
    assert len(prompts) >= 12 and len(server.requests) > asked
    assert not {each["prompt"] for each in bad} & set(prompts)


def test_what_a_person_wrote_otherwise_stays_so(server: AnthropicServer, tmp_path: Path) -> None:
    make(tmp_path, curious())
    wanted = entries(tmp_path)
    wanted[0]["high"] += " And what do you think of it?"
    wanted[1]["prompt"] = wanted[1]["neutral"] = "Something else altogether, in other words."
    change(tmp_path, lambda made: wanted)
    make(tmp_path, curious())
    assert entries(tmp_path) == wanted


def test_what_is_like_an_example_that_was_taken_out_does_not_take_its_place(
    server: AnthropicServer, tmp_path: Path
) -> None:
    first = [server.example({"prompt": 0}) for _ in range(5)]
    alike = {**first[0], "high": "The same with another ending!"}
    server.faults = [
        Fault(text=json.dumps({"examples": each})) for each in (first, [alike, *first[1:]])
    ]
    make(tmp_path, curious())
    change(tmp_path, lambda made: made[1:])
    make(tmp_path, curious())
    assert first[0]["prompt"] not in {each["prompt"] for each in entries(tmp_path)}


@pytest.mark.parametrize("damaged", [None, "[{", "[]"])
def test_a_file_that_is_lost_comes_back_though_the_starter_data_were_there_first(
    server: AnthropicServer, tmp_path: Path, damaged: str | None
) -> None:
    count = len(starter_examples("warmth", True)) + 8
    spec = replace(
        default_spec(),
        personality={"warmth": 0.6},
        expertise={},
        examples_per_dimension=count,
    )
    fill_from_starter(spec, tmp_path, ["warmth"])
    make(tmp_path, spec)
    before, asked = entries(tmp_path, "warmth"), len(server.requests)
    file = path(tmp_path, "warmth")
    file.unlink() if damaged is None else file.write_text(damaged)
    fill_from_starter(spec, tmp_path, ["warmth"])
    make(tmp_path, spec)
    assert entries(tmp_path, "warmth") == before and len(server.requests) == asked


def test_answers_to_another_description_are_not_used_but_are_paid_for(
    server: AnthropicServer, tmp_path: Path
) -> None:
    make(tmp_path, curious())
    old, asked = path(tmp_path), len(server.requests)
    before = {each["prompt"] for each in entries(tmp_path)}
    old.unlink()
    other = curious("how much the robot hides what it does not know")
    (needed,), spent = estimate(other, tmp_path, ["curiosity"], DIRECT)
    assert needed.have == 0 and needed.requests == asked and spent > 0
    said = make(tmp_path, other)
    assert f"curiosity: {asked} answers in the journal are to another description" in said[0]
    assert not before & {each["prompt"] for each in entries(tmp_path)}
    assert read_state(tmp_path / "data" / NAME).spent == pytest.approx(2 * spent)
    # The first description finds its own again.
    old.unlink()
    make(tmp_path, curious())
    assert {each["prompt"] for each in entries(tmp_path)} == before


def test_a_batch_that_was_sent_with_another_description_is_paid_for_and_not_used(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(), Fault(status=403)]  # the batch is taken; then the key is not
    with pytest.raises(ApiError, match="403"):
        make(tmp_path, curious(), BATCH)
    asked = len(server.requests)
    other = curious("how much the robot hides what it does not know")
    assert estimate(curious(), tmp_path, ["curiosity"], BATCH)[0][0].requests == 0
    assert estimate(other, tmp_path, ["curiosity"], BATCH)[0][0].requests == asked
    make(tmp_path, other, BATCH)
    answers = read_state(tmp_path / "data" / NAME).answers
    assert len(server.requests) == len(answers) == 2 * asked
    used = {each["prompt"] for each in entries(tmp_path)}
    assert not any(prompt in each["text"] for each in answers[:asked] for prompt in used)


def test_a_journal_that_does_not_say_how_was_asked_is_used(
    server: AnthropicServer, tmp_path: Path
) -> None:
    make(tmp_path, curious())
    journal, asked = tmp_path / "data" / NAME, len(server.requests)
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    for event in events:
        event.pop("prompt_sha256", None)
    earlier = [json.dumps(event) + "\n" for event in events if event["event"] != "written"]
    journal.write_text("".join(earlier))
    before = entries(tmp_path)
    change(tmp_path, lambda made: made[:1])
    make(tmp_path, curious("how much the robot hides what it does not know"))
    assert entries(tmp_path) == before and len(server.requests) == asked
