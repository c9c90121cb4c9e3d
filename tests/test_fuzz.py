# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A quick share of `make fuzz`: requests that nobody would send, at every door of both nodes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance import must_refuse
from clara_brain.errors import ModelError
from clara_brain.gguf import read_header
from damaged_gguf import damaged as damaged_file
from damaged_gguf import damages
from fuzz_doors import Nodes, nodes
from fuzzing import complaint, damaged, made_of, smallest
from malformed import Plausible, messages, weight
from small_model import write_small_model

from clara_interfaces.srv import QueryMemory, StoreEpisode

REQUESTS = 25
MANY = 80  # of the doors with most behind them
DOORS = {"memory/store": MANY, "memory/query": MANY, "chat": MANY, "personality/set": MANY}


@pytest.fixture(scope="module")
def clara_nodes(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with nodes(domain, tmp_path_factory.mktemp("fuzz")) as made:
        yield made
        assert made.memory.running and made.brain.running
        for node in (made.memory, made.brain):
            assert "Traceback" not in node.output, node.output


def test_every_door_refuses_what_is_forbidden_takes_what_is_allowed_and_lives_on(clara_nodes):
    for door, fuzz in clara_nodes.doors.items():
        found = fuzz(DOORS.get(door, REQUESTS), 7)
        assert not found.wrong, f"{door}: {found.wrong[:3]}"
        assert found.sent == DOORS.get(door, REQUESTS)


def test_requests_are_wild_and_yet_some_of_them_are_valid():
    made = list(made_of(messages(StoreEpisode.Request, Plausible()), 120, 1))
    assert len({weight(request) for request in made}) > 20
    assert any(weight(request) > 1024 for request in made)
    assert all(weight(request) < 5_000_000 for request in made)
    queries = list(made_of(messages(QueryMemory.Request, Plausible()), 120, 1))
    verdicts = [must_refuse(request) for request in queries]
    assert verdicts.count("") > 10 and sum(map(bool, verdicts)) > 10


def test_a_node_that_takes_what_is_forbidden_is_found_out_with_the_smallest_request():
    request = QueryMemory.Request(top_k=101, text="what happened?", max_episodes=3)
    answer = QueryMemory.Response()
    assert complaint(request, answer) == "accepted, though top_k"
    least = smallest(request, lambda tried: bool(complaint(tried, answer)))
    assert least == QueryMemory.Request(top_k=101)
    answer.error_code = answer.UNKNOWN
    answer.error_msg = "Traceback (most recent call last):\n  File"
    assert complaint(request, answer).startswith("UNKNOWN")
    answer.error_code = answer.INVALID_REQUEST
    assert "is no sentence" in complaint(request, answer)
    assert "refused with" in complaint(QueryMemory.Request(), answer)


def test_a_model_file_with_one_wrong_number_is_refused_in_a_sentence_or_is_a_header(
    tmp_path,
):
    path = tmp_path / "m.gguf"
    write_small_model(path)
    sound = path.read_bytes()
    refused = 0
    for at, wrong in damages(path, 300, 1):
        with damaged_file(path, at, wrong):
            try:
                read_header(path)
            except ModelError as error:
                refused += 1
                assert str(error).isprintable() and "m.gguf" in str(error)
    assert refused > 100 and path.read_bytes() == sound
    read_header(path)


def test_damaged_bytes_differ_from_the_sound_ones():
    sound, chance = bytes(range(64)), random.Random(1)
    assert sum(damaged(sound, chance) != sound for _ in range(100)) > 80


def test_a_file_of_every_kind_lies_beside_the_nodes(clara_nodes):
    folder: Path = clara_nodes.folder
    assert (folder / "pipe").is_fifo() and (folder / "other.sqlite3").is_file()
