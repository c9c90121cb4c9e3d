# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts over all episodes are exact."""

import random
from collections import Counter
from datetime import datetime

import pytest
from clara_memory.episode import as_filler

from clara_memory import Episode, EpisodicMemory, InvalidRequest, Outcome, Query, RoleFiller

NOON_NS = round(datetime(2026, 6, 10, 12).timestamp()) * 10**9
ROOMS = ("KITCHEN", "BATH", "HALL")


@pytest.fixture(scope="module")
def lived():
    """Return random episodes of two robots over some days; some have no room or no weight."""
    chance = random.Random(1)
    episodes = []
    for number in range(400):
        context = {"place": chance.choice(ROOMS)} if number % 5 else {}
        effects = {"weight": chance.randrange(1, 90) / 10} if number % 7 else {}
        end_ns = NOON_NS - chance.randrange(10 * 86_400) * 10**9
        episodes.append(
            Episode(
                chance.choice(("CLEAN", "CARRY")),
                object=chance.choice(("CUP", "MOP")),
                outcome=chance.choice(tuple(Outcome)),
                robot=chance.choice(("CLARA", "ROBBY")),
                start_ns=end_ns - chance.randrange(3) * 10**9,
                end_ns=end_ns,
                context=tuple(as_filler(*pair) for pair in context.items()),
                effects=tuple(as_filler(*pair) for pair in effects.items()),
            )
        )
    return episodes


@pytest.fixture(scope="module")
def memory(lived):
    made = EpisodicMemory()
    made.store_all(lived)
    return made


@pytest.mark.parametrize("role", ["action", "object", "subject", "place", "robot", "day"])
@pytest.mark.parametrize("outcomes", [(), (Outcome.FAILED,)])
def test_a_tally_counts_what_the_episodes_have(memory, lived, role, outcomes):
    def filler(one):
        if role == "day":
            return datetime.fromtimestamp(one.end_ns // 10**9).date().isoformat()
        if role == "place":
            return one.context[0].filler if one.context else None
        return one.robot if role == "subject" else getattr(one, role)

    fit = [one for one in lived if one.action == "CLEAN" and one.outcome in (outcomes or Outcome)]
    query = Query(cue=(RoleFiller("action", "CLEAN"),), outcomes=outcomes)
    tally = memory.tally(role, query)
    expected = Counter(filler(one) for one in fit)
    assert (tally.matches, tally.episodes) == (len(fit), len(fit) - expected.pop(None, 0))
    assert {one.filler.spoken: one.episodes for one in tally.counts} == expected
    assert tally.succeeded == sum(one.outcome is Outcome.SUCCEEDED for one in fit)
    ended = Counter(
        filler(one) for one in fit if one.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
    )
    assert all(one.failed == ended[one.filler.spoken] for one in tally.counts)
    assert {one.episodes for one in tally.most} == {max(expected.values())}
    assert {one.episodes for one in tally.least} == {min(expected.values())}


def test_figures_are_those_of_the_numbers(memory, lived):
    fit = [one for one in lived if one.action == "CARRY"]
    weights = [one.effects[0].values[0] for one in fit if one.effects]
    figures = memory.figures("weight", Query(text="carry"))
    assert (figures.matches, figures.episodes) == (len(fit), len(weights))
    assert figures.total == pytest.approx(sum(weights))
    assert figures.mean == pytest.approx(sum(weights) / len(weights))
    assert (figures.smallest, figures.largest) == (min(weights), max(weights))
    assert figures.of_largest.effects[0].values == (max(weights),)
    took = [(one.end_ns - one.start_ns) / 1e9 for one in fit if one.end_ns > one.start_ns]
    durations = memory.figures("duration", Query(text="carry"))
    assert (durations.episodes, durations.total) == (len(took), sum(took))


def test_what_is_not_there_is_counted_as_nothing(memory):
    assert memory.tally("floor").counts == memory.tally("floor").most == ()
    nothing = memory.tally("place", Query(cue=(RoleFiller("object", "PIANO"),)))
    assert nothing.matches == 0 and "PIANO" in nothing.reason
    assert memory.figures("place").episodes == 0
    assert EpisodicMemory().tally("day").counts == EpisodicMemory().tally("robot").counts == ()
    assert EpisodicMemory().figures("duration").total == 0.0
    with pytest.raises(InvalidRequest):
        memory.tally("No Role")


def test_a_filler_before_and_after_is_counted_with_each():
    memory = EpisodicMemory()
    full, empty = (RoleFiller("state", word) for word in ("full", "empty"))
    memory.store(Episode("POUR", context=(full,), effects=(empty,)))
    memory.store(Episode("POUR", context=(full,), effects=(full,)))
    tally = memory.tally("state")
    assert [(one.filler.filler, one.episodes) for one in tally.counts] == [
        ("full", 2),
        ("empty", 1),
    ]
    assert (tally.episodes, tally.matches) == (2, 2)
