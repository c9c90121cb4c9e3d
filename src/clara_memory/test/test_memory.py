# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Storing and asking, as plain Python."""

import random
import sqlite3

import pytest

from clara_memory import (
    Episode,
    EpisodicMemory,
    InvalidRequest,
    Kind,
    Outcome,
    Query,
    RoleFiller,
)


@pytest.fixture
def memory():
    with EpisodicMemory() as made:
        made.store_memory(subject="CLARA", action="PICKED_UP", object="CUP", result="SUCCESS")
        made.store_memory(subject="CLARA", action="DROPPED", object="CUP", result="FAILED")
        made.store_memory(action="PICKED_UP", object="PLATE", result="SUCCESS", place="dock")
        yield made


def fillers(answer, role):
    return [candidate.filler for candidate in answer[role].candidates]


def test_asking_by_object_and_result_ranks_the_actions_with_the_episodes_behind_them():
    memory = EpisodicMemory()
    stored = memory.store_memory(
        subject="CLARA", action="PICKED_UP", object="CUP", result="SUCCESS"
    )
    answer = memory.query(object="CUP", result="SUCCESS")
    assert not answer.abstained
    (candidate,) = answer["action"].candidates
    assert candidate.filler == "PICKED_UP" and candidate.score == pytest.approx(1.0)
    assert (candidate.support, candidate.succeeded, candidate.failed) == (1, 1, 0)
    assert candidate.episode_ids == (stored,) and len(stored) <= 16
    assert [match.episode.episode_id for match in answer.episodes] == [stored]
    assert answer.episodes[0].score == pytest.approx(1.0)


def test_a_more_frequent_action_ranks_first_and_shares_add_up_to_one(memory):
    for _ in range(2):
        memory.store_memory(action="WASH", object="CUP", result="FAILED")
    candidates = memory.query(object="CUP")["action"].candidates
    assert candidates[0].filler == "WASH" and candidates[0].failed == 2
    assert sum(candidate.score for candidate in candidates) == pytest.approx(1.0)


@pytest.mark.parametrize("word", ["SUCCESS", "succeeded", "OK", "done", "Success"])
def test_words_for_success_are_one_symbol_for_storing_and_asking(memory, word):
    memory.store_memory(action="PUSH", object="BOX", result=word)
    for asked in ("SUCCEEDED", "ok", word):
        assert fillers(memory.query(object="BOX", result=asked), "action") == ["PUSH"]
    assert memory.stats().vocabulary["result"] == 2


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("FAILURE", Outcome.FAILED),
        ("ERROR", Outcome.FAILED),
        ("CANCELLED", Outcome.CANCELED),
        ("TIMEOUT", Outcome.TIMED_OUT),
        ("timed out", Outcome.TIMED_OUT),
    ],
)
def test_a_result_word_sets_the_outcome(memory, word, outcome):
    memory.store_memory(action="PUSH", object="BOX", result=word)
    (match,) = memory.query(object="BOX").episodes
    assert match.episode.outcome is outcome and match.episode.result == outcome.name


def test_a_free_result_word_keeps_beside_its_outcome_and_both_find_it(memory):
    memory.store(Episode(action="LIFT", object="JAR", outcome=Outcome.FAILED, result="SLIPPED"))
    assert fillers(memory.query(result="slipped"), "action") == ["LIFT"]
    assert "LIFT" in fillers(memory.query(result="FAILURE"), "action")


def test_case_space_and_underscore_do_not_matter(memory):
    assert memory.query(action="picked up").matches == 2
    assert memory.query(action="Picked-Up").episodes[0].score == pytest.approx(1.0)


def test_a_misspelt_filler_still_finds_its_episodes_with_a_lower_score(memory):
    answer = memory.query(object="PLATTE")
    assert fillers(answer, "action") == ["PICKED_UP"] and answer.matches == 1
    assert 0.2 < answer.episodes[0].score < 1.0


def test_inflection_finds_the_action(memory):
    assert memory.query(action="PICK_UP").matches == 2
    assert memory.query(action="dropping", object="cups").matches == 1


def test_an_unknown_filler_abstains_and_says_which_role(memory):
    answer = memory.query(object="ZEBRA")
    assert answer.abstained and answer.matches == 0 and answer.episodes == ()
    assert all(role.abstained for role in answer.answers)
    assert answer["action"].reason == "no object like 'ZEBRA' is known"


def test_a_combination_that_never_happened_abstains(memory):
    answer = memory.query(object="PLATE", result="FAILED")
    assert answer.abstained
    assert answer["action"].reason == "no episode has object=PLATE and result=FAILED"


def test_a_role_that_no_fitting_episode_has_abstains_alone(memory):
    answer = memory.query(object="CUP", ask=["action", "place"])
    assert not answer["action"].abstained and answer["place"].abstained
    assert "place" in answer["place"].reason and not answer.abstained


def test_an_empty_memory_abstains():
    answer = EpisodicMemory().query(object="CUP")
    assert answer.abstained and answer["action"].reason == "the memory is empty"


def test_custom_roles_are_asked_for_and_asked_by(memory):
    assert fillers(memory.query(place="dock"), "object") == ["PLATE"]
    assert fillers(memory.query(object="PLATE", ask=["place"]), "place") == ["dock"]


def test_effects_are_found_as_context_is():
    memory = EpisodicMemory()
    before = RoleFiller("place", "table")
    after = RoleFiller("place", "shelf")
    memory.store(Episode(action="MOVE", object="CUP", context=(before,), effects=(after,)))
    for place in ("table", "shelf"):
        assert memory.query(place=place).episodes[0].score == pytest.approx(1.0)
    candidates = memory.query(object="CUP", ask=["place"])["place"].candidates
    assert {candidate.filler for candidate in candidates} == {"table", "shelf"}
    assert sum(candidate.score for candidate in candidates) == pytest.approx(1.0)


def test_numbers_and_positions_are_found_by_nearness():
    memory = EpisodicMemory()
    for speed in (0.1, 0.5, 2.0):
        memory.store_memory(action=f"DRIVE_{speed}", speed=speed, at=(speed, 0.0, 0.0))
    assert fillers(memory.query(speed=0.5), "action") == ["DRIVE_0.5"]
    assert fillers(memory.query(speed=0.52), "action")[0] == "DRIVE_0.5"
    assert fillers(memory.query(speed="0.5"), "action") == ["DRIVE_0.5"]
    assert fillers(memory.query(at=(1.95, 0.0, 0.0)), "action") == ["DRIVE_2.0"]
    elsewhere = RoleFiller("at", "map", Kind.POSITION, (2.0, 0.0, 0.0))
    assert memory.ask(Query(cue=(elsewhere,))).abstained


def test_no_cue_lists_the_latest_episodes_latest_first():
    memory = EpisodicMemory()
    for second in (3, 1, 2):
        memory.store(Episode(action=f"A{second}", start_ns=second * 10**9))
    actions = [match.episode.action for match in memory.query(max_episodes=2).episodes]
    assert actions == ["A3", "A2"]


def test_times_outcomes_and_robots_narrow_the_search():
    memory = EpisodicMemory()
    for second in range(1, 6):
        memory.store(
            Episode(
                action="GO",
                object=f"R{second}",
                robot="ADA" if second % 2 else "BOB",
                outcome=Outcome(second % 5),
                start_ns=second * 10**9,
            )
        )

    def found(**bounds):
        return sorted(fillers(memory.query(action="GO", **bounds), "object"))

    assert found(since_ns=4 * 10**9) == ["R4", "R5"]
    assert found(until_ns=2 * 10**9) == ["R1", "R2"]
    assert found(outcomes=[Outcome.UNKNOWN, Outcome.FAILED]) == ["R2", "R5"]
    assert found(robots=["bob"]) == ["R2", "R4"]
    assert memory.query(robots=["EVE"]).abstained


def test_top_k_and_max_episodes_cut_the_lists_but_not_the_counts():
    memory = EpisodicMemory()
    memory.store_all([Episode(action="GO", object=f"ROOM_{i}", start_ns=i + 1) for i in range(50)])
    answer = memory.query(action="GO", top_k=3, max_episodes=4)
    assert len(answer["object"].candidates) == 3 and len(answer.episodes) == 4
    assert answer.matches == 50 and answer.searched == 50


def test_exact_cues_find_what_sql_finds():
    generator = random.Random(7)
    memory, table = EpisodicMemory(), sqlite3.connect(":memory:")
    table.execute("CREATE TABLE e (id, action, object, outcome)")
    episodes = memory.store_all(
        [
            Episode(
                action=f"ACT_{generator.randrange(12)}",
                object=f"THING_{generator.randrange(40)}",
                outcome=Outcome(generator.randrange(1, 5)),
            )
            for _ in range(2000)
        ]
    )
    for episode in episodes:
        row = (episode.episode_id, episode.action, episode.object, episode.outcome.name)
        table.execute("INSERT INTO e VALUES (?, ?, ?, ?)", row)
    for _ in range(60):
        chosen = generator.choice(episodes)
        outcome = Outcome(generator.randrange(1, 5)).name
        answer = memory.query(
            action=chosen.action, object=chosen.object, result=outcome, max_episodes=1000
        )
        rows = table.execute(
            "SELECT id FROM e WHERE action = ? AND object = ? AND outcome = ?",
            (chosen.action, chosen.object, outcome),
        )
        found = {match.episode.episode_id for match in answer.episodes}
        assert found == {row[0] for row in rows}
        assert answer.abstained == (not found) and answer.matches == len(found)


def test_more_symbols_than_16_bits_hold_are_kept_apart():
    memory = EpisodicMemory()
    memory.store_all([Episode(action="SEE", object=f"item {i:x}") for i in range(65_600)])
    memory.store_memory(action="LOSE", object="item ffff")
    memory.store_memory(action="FIND", object="the very last")
    assert memory.query(object="the very last").matches == 1
    assert memory.query(object="item 0").matches == 1
    assert memory.query(object="item ffff").matches == 2


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    ("episode", "field"),
    [
        (Episode(action=""), "action"),
        (Episode(action=LONG), "action"),
        (Episode(action="A\x00B"), "action"),
        (Episode(action="A", object=LONG), "object"),
        (Episode(action="A", detail=LONG), "detail"),
        (Episode(action="A", start_ns=-1), "start"),
        (Episode(action="A", start_ns=5, end_ns=4), "end"),
        (Episode(action="A", result="DONE", outcome=Outcome.FAILED), "result"),
        (Episode(action="A", context=(RoleFiller("", "x"),)), "context[0].role"),
        (Episode(action="A", context=(RoleFiller("Place", "x"),)), "context[0].role"),
        (Episode(action="A", context=(RoleFiller("place", ""),)), "context[0].filler"),
        (Episode(action="A", context=(RoleFiller("object", "x"),)), "context[0].role"),
        (Episode(action="A", effects=(RoleFiller("p", "x"),) * 2), "effects[1].role"),
        (
            Episode(action="A", context=(RoleFiller("v", "", Kind.NUMBER, (float("nan"),)),)),
            "context[0].values",
        ),
        (
            Episode(action="A", context=(RoleFiller("v", "", Kind.POSITION, (1.0,)),)),
            "context[0].values",
        ),
        (
            Episode(action="A", context=tuple(RoleFiller(f"r{i}", "x") for i in range(17))),
            "context",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_episode_that_is_not_valid_is_refused_by_field_and_not_stored(episode, field):
    memory = EpisodicMemory()
    with pytest.raises(InvalidRequest) as refusal:
        memory.store(episode)
    assert refusal.value.field == field and len(str(refusal.value)) < 300
    assert len(memory) == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (Query(text=LONG), "text"),
        (Query(top_k=101), "top_k"),
        (Query(max_episodes=1001), "max_episodes"),
        (Query(ask=("No!",)), "ask[0]"),
        (Query(ask=("object", "object")), "ask[1]"),
        (Query(cue=(RoleFiller("object", "A"),) * 2), "cue[1].role"),
        (Query(since_ns=5, until_ns=4), "until"),
    ],
)
def test_a_query_that_is_not_valid_is_refused_by_field(memory, query, field):
    with pytest.raises(InvalidRequest) as refusal:
        memory.ask(query)
    assert refusal.value.field == field


def test_an_episode_id_is_stored_once(memory):
    stored = memory.store(Episode(action="A", episode_id="mine"))
    with pytest.raises(InvalidRequest, match="already"):
        memory.store(stored)
    assert memory.store_all([stored]) == [] and len(memory) == 4
