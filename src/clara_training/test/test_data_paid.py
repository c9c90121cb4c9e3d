# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What is paid for when answers, connections and batches are lost; the SDK and a local server."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import AnthropicServer, Fault
from clara_training.data_claude import Claude
from clara_training.data_generate import estimate, generate
from clara_training.data_journal import NAME, Journal, read_state
from clara_training.data_missing import fill_from_starter
from clara_training.data_plan import Settings
from clara_training.errors import ApiError, BudgetError, UnansweredError
from clara_training.spec import Spec, default_spec

DIRECT = Settings(mode="direct", per_request=5, concurrency=1, poll_s=0.05)
BATCH = replace(DIRECT, mode="batch")
ONE_REQUEST = replace(default_spec(), examples_per_dimension=4)
ANSWER = (100 * 2.0 + 1500 * 0.10 + 800 * 10.0) / 1e6  # dollars, by the server's usage
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "full"}}
OVERLOADED = f"event: error\ndata: {json.dumps(ERROR)}\n\n"


def claude(settings: Settings = DIRECT, **options: Any) -> Claude:
    return Claude(settings.model, **{"first_wait_s": 0.01, **options})


def make(folder: Path, settings: Settings, spec: Spec = ONE_REQUEST, **options: Any) -> float:
    """Make what is missing of warmth; return what the run has cost."""
    return generate(spec, folder, ["warmth"], settings, claude(settings, **options)).spent


def requests_needed(folder: Path, settings: Settings) -> int:
    return estimate(ONE_REQUEST, folder, ["warmth"], settings)[0][0].requests


def most_of_one(folder: Path) -> float:
    """Return the most that the first request can cost."""
    return estimate(ONE_REQUEST, folder, ["warmth"], DIRECT)[0][0].most


def spent(folder: Path) -> float:
    return read_state(folder / "data" / NAME).spent


@pytest.mark.parametrize("raw", ["", OVERLOADED])
def test_an_attempt_whose_answer_never_came_counts_at_its_most_and_is_made_again(
    server: AnthropicServer, tmp_path: Path, raw: str
) -> None:
    most = most_of_one(tmp_path)
    server.faults = [Fault(raw=raw)]
    total = make(tmp_path, DIRECT)
    assert total == pytest.approx(most + ANSWER * (len(server.requests) - 1))
    assert spent(tmp_path) == pytest.approx(total)


@pytest.mark.parametrize(("status", "lost"), [(429, 0), (529, 0), (408, 1), (500, 1), (504, 1)])
def test_what_the_api_refuses_costs_nothing_and_what_it_loses_its_most(
    server: AnthropicServer, tmp_path: Path, status: int, lost: int
) -> None:
    most = most_of_one(tmp_path)
    server.faults = [Fault(status=status)]
    total = make(tmp_path, DIRECT)
    assert total == pytest.approx(lost * most + ANSWER * len(server.requests))


def test_a_connection_that_is_never_made_costs_nothing(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.close()
    with pytest.raises(ApiError, match="the connection to Anthropic's API broke 2 times"):
        make(tmp_path, DIRECT, attempts=2)
    assert spent(tmp_path) == 0


def test_no_attempt_is_made_that_could_pass_the_cap(
    server: AnthropicServer, tmp_path: Path
) -> None:
    most = most_of_one(tmp_path)
    server.faults = [Fault(raw="")] * 20
    with pytest.raises(BudgetError, match=r"the cap of .* is reached"):
        make(tmp_path, replace(DIRECT, max_cost=2.5 * most))
    assert len(server.requests) == 2
    assert spent(tmp_path) == pytest.approx(2 * most)


def test_a_batch_of_an_earlier_run_is_counted_at_the_price_of_the_model_that_answered(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(), Fault(status=403)]  # the batch is taken; then the key is not
    with pytest.raises(ApiError, match="403"):
        make(tmp_path, replace(BATCH, model="claude-haiku-5-5"))
    total = make(tmp_path, replace(BATCH, model="claude-opus-5-5"))
    assert len(server.requests) == 1
    assert total == pytest.approx((100 * 0.10 + 1500 * 0.01 + 800 * 0.50) / 2e6)
    (answer,) = read_state(tmp_path / "data" / NAME).answers
    assert answer["model"] == "claude-haiku-5-5"


def test_a_journal_that_does_not_say_which_model_a_batch_is_of_is_read(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("batch_intent", nonce="a", requests={}, at="2026-01-01", most=0.5)
    (pending,) = read_state(tmp_path / NAME).pending
    assert pending.model is None


def test_between_attempts_to_send_a_batch_it_waits_as_the_api_asks(
    server: AnthropicServer, tmp_path: Path
) -> None:
    wait = {"retry-after": "0.3"}
    found = Fault()  # nothing, in the list of batches that is asked for after a 503
    server.faults = [Fault(429, wait), Fault(529, wait), Fault(503, wait), found]
    make(tmp_path, BATCH)
    sent = [(method, status) for method, _, status in server.seen[:3]]
    assert sent == [("POST", 429), ("POST", 529), ("POST", 503)]
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(server.posted[:4]))
    assert len(server.batches) == 1


def test_the_waits_for_a_batch_grow(server: AnthropicServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=529)] * 4
    make(tmp_path, BATCH, first_wait_s=0.05)
    assert [each[0] for each in server.seen[:5]] == ["POST"] * 5
    waits = [later - earlier for earlier, later in pairwise(server.posted[:5])]
    assert all(wait >= 0.75 * 0.05 * 2**number for number, wait in enumerate(waits))


def test_a_batch_that_is_refused_for_good_is_not_looked_for_later(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(status=529)] * 3
    with pytest.raises(ApiError, match=r"overloaded \(529\) 3 times"):
        make(tmp_path, BATCH, attempts=3)
    assert [each[:1] for each in server.seen] == [("POST",)] * 3
    assert not read_state(tmp_path / "data" / NAME).pending


def test_a_batch_that_arrived_before_the_network_failed_is_found_by_the_next_run(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(drop=True), Fault(status=500), Fault(status=500)]
    with pytest.raises(UnansweredError, match="run the same command again later"):
        make(tmp_path, BATCH, attempts=2)
    # Nobody agreed yet to sending it once more, should it not be found.
    assert requests_needed(tmp_path, BATCH) == 1
    total = make(tmp_path, BATCH)
    assert len(server.batches) == 1 and total == pytest.approx(ANSWER / 2)


def test_a_batch_that_the_api_knows_no_more_is_counted_at_its_most_and_not_waited_for_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(), Fault(status=403)]
    with pytest.raises(ApiError, match="403"):
        make(tmp_path, BATCH)
    (pending,) = read_state(tmp_path / "data" / NAME).pending
    server.batches.clear()  # it was deleted, or is another workspace's
    with pytest.raises(ApiError, match=r"know msgbatch.* any more, .* run the same command again"):
        make(tmp_path, BATCH)
    assert spent(tmp_path) == pytest.approx(pending.most) and len(server.requests) == 1
    # Only now it is asked for once more, at a price that can be agreed to.
    assert requests_needed(tmp_path, BATCH) == 1
    assert make(tmp_path, BATCH) == pytest.approx(pending.most + ANSWER / 2)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_batch_is_found_whatever_the_clock_says(
    server: AnthropicServer, tmp_path: Path, hours: int
) -> None:
    server.clock = timedelta(hours=hours)
    server.faults = [Fault(drop=True)]
    make(tmp_path, BATCH)
    assert len(server.batches) == 1


def test_the_standard_spec_is_within_the_cap_that_is_the_default(tmp_path: Path) -> None:
    spec = default_spec()
    fill_from_starter(spec, tmp_path, spec.dimensions)
    estimates, _ = estimate(spec, tmp_path, spec.dimensions, Settings())
    assert 0 < sum(each.expected for each in estimates) < Settings().max_cost
