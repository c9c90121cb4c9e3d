# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What memory says in sentences is so."""

from datetime import datetime

import pytest
from clara_memory.cli_people import sentences
from clara_memory.tables import answer_to_json, show_answer

from clara_memory import Episode, EpisodicMemory, Event, Kind, Outcome, Query, RoleFiller

NOW = "2026-06-10T15:00:00"


def ns(local):
    return round(datetime.fromisoformat(local).timestamp()) * 10**9


def put(memory, local, action, thing, outcome=Outcome.SUCCEEDED, **context):
    fillers = tuple(RoleFiller(role, filler) for role, filler in context.items())
    episode = Episode(
        action=action, object=thing, outcome=outcome, start_ns=ns(local), context=fillers
    )
    return memory.store(episode)


def ask(memory, text, **wishes):
    return memory.ask(Query(text=text, ask=("action", "object"), **wishes), now_ns=ns(NOW))


def test_what_happened_at_another_time_is_not_told_as_unknown():
    memory = EpisodicMemory()
    put(memory, "2026-06-10T09:00:00", "PICK_UP", "CUP")
    put(memory, "2026-06-09T09:00:00", "PICK_UP", "PLATE")
    answer = ask(memory, "what happened to the cup yesterday?")
    assert answer.abstained
    assert answer["action"].reason == "there are episodes with object=CUP, but not then"
    partly = sentences(ask(memory, "did you pick up the cup yesterday?"))
    assert (
        "No episode fits all of action=PICK_UP, object=CUP, "
        "when=2026-06-09 00:00:00 to 2026-06-10 00:00:00. The nearest:" in partly
    )
    put(memory, "2026-06-09T09:00:00", "DROP", "PLATE", Outcome.FAILED)
    filtered = ask(memory, "what happened to the cup?", outcomes=(Outcome.FAILED,))
    assert "object=CUP, but not within the given times and filters" in filtered["action"].reason
    never = memory.query(object="CUP", action="DROP")
    assert never["result"].reason == "no episode has object=CUP and action=DROP"


def test_what_is_under_way_is_said_in_place_of_not_knowing(capsys):
    memory = EpisodicMemory()
    yard = (RoleFiller("place", "YARD"),)
    memory.record([Event("a1", "CLOSE", "", "GATE", ns(NOW), yard)], ns(NOW))
    answer = ask(memory, "did you close the gate?")
    assert sentences(answer) == ["Under way since 2026-06-10 15:00:00: CLOSE GATE (place=YARD)."]
    show_answer(answer)
    assert sentences(answer)[0] in capsys.readouterr().out
    (event,) = answer_to_json(answer)["under_way"]
    assert (event["action_id"], event["context"]) == ("a1", [{"role": "place", "filler": "YARD"}])


def test_the_time_that_was_understood_is_shown(capsys):
    memory = EpisodicMemory()
    put(memory, "2026-06-10T09:00:00", "PICK_UP", "CUP")
    show_answer(memory.ask(Query(text="today"), now_ns=ns(NOW)))
    assert (
        "1 of 1 episodes fit: when=2026-06-10 00:00:00 to 2026-06-11 00:00:00"
        in capsys.readouterr().out
    )
    said = sentences(ask(memory, "what did you pick up today?"))
    assert said[0] == "Time asked about: 2026-06-10 00:00:00 to 2026-06-11 00:00:00."


def test_the_latest_is_the_latest_and_the_best_is_called_the_best():
    memory = EpisodicMemory()
    for day in range(1, 13):
        put(memory, f"2026-05-{day:02}T12:00:00", "PICK_UP", "CUP")
    put(memory, "2026-06-09T12:40:00", "PICK_UP", "CUP", Outcome.FAILED)
    last = sentences(ask(memory, "how often did you pick up the cup around noon?"))[-1]
    assert last.startswith("The best of 13:") and "2026-05-12 12:00:00" in last
    last = sentences(ask(memory, "how often did you pick up the cup?"))[-1]
    assert last.startswith("The latest of 13:") and "2026-06-09 12:40:00" in last


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([Outcome.CANCELED], "canceled"),
        ([Outcome.UNKNOWN], "nobody said how it went"),
        ([Outcome.CANCELED, Outcome.UNKNOWN], "1 of 2 canceled"),
        ([Outcome.CANCELED] * 12, "none known to have succeeded or failed"),
        ([Outcome.CANCELED, Outcome.SUCCEEDED], "1 of 1 succeeded"),
    ],
)
def test_a_canceled_attempt_is_told_as_canceled(outcomes, said):
    memory = EpisodicMemory()
    for outcome in outcomes:
        put(memory, "2026-06-10T14:59:00", "WASH", "CUP", outcome)
    (first, *_) = sentences(ask(memory, "how often did you wash the cup?"))
    assert f", {said}, last " in first


def test_a_spelling_that_was_forgotten_is_told_no_more(tmp_path):
    memory = EpisodicMemory(tmp_path / "m.sqlite3")
    secret = put(memory, "2026-06-09T09:00:00", "MEET", "dr smith", place="dr smiths room")
    put(memory, "2026-06-10T09:00:00", "MEET", "DR_SMITH", place="Dr_Smiths_Room")
    memory.forget(episode_ids=[secret.episode_id])

    def told(opened):
        answer = opened.query(ask=["object", "place"])
        return [candidate.filler for role in answer.answers for candidate in role.candidates]

    assert told(memory) == ["DR_SMITH", "Dr_Smiths_Room"]
    put(memory, "2026-06-10T10:00:00", "MEET", "Dr Smith")
    memory.close()
    with EpisodicMemory(tmp_path / "m.sqlite3") as again:
        assert told(again) == ["DR_SMITH", "Dr_Smiths_Room"]


def test_a_spelling_that_was_corrected_is_told_no_more():
    memory = EpisodicMemory()
    wrong = put(memory, "2026-06-09T09:00:00", "MEET", "dr smith")
    put(memory, "2026-06-10T09:00:00", "MEET", "DR_SMITH")
    memory.correct(wrong.episode_id, object="NURSE")
    told = memory.query(ask=["object"])["object"].candidates
    assert {candidate.filler for candidate in told} == {"DR_SMITH", "NURSE"}
    memory.correct(wrong.episode_id, object="Dr_Smith")
    (one,) = memory.query(ask=["object"])["object"].candidates
    assert one.filler == "Dr_Smith"  # as the first of them spells it
    memory.forget(where=[RoleFiller("object", "dr smith")])
    memory.store(Episode(action="MEET", object="dr-smith"))
    assert memory.query(ask=["object"])["object"].candidates[0].filler == "dr-smith"


def test_a_position_has_no_other_spelling():
    memory = EpisodicMemory()
    at = RoleFiller("at", "map", Kind.POSITION, (1.0, 2.0, 0.0))
    one = memory.store_memory(action="GO", at=at)
    memory.store_memory(action="GO", at=at)
    memory.forget(episode_ids=[one])
    assert memory.query(ask=["at"])["at"].candidates[0].filler == "map 1 2 0"


def test_how_long_and_what_was_first_are_said_where_they_are_asked():
    memory = EpisodicMemory()
    for number, took_s in enumerate((10, 20, 60)):
        start_ns = ns(f"2026-06-10T0{number}:00:00")
        end_ns = start_ns + took_s * 10**9
        memory.store(Episode("WASH", object=f"CUP_{number}", start_ns=start_ns, end_ns=end_ns))
    how_long, last, these_days, first, ago, since = (
        sentences(ask(memory, text), text)
        for text in (
            "how long did it take to wash?",
            "how long did the last washing take?",
            "how long did washing take in the last 3 days?",
            "when did you first wash?",
            "how long ago did you wash?",
            "how long has it been since you washed?",
        )
    )
    assert "It took 20.0 s (the median of 3), 60.0 s at most." in how_long
    assert how_long[-2] == these_days[-2] and "The last took 60.0 s." in last
    assert "The first of 3: CLARA WASH CUP_0" in first[-1]
    for said in (ago, since):
        assert "The latest of 3: CLARA WASH CUP_2" in said[-1]
        assert not any("took" in one for one in said)


def test_the_first_is_the_first_of_all_and_a_median_of_some_says_of_how_many():
    memory = EpisodicMemory()
    for number in range(60):
        start_ns = ns(f"2026-06-10T10:{number:02}:00")
        memory.store(Episode("WASH", object="CUP", start_ns=start_ns, end_ns=start_ns + 5 * 10**9))
    text = "when did you first wash the cup?"
    assert (
        "The first of 60: CLARA WASH CUP, UNKNOWN, 2026-06-10 10:00:05"
        in (sentences(ask(memory, text), text)[-1])
    )
    ends = [match.episode.end_ns for match in ask(memory, text, max_episodes=5).episodes]
    assert ends == sorted(ends) and ends[0] == ns("2026-06-10T10:00:05")
    text = "how long did washing the cup take?"
    assert "It took 5.0 s (the median of 10 of them), 5.0 s at most." in (
        sentences(ask(memory, text), text)
    )
