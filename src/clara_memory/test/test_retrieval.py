# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How a cue is read: resemblance, meaning, times, places, weights, age, and the inverted index."""

import random
from datetime import datetime

import numpy as np
import pytest
from clara_memory.columns import Columns
from clara_memory.meaning import wordllama_embedder

from clara_memory import (
    Episode,
    EpisodicMemory,
    InvalidRequest,
    Kind,
    Query,
    Reading,
    RoleFiller,
)

KITCHEN = [
    "apron", "basket", "blender", "bottle", "bowl", "cup", "fork", "jug",
    "kettle", "knife", "ladle", "mixer", "napkin", "pan",
]  # fmt: skip


def fillers(answer, role):
    return [candidate.filler for candidate in answer[role].candidates]


def at(hour, minute=0, day=2):
    return int(datetime(2026, 3, day, hour, minute).timestamp()) * 10**9


@pytest.fixture
def kitchen():
    memory = EpisodicMemory()
    memory.store_all(
        Episode(action=action, object=thing)
        for thing in KITCHEN
        for action in ("TAKE", f"WASH_{thing}")
    )
    return memory


def test_the_answer_says_how_each_role_was_read(kitchen):
    answer = kitchen.query(action="taking", object="ketle")
    read = {reading.cue.role: reading for reading in answer.readings}
    assert (read["object"].nearest, read["object"].by) == ("kettle", Reading.SPELLING)
    assert read["object"].accepted and 0.4 < read["object"].similarity < 0.95
    assert (read["action"].nearest, read["action"].by) == ("TAKE", Reading.INFLECTION)
    assert kitchen.query(object="CUP").readings[0].by is Reading.SAME


def test_an_unlike_filler_is_not_taken_for_the_nearest_but_it_is_named(kitchen):
    answer = kitchen.query(object="kitten")
    assert answer.abstained and not answer.readings[0].accepted
    assert answer.readings[0].nearest == "kettle"
    assert "no object like 'kitten' is known (the nearest is 'kettle')" in answer["action"].reason


def test_a_guess_goes_on_with_the_nearest_and_says_so(kitchen):
    answer = kitchen.query(object="kitten", guess=True)
    assert "WASH_kettle" in fillers(answer, "action") and not answer.readings[0].accepted


def test_names_that_differ_in_a_number_are_different_names():
    memory = EpisodicMemory()
    memory.store_all(Episode(action="GO", object=f"charging_station_{n}") for n in range(5))
    assert memory.query(object="charging_station_7").abstained
    assert memory.query(object="chargin_station_3").matches == 1


def test_what_fits_the_other_roles_decides_between_two_readings():
    memory = EpisodicMemory()
    memory.store_memory(action="POUR", object="coffee_cup", place="kitchen")
    memory.store_memory(action="WASH", object="coffee_cap", place="garage")
    assert fillers(memory.query(object="coffee_cip", place="garage"), "action") == ["WASH"]
    assert fillers(memory.query(object="coffee_cip", place="kitchen"), "action") == ["POUR"]


def test_a_misspelt_word_in_a_text_is_understood(kitchen):
    answer = kitchen.query("what happened with the blendr?")
    assert {reading.nearest for reading in answer.readings} == {"blender"}
    assert kitchen.query("what happened with the zebra?").abstained


def tiny_embedder(texts):
    """Embed by a table of three senses."""
    senses = {"cup": (1, 0, 0.1), "mug": (1, 0, 0.0), "knife": (0, 1, 0), "blade": (0.1, 1, 0)}
    return np.array([senses.get(text, (0, 0, 1.0)) for text in texts], dtype=np.float64)


def test_any_embedder_makes_synonyms_found():
    memory = EpisodicMemory(meaning=tiny_embedder)
    memory.store_memory(action="TAKE", object="CUP")
    memory.store_memory(action="SHARPEN", object="KNIFE")
    answer = memory.query(object="mug")
    assert fillers(answer, "action") == ["TAKE"] and answer.readings[0].by is Reading.MEANING
    assert fillers(memory.query(object="blade"), "action") == ["SHARPEN"]
    memory.store_memory(action="FIND", object="MUG")
    assert fillers(memory.query(object="mug"), "action") == ["FIND"]


def test_wordllama_finds_what_is_called_otherwise():
    pytest.importorskip("wordllama")
    memory = EpisodicMemory(meaning=wordllama_embedder())
    memory.store_all(Episode(action=f"USE_{thing}", object=thing) for thing in KITCHEN)
    for said, meant in (("glass bottle", "bottle"), ("frying pan", "pan"), ("coffee cup", "cup")):
        reading = memory.query(object=said).readings[0]
        assert (reading.nearest, reading.by) == (meant, Reading.MEANING)


def test_an_embedder_of_the_wrong_shape_is_refused_with_its_shape():
    memory = EpisodicMemory(meaning=lambda texts: np.zeros(3))
    memory.store_memory(action="TAKE", object="CUP")
    with pytest.raises(Exception, match=r"shape \(3,\)"):
        memory.query(object="mug")


def test_weights_decide_which_role_counts():
    memory = EpisodicMemory()
    memory.store_memory(action="NEAR_IN_SPACE", at=(0.5, 0.0, 0.0), speed=0.5)
    memory.store_memory(action="NEAR_IN_SPEED", at=(1.0, 0.0, 0.0), speed=0.9)
    memory.store_memory(action="FAR", at=(9.0, 0.0, 0.0), speed=3.0)
    cue = (
        RoleFiller("at", "", Kind.POSITION, (0.0, 0.0, 0.0)),
        RoleFiller("speed", "", Kind.NUMBER, (1.0,)),
    )

    def first(weights):
        return memory.ask(Query(cue=cue, weights=weights)).episodes[0].episode.action

    assert first((100.0, 1.0)) == "NEAR_IN_SPACE" and first((1.0, 100.0)) == "NEAR_IN_SPEED"


@pytest.mark.parametrize("weight", [0.0, 5e-324, 1e-46])
def test_where_only_a_role_without_weight_fits_nothing_has_a_score(weight):
    memory = EpisodicMemory()
    memory.store_memory(action="MOVE", object="cup", place="kitchen")
    memory.store_memory(action="MOVE", object="box", place="dock")
    cue, text = (RoleFiller("place", "dock"),), "what happened with the cup?"
    answer = memory.ask(Query(cue=cue, text=text, weights=(weight,)))
    assert [(each.filler, each.score) for each in answer["object"].candidates] == [("box", 0.0)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"weights": (1.0, 2.0)}, "weights"),
        ({"weights": (-1.0,)}, "weights[0]"),
        ({"weights": (float("nan"),)}, "weights[0]"),
        ({"recency_half_life_s": -1.0}, "recency_half_life"),
        ({"recency_half_life_s": float("inf")}, "recency_half_life"),
        ({"subjects": ("A\x00",)}, "subjects[0]"),
    ],
)
def test_wishes_that_are_not_valid_are_refused_by_field(fields, field):
    with pytest.raises(InvalidRequest) as refusal:
        EpisodicMemory().ask(Query(cue=(RoleFiller("object", "CUP"),), **fields))
    assert refusal.value.field == field


def test_age_counts_when_asked_to():
    memory = EpisodicMemory()
    for second in (1, 2, 3):
        memory.store(Episode(action="OFTEN", object="CUP", start_ns=second * 10**9))
    memory.store(Episode(action="LATELY", object="CUP", start_ns=100 * 10**9))
    assert fillers(memory.query(object="CUP"), "action")[0] == "OFTEN"
    lately = memory.query(object="CUP", recency_half_life_s=10.0)
    assert fillers(lately, "action")[0] == "LATELY"


def test_subjects_narrow_the_search():
    memory = EpisodicMemory()
    memory.store_memory(subject="ADA", action="TAKE", object="CUP")
    memory.store_memory(subject="BOB", action="DROP", object="CUP")
    assert fillers(memory.query(object="CUP", subjects=["bob"]), "action") == ["DROP"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("noon", {"LUNCH"}),
        ("around noon", {"LUNCH"}),
        ("12:15", {"LUNCH"}),
        ("7 am", {"BREAKFAST"}),
        ("morning", {"BREAKFAST"}),
        ("23:50", {"LOCK_UP", "PATROL"}),
        ("night", {"LOCK_UP", "PATROL"}),
        (12 * 3600.0, {"LUNCH"}),
    ],
)
def test_a_time_of_day_finds_what_happened_around_it(said, expected):
    memory = EpisodicMemory()
    for action, moment in (
        ("BREAKFAST", at(7, 10)),
        ("LUNCH", at(12, 25)),
        ("LOCK_UP", at(23, 40)),
        ("PATROL", at(0, 10, day=3)),
    ):
        memory.store(Episode(action=action, start_ns=moment))
    assert set(fillers(memory.query(time_of_day=said), "action")) == expected
    if isinstance(said, str) and said.startswith("around"):
        assert set(fillers(memory.query(f"what did you do {said}?"), "action")) == expected


@pytest.mark.parametrize(
    "near", [{"time_of_day": "noon"}, {"speed": 0.5}, {"speed": 0.45}, {"at": (0.0, 0.3, 0.0)}]
)
def test_a_misspelt_name_is_read_as_one_name_beside_what_is_only_near(near):
    memory = EpisodicMemory()
    for thing in ("BOTTLE", "BOWL", "BOOK", "SPOON"):
        for minute, speed in ((0, 0.5), (25, 0.6), (50, 2.5)):
            context = (
                RoleFiller("speed", "", Kind.NUMBER, (speed,)),
                RoleFiller("at", "", Kind.POSITION, (0.0, speed - 0.5, 0.0)),
            )
            memory.store(
                Episode(action="TAKE", object=thing, start_ns=at(12, minute), context=context)
            )
    answer = memory.query(object="BOTLE", **near)
    assert answer.readings[0].nearest == "BOTTLE"
    assert {match.episode.object for match in answer.episodes} == {"BOTTLE"}
    assert fillers(memory.query(ask=["object"], object="BOTLE", **near), "object") == ["BOTTLE"]


def test_a_time_of_day_that_there_is_not_is_refused():
    for wrong in ("25:00", "teatime", 90_000.0):
        with pytest.raises(InvalidRequest, match="no time of day"):
            EpisodicMemory().query(time_of_day=wrong)


def test_yesterday_and_today_are_told_from_the_clock():
    memory = EpisodicMemory()
    for day in (1, 2, 3):
        memory.store(Episode(action="TAKE", object=f"DAY_{day}", start_ns=at(9, day=day)))

    def found(text):
        asked = memory.ask(Query(text=text), now_ns=at(10, day=3))
        return set(fillers(asked, "object")) if not asked.abstained else set()

    assert found("what did you take yesterday?") == {"DAY_2"}
    assert found("what did you do today") == {"DAY_3"}
    assert found("what happened in the last 2 hours") == {"DAY_3"}
    assert found("what did you take 2 days ago") == {"DAY_1"}
    assert found("did you take something yesterday") == {"DAY_2"}
    assert found("did you drop something yesterday") == set()  # never seen


def test_near_a_named_place_means_its_position():
    memory = EpisodicMemory()
    for x in (4.9, 5.0, 5.1):
        memory.store_memory(action="CHARGE", place="dock", at=(x, 0.0, 0.0))
    memory.store_memory(action="BUMP", at=(5.5, 0.2, 0.0))
    memory.store_memory(action="WAVE", at=(50.0, 0.0, 0.0))
    assert set(fillers(memory.query("what happened near the dock?"), "action")) >= {"BUMP"}
    assert "WAVE" not in fillers(memory.query("what happened near the dock?"), "action")
    assert set(fillers(memory.query(place="dock"), "action")) == {"CHARGE"}


def test_sixteen_custom_roles_are_asked_by_together():
    memory = EpisodicMemory()
    roles = {f"role_{number}": f"filler {number}" for number in range(16)}
    memory.store_memory(action="A", **roles)
    memory.store_memory(action="B", **{**roles, "role_7": "else"})
    assert fillers(memory.query(**roles), "action") == ["A"]


def test_the_index_finds_what_reading_every_row_finds():
    chance = random.Random(3)
    columns = Columns()
    episodes = [
        Episode(
            action=f"A{chance.randrange(9)}",
            object=f"O{chance.randrange(300)}",
            context=(RoleFiller("place", f"P{chance.randrange(50)}"),),
        )
        for _ in range(20_000)
    ]
    for seq, episode in enumerate(episodes):
        columns.extend([seq], [episode])
        if seq % 5000 == 4999:  # sorted now, changed and added to afterwards
            columns.rows_of("object", np.array([1]))
            for changed in chance.sample(range(seq), 200):
                episodes[changed] = Episode(action="CHANGED", object=f"O{chance.randrange(300)}")
                columns.update(changed, episodes[changed])
    for name in ("O0", "O17", "O299"):
        identity = columns.items["object"].identity(RoleFiller("object", name))
        rows = columns.rows_of("object", np.array([identity]))
        assert rows.tolist() == [n for n, e in enumerate(episodes) if e.object == name]
        assert columns.count("object", np.array([identity])) == len(rows)


def test_removing_rows_leaves_what_a_fresh_memory_would_have():
    chance = random.Random(4)
    episodes = [
        Episode(
            action=f"A{chance.randrange(9)}",
            object=f"O{chance.randrange(60)}",
            robot=f"R{chance.randrange(3)}",
            context=(RoleFiller("place", f"P{chance.randrange(50)}"),)
            if chance.random() < 0.5
            else (),
        )
        for _ in range(500)
    ]
    whole, fresh = Columns(), Columns()
    gone = set(chance.sample(range(500), 350))
    for seq, episode in enumerate(episodes):
        whole.extend([seq], [episode])
        if seq not in gone:
            fresh.extend([seq], [episode])
    whole.remove(gone)
    assert whole.seq.tolist() == fresh.seq.tolist()
    for role in fresh.items:
        known = {filler.filler for filler in fresh.items[role].fillers}
        assert {filler.filler for filler in whole.items[role].fillers} == known
        for name in known - {""}:
            cue = RoleFiller(role, name)
            rows = [
                columns.rows_of(role, np.array([columns.items[role].identity(cue)])).tolist()
                for columns in (whole, fresh)
            ]
            assert rows[0] == rows[1]


def test_what_has_a_stamp_that_lies_ahead_comes_behind_the_rest():
    memory = EpisodicMemory()
    hour = 3600 * 10**9
    for action, end_ns in (("WASH", 7 * hour), ("PLACE", 30 * hour), ("DROP", 9 * hour)):
        memory.store(Episode(action=action, object="CUP", start_ns=hour, end_ns=end_ns))
    answer = memory.ask(Query(text="the cup?"), now_ns=10 * hour)
    assert [match.episode.action for match in answer.episodes] == ["DROP", "WASH", "PLACE"]
    later = memory.ask(Query(text="the cup?"), now_ns=30 * hour)
    assert later.episodes[0].episode.action == "PLACE"


def test_who_is_spoken_to_is_not_left_out_of_the_answer(kitchen):
    answer = kitchen.query("Simone, what happened with the blender?")
    assert not answer.abstained and not answer.set_aside
    assert kitchen.query("what happened with the blender, Simone?").set_aside


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("did anything fail?", ["DROP"]),
        ("has any cup failed?", ["DROP"]),
        ("did the cup fail?", ["DROP", "WASH"]),
    ],
)
def test_whether_anything_failed_asks_for_what_did(text, found):
    memory = EpisodicMemory()
    memory.store_memory(action="WASH", object="CUP", result="SUCCESS")
    memory.store_memory(action="DROP", object="CUP", result="FAILED")
    assert fillers(memory.query(text), "action") == found
