# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Times in free text: which stretch of the past is meant, by the calendar of this machine."""

import time
from datetime import datetime

import numpy as np
import pytest
from clara_memory.past import when_in
from clara_memory.times import DayTime

from clara_memory import Episode, EpisodicMemory, Outcome, Query

NOW = "2026-06-10T15:00:00"  # a Wednesday


def ns(local):
    return round(datetime.fromisoformat(local).timestamp()) * 10**9


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/Los_Angeles"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def stretch(text, now=NOW):
    when = when_in(f"what did you pick up {text}?", ns(now))
    assert when.read
    return tuple(
        datetime.fromtimestamp((bound + later) / 1e9).isoformat()[:16] if bound else ""
        for bound, later in ((when.since_ns, 0), (when.until_ns, 1))
    )


@pytest.mark.parametrize("text", ["not today but yesterday", "except today", "not counting today"])
def test_a_day_that_is_excluded_is_not_the_day_asked_about(text):
    assert not when_in(f"what did you pick up, {text}?", ns(NOW)).read


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", "2026-06-10T00:00", "2026-06-11T00:00"),
        ("yesterday", "2026-06-09T00:00", "2026-06-10T00:00"),
        ("the day before yesterday", "2026-06-08T00:00", "2026-06-09T00:00"),
        ("since yesterday", "2026-06-09T00:00", ""),
        ("before yesterday", "", "2026-06-09T00:00"),
        ("since yesterday at 3 pm", "2026-06-09T15:00", ""),
        ("since 3 pm yesterday", "2026-06-09T15:00", ""),
        ("since 10:30 on Monday", "2026-06-08T10:30", ""),
        ("after yesterday noon", "2026-06-09T12:00", ""),
        ("before yesterday at noon", "", "2026-06-09T12:00"),
        ("after 6 pm yesterday", "2026-06-09T18:00", "2026-06-10T00:00"),
        ("after 10 pm on Monday", "2026-06-08T22:00", "2026-06-09T00:00"),
        ("after noon on Monday", "2026-06-08T12:00", "2026-06-09T00:00"),
        ("after 1 pm today", "2026-06-10T13:00", "2026-06-11T00:00"),
        ("after 1 am last night", "2026-06-10T01:00", "2026-06-10T06:00"),
        ("after 11 pm last night", "2026-06-09T23:00", "2026-06-10T06:00"),
        ("before 9 am yesterday", "2026-06-09T00:00", "2026-06-09T09:00"),
        ("after 3 pm yesterday and before 6 pm", "2026-06-09T15:00", "2026-06-09T18:00"),
        ("more than 2 hours ago", "", "2026-06-10T13:00"),
        ("less than two hours ago", "2026-06-10T13:00", ""),
        ("not more than two hours ago", "2026-06-10T13:00", ""),
        ("at least two days ago", "", "2026-06-09T00:00"),
        ("more than 2 days ago", "", "2026-06-08T00:00"),
        ("2 days ago", "2026-06-08T00:00", "2026-06-09T00:00"),
        ("two days ago", "2026-06-08T00:00", "2026-06-09T00:00"),
        ("an hour ago", "2026-06-10T13:30", "2026-06-10T14:30"),
        ("half an hour ago", "2026-06-10T14:15", "2026-06-10T14:45"),
        ("3 minutes ago", "2026-06-10T14:56", "2026-06-10T14:57"),
        ("in the last two hours", "2026-06-10T13:00", "2026-06-10T15:00"),
        ("during the past hour", "2026-06-10T14:00", "2026-06-10T15:00"),
        ("in the last week", "2026-06-03T15:00", "2026-06-10T15:00"),
        ("last week", "2026-06-01T00:00", "2026-06-08T00:00"),
        ("this week", "2026-06-08T00:00", "2026-06-11T00:00"),
        ("last month", "2026-05-01T00:00", "2026-06-01T00:00"),
        ("last year", "2025-01-01T00:00", "2026-01-01T00:00"),
        ("on Monday", "2026-06-08T00:00", "2026-06-09T00:00"),
        ("on Wednesday", "2026-06-10T00:00", "2026-06-11T00:00"),
        ("last Wednesday", "2026-06-03T00:00", "2026-06-04T00:00"),
        ("since Monday", "2026-06-08T00:00", ""),
        ("after Monday", "2026-06-09T00:00", ""),
        ("on 2026-06-02", "2026-06-02T00:00", "2026-06-03T00:00"),
        ("this morning", "2026-06-10T06:00", "2026-06-10T12:00"),
        ("yesterday afternoon", "2026-06-09T12:00", "2026-06-09T18:00"),
        ("yesterday noon", "2026-06-09T11:00", "2026-06-09T13:00"),
        ("on Monday evening", "2026-06-08T17:00", "2026-06-08T22:00"),
        ("last night", "2026-06-09T21:00", "2026-06-10T06:00"),
        ("before noon", "2026-06-10T00:00", "2026-06-10T12:00"),
        ("after noon", "2026-06-10T12:00", ""),
        ("since 14:30", "2026-06-10T14:30", ""),
        ("since 4 pm", "2026-06-09T16:00", ""),
        ("before 3 pm yesterday", "2026-06-09T00:00", "2026-06-09T15:00"),
        ("yesterday after noon", "2026-06-09T12:00", "2026-06-10T00:00"),
        ("since an hour ago", "2026-06-10T14:00", ""),
        ("between 10:00 and 11:00 today", "2026-06-10T10:00", "2026-06-10T11:00"),
        ("between 10:00 and 11:00", "2026-06-10T10:00", "2026-06-10T11:00"),
        ("yesterday between 9 and 11 am", "2026-06-09T09:00", "2026-06-09T11:00"),
        ("from 9 am to 11 am", "2026-06-10T09:00", "2026-06-10T11:00"),
        ("from 11 am till 1 on Monday", "2026-06-08T11:00", "2026-06-08T13:00"),
        ("from 4 pm to 5:30 pm", "2026-06-09T16:00", "2026-06-09T17:30"),
        ("from 10 pm until 2 am", "2026-06-09T22:00", "2026-06-10T02:00"),
        ("between 11 and 1 pm", "2026-06-10T11:00", "2026-06-10T13:00"),
        ("between 1 and 3 pm", "2026-06-10T13:00", "2026-06-10T15:00"),
        ("between noon and 14:00", "2026-06-10T12:00", "2026-06-10T14:00"),
        ("between Monday and yesterday", "2026-06-08T00:00", "2026-06-10T00:00"),
        ("from Tuesday to Thursday", "2026-06-02T00:00", "2026-06-05T00:00"),
        ("in the last 1.5 hours", "2026-06-10T13:30", "2026-06-10T15:00"),
        ("in the last twenty minutes", "2026-06-10T14:40", "2026-06-10T15:00"),
        ("in the last half hour", "2026-06-10T14:30", "2026-06-10T15:00"),
        ("since 9999 years ago", "", ""),
    ],
)
def test_a_stretch_of_time_is_that_of_the_local_calendar(zone, text, begin, end):
    assert stretch(text) == (begin, end)


def test_days_begin_at_midnight_also_where_summer_time_begins_or_ends(berlin):
    assert stretch("today", "2026-03-29T15:00:00") == ("2026-03-29T00:00", "2026-03-30T00:00")
    assert stretch("today", "2026-10-25T15:00:00") == ("2026-10-25T00:00", "2026-10-26T00:00")
    assert stretch("last week", "2026-03-31T10:00:00") == ("2026-03-23T00:00", "2026-03-30T00:00")
    assert stretch("yesterday", "2026-03-30T15:00:00")[0] == "2026-03-29T00:00"


@pytest.mark.parametrize(
    "local",
    ["2026-03-07T18:30:00", "2026-03-08T01:30:00", "2026-03-29T01:30:00", "2026-10-31T20:30:00"],
)
def test_a_time_of_day_is_that_of_its_hour_also_on_the_day_of_a_change(zone, local):
    clock = datetime.fromisoformat(local)
    second = clock.hour * 3600 + clock.minute * 60
    assert DayTime(second, second).similarity(np.array([ns(local)])) == pytest.approx(1.0)


def test_times_of_day_of_a_million_moments_are_told_at_once():
    moments = np.arange(1_000_000, dtype=np.int64) * 60 * 10**9 + ns(NOW)
    begun = time.perf_counter()
    DayTime(0.0, 3600.0).similarity(moments)
    assert time.perf_counter() - begun < 2.0
    assert DayTime(0.0, 0.0).similarity(moments[:0]).shape == (0,)


@pytest.fixture
def memory():
    made = EpisodicMemory()
    for local, action, thing, outcome in (
        ("2026-05-01T08:00:00", "PICK_UP", "TEAPOT", Outcome.SUCCEEDED),
        ("2026-06-08T09:00:00", "PICK_UP", "CUP", Outcome.SUCCEEDED),
        ("2026-06-09T09:00:00", "PICK_UP", "PLATE", Outcome.SUCCEEDED),
        ("2026-06-10T14:00:00", "PICK_UP", "SPOON", Outcome.SUCCEEDED),
        ("2026-06-10T14:57:00", "PICK_UP", "FORK", Outcome.FAILED),
    ):
        moment = ns(local)
        made.store(
            Episode(action=action, object=thing, outcome=outcome, start_ns=moment, end_ns=moment)
        )
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what did you pick up the day before yesterday?", {"CUP"}),
        ("what did you pick up since yesterday?", {"PLATE", "SPOON", "FORK"}),
        ("what did you pick up this morning?", set()),
        ("what did you pick up yesterday afternoon?", set()),
        ("what did you pick up yesterday morning?", {"PLATE"}),
        ("what did you pick up an hour ago?", {"SPOON"}),
        ("what did you pick up in the last two hours?", {"SPOON", "FORK"}),
        ("what did you pick up on Monday?", {"CUP"}),
        ("what did you pick up last night?", set()),
        ("what failed after noon?", {"FORK"}),
        ("good morning, what did you pick up yesterday?", {"PLATE"}),
        ("how many minutes did it take to pick up the plate yesterday?", {"PLATE"}),
        ("what did you pick up in the morning?", {"TEAPOT", "CUP", "PLATE"}),
    ],
)
def test_a_question_about_a_time_is_answered_about_that_time(memory, text, expected):
    answer = memory.ask(Query(text=text), now_ns=ns(NOW))
    assert {match.episode.object for match in answer.episodes} == expected


@pytest.mark.parametrize(
    ("text", "time_words"),
    [
        ("what did you pick up on Mondays?", "mondays"),
        ("what did you pick up a few hours ago?", "a few hours ago"),
        ("what did you pick up in June?", "june"),
        ("what did you pick up next week?", "next week"),
        ("what did you pick up tomorrow?", "tomorrow"),
        ("what did you do the other day?", "day"),
        ("what did you pick up from today to Monday?", "monday"),
        ("how often did you pick up the cup every day?", "every day"),
    ],
)
def test_a_time_that_is_not_understood_is_named_in_place_of_an_answer(memory, text, time_words):
    answer = memory.ask(Query(text=text), now_ns=ns(NOW))
    assert answer.abstained
    assert answer["result"].reason == f"the time '{time_words}' is not understood"


@pytest.mark.parametrize(
    "text", ["between 10 and 11 cups", "from 2 to 3.5 m", "not between 10:00 and 11:00"]
)
def test_two_numbers_are_no_stretch_of_time_and_what_is_excluded_is_not_meant(text):
    assert not when_in(f"what did you pick up {text}?", ns(NOW)).read


@pytest.mark.parametrize(
    "text", ["did you pick it up at 0.50 m/s", "did you lift it at 1.20 m", "what at 14.30?"]
)
def test_a_number_with_a_point_is_no_clock_time(text):
    assert when_in(text, ns(NOW)).times == ()


def test_a_clock_time_may_have_a_point_before_am_or_pm():
    (at,) = when_in("what did you do at 2.30 pm?", ns(NOW)).times
    assert at.filler == "2.30 pm"


def test_the_time_understood_is_told(memory):
    answer = memory.ask(Query(text="what did you pick up yesterday?"), now_ns=ns(NOW))
    assert "when=2026-06-09 00:00:00 to 2026-06-10 00:00:00" in map(str, answer.understood)
    since = memory.ask(Query(text="what failed since Monday?"), now_ns=ns(NOW))
    assert "when=since 2026-06-08 00:00:00" in map(str, since.understood)


def test_before_a_simulation_began_there_was_nothing():
    memory = EpisodicMemory()
    memory.store(Episode(action="PICK_UP", object="CUP", start_ns=5 * 10**9))
    for text in ("what did you pick up yesterday?", "what did you pick up last year?"):
        assert memory.ask(Query(text=text), now_ns=6 * 10**9).abstained
    assert memory.ask(Query(text="what did you pick up today?"), now_ns=6 * 10**9).matches == 1


@pytest.mark.parametrize("date", ["2026-13-45", "0001-01-01", "9999-12-31"])
def test_a_date_that_no_episode_can_have_is_not_understood(memory, date):
    answer = memory.ask(Query(text=f"what did you pick up on {date}?"), now_ns=ns(NOW))
    assert answer.abstained


@pytest.mark.parametrize(
    "text",
    [
        "today",
        "and yesterday?",
        "what did you do today?",
        "what happened yesterday?",
        "what about yesterday?",
        "what have you been doing today?",
        "what have you done this week?",
        "tell me everything since Monday",
        "what went wrong today?",
    ],
)
def test_a_time_alone_may_ask_about_all_that_was_then(memory, text):
    assert not memory.ask(Query(text=text), now_ns=ns(NOW)).abstained


@pytest.mark.parametrize(
    "text",
    [
        "how are you today?",
        "did you sleep well last night?",
        "will it be sunny today?",
        "are you happy this week?",
        "have a nice day!",
        "good night",
    ],
)
def test_small_talk_with_a_time_asks_about_nothing(memory, text):
    assert memory.ask(Query(text=text), now_ns=ns(NOW)).abstained
