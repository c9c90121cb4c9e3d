# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A question for a count is answered by that count, or not at all as such."""

import json
from datetime import datetime

import pytest
from clara_memory.episode import as_filler
from clara_memory.tally_in_words import sentences_of, tally_to_json, told

from clara_memory import Episode, EpisodicMemory, Outcome, Query

NOW_NS = round(datetime(2026, 6, 10, 15).timestamp()) * 10**9
_DAY_NS = 86_400 * 10**9
FAILED, OK = Outcome.FAILED, Outcome.SUCCEEDED


@pytest.fixture(scope="module")
def memory():
    made = EpisodicMemory()

    def put(action, thing, days_ago, took_s, outcome=OK, robot="CLARA", **context):
        end_ns = NOW_NS - round(days_ago * _DAY_NS) - 3600 * 10**9
        made.store(
            Episode(
                *(action, robot, thing, outcome),
                robot=robot,
                start_ns=end_ns - took_s * 10**9,
                end_ns=end_ns,
                context=tuple(as_filler(*pair) for pair in context.items()),
            )
        )

    put("CLEAN", "FLOOR", 0, 60, place="KITCHEN", tool="MOP")
    put("CLEAN", "FLOOR", 1, 90, place="KITCHEN", tool="MOP")
    put("CLEAN", "WINDOW", 1, 30, FAILED, place="BATH", tool="CLOTH")
    put("CLEAN", "WINDOW", 2, 20, place="HALL")
    put("CLEAN", "FLOOR", 0, 60, robot="ROBBY", place="HALL", tool="MOP")
    put("DELIVER", "PARCEL", 0, 120, person="MAX", place="HALL", weight=2.5)
    put("DELIVER", "PARCEL", 1, 240, FAILED, person="LISA", weight=4.0)
    put("DELIVER", "LETTER", 1, 60, person="MAX", weight=0.1)
    put("WATER", "BED_1", 0, 10, volume=5, temperature=12, cans=2)
    put("WATER", "BED_2", 1, 20, volume=7.5, temperature=15, cans=3)
    put("WATER", "BED_2", 2, 20, FAILED, volume=7.5, temperature=20)
    put("PATROL", "KITCHEN", 0, 300)
    put("PATROL", "HALL", 0, 400)
    put("PATROL", "HALL", 1, 200, robot="ROBBY")
    return made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "where did you clean most often?",
            "KITCHEN most often: 2 of 4 episodes with action=CLEAN; then BATH and HALL 1 each.",
        ),
        (
            "Clara, can you tell me which room you cleaned most?",
            "KITCHEN most often: 2 of 4 episodes with action=CLEAN; then BATH and HALL 1 each.",
        ),
        (
            "What's the room that you clean most often?",
            "KITCHEN most often: 2 of 4 episodes with action=CLEAN; then BATH and HALL 1 each.",
        ),
        (
            "what is your least cleaned room today?",
            "KITCHEN least often: 1 of 1 episode with action=CLEAN.",
        ),
        (
            "what was the sum of the weights when you delivered parcels?",
            "weight in total: 6.5, over 2 episodes with object=PARCEL, action=DELIVER,"
            " 1 of 2 succeeded.",
        ),
        (
            "what did you clean least often?",
            "FLOOR and WINDOW least often: 2 each of 4 episodes with action=CLEAN.",
        ),
        (
            "which tool did you use most often?",
            "MOP most often: 2 of 3 episodes; then CLOTH 1. 9 more do not say.",
        ),
        (
            "what did you deliver most often yesterday?",
            "PARCEL and LETTER most often: 1 each of 2 episodes with action=DELIVER.",
        ),
        (
            "who got the most deliveries?",
            "MAX most often: 2 of 3 episodes with action=DELIVER; then LISA 1.",
        ),
        (
            "which robot cleaned the floor most often?",
            "CLARA most often: 2 of 3 episodes with object=FLOOR, action=CLEAN; then ROBBY 1.",
        ),
        (
            "where did you patrol most often?",
            "KITCHEN and HALL most often: 1 each of 2 episodes with action=PATROL.",
        ),
        (
            "who did the most patrols?",
            "CLARA most often: 2 of 3 episodes with action=PATROL; then ROBBY 1.",
        ),
        (
            "which delivery took longest?",
            "It took 240.0 s at most, over 3 episodes with action=DELIVER.",
        ),
        (
            "on which day did you deliver the most?",
            "2026-06-09 most often: 2 of 3 episodes with action=DELIVER; then 2026-06-10 1.",
        ),
        (
            "what did you do most often?",
            "CLEAN most often: 4 of 12 episodes; then DELIVER and WATER 3 each.",
        ),
        (
            "what failed most often?",
            "WINDOW, PARCEL and BED_2 most often: 1 each of 3 episodes with result=FAILED.",
        ),
        (
            "how many rooms did you clean?",
            "3 different places: KITCHEN 2, BATH 1, HALL 1; 4 episodes with action=CLEAN.",
        ),
        (
            "which beds did you water?",
            "2 different beds: BED_2 2, BED_1 1; 3 episodes with action=WATER.",
        ),
        (
            "on how many days did you water bed 2?",
            "2 different days: 2026-06-09 1, 2026-06-08 1; 2 episodes with object=BED_2,"
            " action=WATER.",
        ),
        (
            "to whom did you deliver parcels?",
            "2 different people: MAX 1, LISA 1; 2 episodes with object=PARCEL, action=DELIVER.",
        ),
        (
            "how much did you water in total?",
            "volume in total: 20, over 3 episodes with action=WATER, 2 of 3 succeeded.",
        ),
        (
            "how many cans did you water in total?",
            "cans in total: 5, over 2 episodes with action=WATER. 1 more does not say.",
        ),
        (
            "which volume did you water most often?",
            "7.5 most often: 2 of 3 episodes with action=WATER; then 5 (1).",
        ),
        (
            "how many litres did you water yesterday?",
            "volume in total: 7.5, over 1 episode with action=WATER, 1 of 1 succeeded.",
        ),
        (
            "what was the average weight of the parcels?",
            "weight on average: 3.25 (median 3.25), over 2 episodes with object=PARCEL.",
        ),
        (
            "how long does a delivery take on average?",
            "It took 140.0 s (median 120.0 s) on average, over 3 episodes with action=DELIVER.",
        ),
        (
            "how long did cleaning take in total?",
            "It took 260.0 s in total, over 5 episodes with action=CLEAN, 4 of 5 succeeded.",
        ),
        (
            "what was the heaviest thing you delivered?",
            "highest weight: 4, over 3 episodes with action=DELIVER.",
        ),
        (
            "what was your shortest patrol?",
            "It took 300.0 s at least, over 2 episodes with action=PATROL.",
        ),
        (
            "what was the lowest temperature?",
            "lowest temperature: 12, over 3 episodes. 11 more do not say.",
        ),
        (
            "which bed did you water most often today?",
            "BED_1 most often: 1 of 1 episode with action=WATER.",
        ),
        (
            "where did you clean most often the day before yesterday?",
            "HALL most often: 1 of 1 episode with action=CLEAN.",
        ),
        (
            "did you water bed 1 more often than bed 2?",
            "BED_2 more often: 2 of 3 episodes with action=WATER; BED_1 1.",
        ),
        (
            "who patrolled more, you or Robby?",
            "CLARA more often: 2 of 3 episodes with action=PATROL; ROBBY 1.",
        ),
        (
            "did Robby clean more often than you?",
            "CLARA more often: 4 of 5 episodes with action=CLEAN; ROBBY 1.",
        ),
        (
            "what did you deliver more often yesterday, parcels or letters?",
            "PARCEL and LETTER equally often: 1 each of 2 episodes with action=DELIVER.",
        ),
        (
            "which of the bath and the kitchen did you clean more often?",
            "KITCHEN more often: 2 of 3 episodes with action=CLEAN; BATH 1.",
        ),
        (
            "how often each did you clean the kitchen, the bath and the hall?",
            "KITCHEN 2, BATH 1 and HALL 1; 4 episodes with action=CLEAN.",
        ),
        (
            "did you water both bed 1 and bed 2 yesterday?",
            "BED_2 1 and BED_1 0; 1 episode with action=WATER.",
        ),
        (
            "what did you deliver except letters?",
            "PARCEL alone: 2 episodes with action=DELIVER, without LETTER.",
        ),
        (
            "how often did you clean everything but the floor or the window?",
            "None of 4 episodes with action=CLEAN: without FLOOR, WINDOW.",
        ),
        (
            "who patrolled besides you?",
            "ROBBY alone: 1 episode with action=PATROL, without CLARA.",
        ),
        (
            "where did you clean most often apart from the kitchen?",
            "BATH and HALL most often: 1 each of 2 episodes with action=CLEAN, without KITCHEN.",
        ),
        (
            "did you deliver anything heavier than 2.5 kg?",
            "1 of 3 episodes with action=DELIVER: weight heavier than 2.5, 0 of 1 succeeded.",
        ),
        (
            "how often was the temperature above 12?",
            "2 of 3 episodes: temperature above 12, 1 of 2 succeeded.",
        ),
        (
            "how often did you water at a temperature of no more than 15?",
            "2 of 3 episodes with action=WATER: temperature no more than 15, 2 of 2 succeeded.",
        ),
        (
            "how often did you water at a temperature of at least 15 degrees?",
            "2 of 3 episodes with action=WATER: temperature at least 15, 1 of 2 succeeded.",
        ),
        (
            "which bed did you water most often below 20 degrees?",
            "BED_1 and BED_2 most often: 1 each of 2 episodes with action=WATER,"
            " temperature below 20.",
        ),
        (
            "which bed did you never water today?",
            "Never BED_2: 1 of 2 beds, over 1 episode with action=WATER.",
        ),
        (
            "where did you never clean the window?",
            "Never KITCHEN: 1 of 3 places, over 2 episodes with object=WINDOW, action=CLEAN.",
        ),
        (
            "which beds did you never water?",
            "None: each of 2 beds at least once, over 3 episodes with action=WATER.",
        ),
        (
            "what did you deliver most often the day before yesterday?",
            "I do not know: there are episodes with action=DELIVER, but none of CLARA then.",
        ),
        (
            "what places have you visited?",
            "3 different places: KITCHEN 2, HALL 2, BATH 1; 5 episodes. 7 more do not say.",
        ),
        (
            "where have you been today?",
            "2 different places: KITCHEN 1, HALL 1; 2 episodes. 3 more do not say.",
        ),
        (
            "where did you go yesterday?",
            "2 different places: KITCHEN 1, BATH 1; 2 episodes. 3 more do not say.",
        ),
        (
            "where were you the day before yesterday?",
            "HALL alone: 1 episode. 1 more does not say.",
        ),
        (
            "how many rooms have you been to?",
            "3 different places: KITCHEN 2, HALL 2, BATH 1; 5 episodes. 7 more do not say.",
        ),
        (
            "which actions have you done in the kitchen?",
            "2 different actions: CLEAN 2, PATROL 1; 3 episodes with object/place=KITCHEN.",
        ),
        (
            "which tools have you used?",
            "2 different tools: MOP 2, CLOTH 1; 3 episodes. 9 more do not say.",
        ),
        ("on which day did you patrol?", "2026-06-10 alone: 2 episodes with action=PATROL."),
    ],
)
def test_what_is_to_be_counted_is_counted(memory, text, said):
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    assert tallied is not None
    sentences = [one for one in sentences_of(tallied) if not one.startswith("Time asked about")]
    assert sentences[0] == said


@pytest.mark.parametrize(
    "text",
    [
        "what did you clean?!, and why",
        "where did you not clean most often?",
        "where did you almost clean most often?",
        "where would you clean most often?",
        "where did you clean the dirty floor most often?",
        "where did you clean most often shortly before delivering the parcel?",
        "where did you clean most of the floor?",
        "which room did you clean most recently?",
        "which room did you clean last?",
        "which room did you clean at most twice?",
        "which shelf did you clean most often?",
        "which robot was cleaned most often?",
        "who was delivered most often?",
        "how many rooms are there?",
        "which rooms?",
        "which floor did you clean most often?",
        "which tool did you like most?",
        "what was your most important task?",
        "what did you deliver most often except pianos?",
        "what did you deliver without letters?",
        "did you clean the floor more often than you watered bed 1?",
        "did Robby clean the floor more often than you cleaned the window?",
        "did you clean the floor more often before than after?",
        "did you clean more than the floor?",
        "did you clean the floor more thoroughly than the window?",
        "did you deliver anything above 5?",
        "how often did you water at a temperature above 15%?",
        "how often did you water at a temperature above 15 kelvin?",
        "how often did you water at a temperature of not more than 15?",
        "how often did you deliver more than 2 parcels?",
        "how often did you clean more than 3 times?",
        "did you deliver anything heavier than the letter?",
        "did you deliver anything not above 2 kg?",
        "how often did you clean above 5 kg?",
        "which robot never cleaned?",
        "how many times each did you deliver letters, parcels and books?",
        "did both Robby and Max clean the floor?",
        "did you both clean the floor and water bed 1?",
        "what did you never do?",
        "where did you never clean the piano?",
        "who else delivered parcels?",
        "how many parcels did you deliver?",
        "how many days ago did you clean the floor?",
        "how many grams did you deliver in total?",
        "how much wine did you water in total?",
        "how much time is left in total?",
        "what was the longest rope?",
        "what was the longest parcel?",
        "which tool did you clean bed 1 with?",
        "which beds did you water in the kitchen?",
        "what was the average speed?",
        "what was the highest temperature of the oven?",
        "how long will cleaning take on average?",
        "where have you been with the sombrero?",
        "where have you never been?",
        "where were you made?",
        "where can you go?",
        "which actions can you do?",
        "which tools do you have to use?",
        "what have you been up to?",
        "what happened in the kitchen?",
        "what did you do yesterday?",
        "when did you clean the floor?",
        "did you clean the floor most often?",
        "",
    ],
)
def test_what_is_not_read_to_the_last_word_is_not_counted(memory, text):
    assert memory.tally_asked(text, now_ns=NOW_NS) is None


def test_a_count_as_json_has_what_was_counted_and_what_never_was(memory):
    def shown(text):
        tallied = memory.tally_asked(text, now_ns=NOW_NS)
        return json.loads(json.dumps(tally_to_json(tallied)))["tally"]

    never = shown("which bed did you never water today?")
    assert [one["filler"] for one in never["never"]] == ["BED_2"]
    longest = shown("which delivery took longest?")
    assert (longest["largest"], longest["of_largest"]["object"]) == (240, "PARCEL")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "which racks did you check?",
            "3 different racks: OLD_SERVER_RACK 1, NEW_SERVER_RACK 1, ",
        ),
        ("which server racks did you check?", "2 different server racks: OLD_SERVER_RACK 1, "),
        ("which garden beds did you check?", "2 different garden beds: GARDEN_BED_B2 1, "),
        ("which beds did you check?", None),
    ],
)
def test_names_are_counted_by_each_of_their_heads(text, said):
    memory = EpisodicMemory()
    racks = ("WINE_RACK", "NEW_SERVER_RACK", "OLD_SERVER_RACK")
    for number, thing in enumerate((*racks, "GARDEN_BED_A1", "GARDEN_BED_B2")):
        memory.store(Episode("CHECK", object=thing, end_ns=NOW_NS - 10**9 * (9 - number)))
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    assert (tallied and sentences_of(tallied)[0][: len(said or "")]) == said


def test_what_was_done_to_one_and_at_another_is_not_counted_as_either():
    memory = EpisodicMemory()
    memory.store_memory(action="PATROL", object="GATE_1")
    memory.store_memory(action="PATROL", object="GATE_2")
    tallied = memory.tally_asked("which gates did you patrol?")
    assert tallied and [one.filler.spoken for one in tallied.count.counts] == ["GATE_2", "GATE_1"]
    memory.store_memory(action="PATROL", object="FIELD", place="GATE_1")
    memory.store_memory(action="PATROL", object="FIELD", place="GATE_2")
    assert memory.tally_asked("which gates did you patrol?") is None


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("which beds did you water?", ["as usual"]),
        ("which bed did you water most often?", []),
        ("which tools have you used?", []),  # an answer finds nothing
    ],
)
def test_what_is_said_as_usual_follows_a_count_of_the_same_episodes(memory, text, more):
    tallied = memory.tally_asked(text, now_ns=NOW_NS)
    answer = memory.ask(Query(text=text), now_ns=NOW_NS)
    assert told(tallied, answer, ["as usual"]) == [*sentences_of(tallied), *more]
    assert told(None, answer, ["as usual"]) == ["as usual"]
