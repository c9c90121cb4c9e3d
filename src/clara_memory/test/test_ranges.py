# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Ranges leave out episodes exactly: numbers by their bounds, places by metres."""

import math
import random

import pytest
from clara_memory.episode import MAX_TIME_NS
from clara_memory.tally_in_words import sentences_of

from clara_memory import (
    EpisodicMemory,
    Event,
    InvalidRequest,
    Kind,
    Outcome,
    Query,
    Reading,
    Result,
    RoleFiller,
    RoleRange,
)

S = 10**9
T0 = 1_700_000_000 * S


@pytest.fixture
def memory():
    made = EpisodicMemory(robot="ADA")
    for number in range(10):
        made.store_memory(
            action="GO",
            object="MUG" if number % 2 else "CUP",
            result="FAILED" if number > 7 else "SUCCESS",
            battery=number / 10,
            at=RoleFiller("at", "map" if number < 5 else "odom", Kind.POSITION, (number, 0, 0)),
            place="dock",
        )
    made.store_memory(action="WAVE", object="CUP")
    return made


def batteries(answer):
    told = [filler for one in answer.episodes for filler in one.episode.context]
    return sorted(filler.values[0] for filler in told if filler.role == "battery")


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (RoleRange("battery", 0.1, 0.3), [0.1, 0.2, 0.3]),
        (RoleRange("battery", high=0.1), [0.0, 0.1]),
        (RoleRange("battery", 0.8), [0.8, 0.9]),
        (RoleRange("battery", 0.5, 0.5), [0.5]),
        (RoleRange("battery", 0.11, 0.19), []),
        (RoleRange("battery"), [number / 10 for number in range(10)]),
        (RoleRange("at", center=(2, 0, 0), radius=1), [0.1, 0.2, 0.3]),
        (RoleRange("at", center=(5, 0, 0), radius=1), [0.4, 0.5, 0.6]),
        (RoleRange("at", center=(5, 0, 0), radius=1, frame="MAP"), [0.4]),
        (RoleRange("at", center=(0, 3, 4), radius=5), [0.0]),
        (RoleRange("at", 0, 5), []),
        (RoleRange("place", 0, 5), []),
        (RoleRange("object", 0, 5), []),
        (RoleRange("battery", center=(0, 0, 0), radius=9), []),
    ],
)
def test_only_episodes_within_a_range_fit(memory, one, kept):
    answer = memory.query(ranges=[one])
    assert batteries(answer) == kept and answer.matches == len(kept)
    assert answer.abstained is not bool(kept)


def test_ranges_hold_together_with_cue_text_and_all_other_filters(memory):
    low = RoleRange("battery", 0.2, 0.9)
    near = RoleRange("at", center=(3.0, 0.0, 0.0), radius=2.0)
    cup = {"object": "CUP", "ranges": [low, near]}
    assert batteries(memory.query(**cup)) == [0.2, 0.4]
    text = "where did you go with the cup?"
    assert batteries(memory.query(text, ranges=[low, near])) == [0.2, 0.4]
    assert batteries(memory.query(outcomes=[Outcome.FAILED], ranges=[low])) == [0.8, 0.9]
    of_ada = memory.query(robots=["ADA"], subjects=["ada"], ranges=[near])
    assert batteries(of_ada) == [0.1, 0.2, 0.3, 0.4, 0.5]
    full = memory.query(object="CUP", robots=["ADA"], ranges=[RoleRange("battery", 0.9)])
    assert "but not within the given times and filters" in full["action"].reason
    for other in (
        {"robots": ["BOB"]},
        {"since_ns": MAX_TIME_NS},
        {"outcomes": [Outcome.CANCELED]},
    ):
        assert memory.query(ranges=[near], **other).abstained
        reason = memory.query(**cup, **other)["action"].reason
        assert (
            "not within the given times and filters" in reason or "no episode is within" in reason
        )


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (RoleRange("speed", 0, 1), "no episode has the role 'speed'"),
        (RoleRange("place", 0, 1), "the role 'place' has never a number"),
        (
            RoleRange("at", center=(0, 0, 0), frame="base", radius=1),
            "the role 'at' has never a position in the frame 'base'",
        ),
        (RoleRange("battery", 2, 3), "no episode has battery=2 to 3"),
    ],
)
def test_a_range_that_no_episode_is_within_is_told_as_what_is_unknown(memory, one, reason):
    answer = memory.query(object="CUP", ranges=[one])
    assert answer["action"].abstained and answer["action"].reason == reason
    (unknown,) = [reading for reading in answer.readings if not reading.accepted]
    assert unknown.cue == one.told and unknown.by is Reading.NOTHING


def test_an_episode_before_and_after_is_within_where_either_is():
    memory = EpisodicMemory()
    event = Event("a1", "CHARGE", context=(RoleFiller("battery", "", Kind.NUMBER, (0.1,)),))
    memory.record(
        [
            event,
            Result(
                "a1", Outcome.SUCCEEDED, effects=(RoleFiller("battery", "", Kind.NUMBER, (0.9,)),)
            ),
        ]
    )
    assert memory.query(ranges=[RoleRange("battery", 0.0, 0.2)]).matches == 1
    assert memory.query(ranges=[RoleRange("battery", 0.8, 1.0)]).matches == 1
    assert memory.query(ranges=[RoleRange("battery", 0.3, 0.7)]).abstained


def test_what_is_counted_is_within_the_filters_and_says_so(memory):
    asked = "what object did you go to most often?"
    low = Query(ranges=(RoleRange("battery", 0.1, 0.3),))
    (said,) = sentences_of(memory.tally_asked(asked, low))
    over = "3 episodes with action=GO, battery=0.1 to 0.3"
    assert said == f"MUG most often: 2 of {over}; then CUP 1."
    filters = Query(outcomes=(Outcome.FAILED,), robots=("ADA",), since_ns=T0)
    *when, said = sentences_of(memory.tally_asked(asked, filters))
    assert said.endswith("1 each of 2 episodes with action=GO, result=FAILED, robot=ADA.")
    assert when[0].startswith("Time asked about: since 2023-11-1")
    assert memory.tally("object", Query(ranges=(RoleRange("battery", 0.8),))).matches == 2
    assert memory.figures("battery", Query(ranges=(RoleRange("battery", 0.8),))).smallest == 0.8


def test_what_is_under_way_is_within_the_ranges_too(memory):
    context = (RoleFiller("battery", "", Kind.NUMBER, (0.25,)),)
    memory.record([Event("a1", "PATROL", start_ns=T0, context=context)], T0)
    inside, outside = RoleRange("battery", 0.2, 0.3), RoleRange("battery", 0.3, 0.4)
    assert memory.ask(Query(ranges=(inside,)), now_ns=T0 + S).under_way
    assert not memory.ask(Query(ranges=(outside,)), now_ns=T0 + S).under_way
    assert not memory.ask(Query(ranges=(RoleRange("speed"),)), now_ns=T0 + S).under_way


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ([RoleRange("")], "ranges[0].role is empty"),
        ([RoleRange("battery"), RoleRange("Speed")], "ranges[1].role is 'Speed'"),
        ([RoleRange("battery"), RoleRange("battery", 1, 2)], "ranges[1].role is 'battery', which"),
        ([RoleRange(f"r{number}") for number in range(17)], "ranges has 17, at most 16"),
        ([RoleRange("battery", math.nan)], "ranges[0].low of 'battery' is not a number"),
        ([RoleRange("battery", high=math.nan)], "ranges[0].high of 'battery' is not a number"),
        ([RoleRange("battery", 3, 1)], "ranges[0].low of 'battery' is 3, above high, 1"),
        ([RoleRange("battery", 0, 1, radius=2)], "ranges[0].center of 'battery' is empty"),
        ([RoleRange("battery", 0, 1, frame="map")], "ranges[0].center of 'battery' is empty"),
        ([RoleRange("at", center=(1, 2), radius=1)], "ranges[0].center of 'at' has 2 numbers"),
        ([RoleRange("at", center=(1, 2, math.inf), radius=1)], "holds what is not finite"),
        ([RoleRange("at", center=(1, 2, 3), radius=-1)], "ranges[0].radius of 'at' is not 0"),
        ([RoleRange("at", center=(1, 2, 3), radius=math.nan)], "ranges[0].radius of 'at'"),
        ([RoleRange("at", 0, 5, (1, 2, 3), radius=1)], "ranges[0].high of 'at' is given beside"),
        ([RoleRange("at", center=(1, 2, 3), frame="a\nb", radius=1)], "ranges[0].frame holds"),
    ],
)
def test_a_range_that_is_not_valid_is_refused_with_its_field(memory, ranges, said):
    with pytest.raises(InvalidRequest) as error:
        memory.query(ranges=ranges)
    assert said in str(error.value)


def test_ranges_follow_what_is_stored_forgotten_and_corrected_and_agree_with_a_plain_filter():
    chance = random.Random(3)
    memory = EpisodicMemory()
    known = {}
    for number in range(600):
        value = round(chance.random(), 2)
        known[memory.store_memory(action=f"A{number % 7}", speed=value)] = value
        if number % 50 == 49:
            low, high = sorted((chance.random(), chance.random()))
            answer = memory.query(ranges=[RoleRange("speed", low, high)], max_episodes=1000)
            wanted = {one for one, value in known.items() if low <= value <= high}
            assert {one.episode.episode_id for one in answer.episodes} == wanted
            gone = chance.choice(list(known))
            memory.forget(episode_ids=[gone])
            del known[gone]
            memory.correct(chance.choice(list(known)), object="CUP")
