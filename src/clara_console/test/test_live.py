# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts between ROS and the page: bounded news, order of pieces, health, JSON."""

import array
import asyncio
import json

import pytest
from clara_console.as_json import as_json
from clara_console.chat_turn import InOrder
from clara_console.health import MOST_STATUSES, Health
from clara_console.live import QUEUE_SIZE, Live
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hypothesis import given
from hypothesis import strategies as some

from clara_interfaces.msg import Episode, RoleFiller
from clara_interfaces.srv import Tokenize


async def _drained(stream):
    return [text async for text in stream]


def test_a_page_that_does_not_keep_up_is_let_go_and_the_others_get_everything():
    async def play():
        live = Live()
        slow, quick = live.stream(), live.stream()
        await anext(slow), await anext(quick)
        waiting = asyncio.create_task(_drained(quick))
        for number in range(QUEUE_SIZE + 5):
            live.publish("episode", number)
            await asyncio.sleep(0)
        missed = await _drained(slow)  # ends by itself
        live.close()
        return missed, await waiting

    missed, got = asyncio.run(play())
    assert len(got) == QUEUE_SIZE + 5
    assert 0 < len(missed) < QUEUE_SIZE


def test_a_new_page_gets_the_last_of_what_is_kept_and_nothing_else_of_before():
    async def play():
        live = Live()
        live.publish("health", {"n": 1}, keep=True)
        live.publish("episode", {"n": 2})
        live.publish("health", {"n": 3}, keep=True)
        stream = live.stream()
        retry, first = await anext(stream), await anext(stream)
        live.close()
        return retry, first, await _drained(stream), await _drained(live.stream())

    retry, first, rest, after = asyncio.run(play())
    assert retry.startswith("retry: ")
    assert first == 'event: health\ndata: {"n":3}\n\n'
    assert rest == after == []


def test_news_cannot_break_out_of_their_line():
    async def play():
        live = Live()
        stream = live.stream()
        await anext(stream)
        live.publish("episode", {"detail": "a\n\nevent: health\ndata: {}\n\n"})
        text = await anext(stream)
        live.close()
        return text

    text = asyncio.run(play())
    assert text.count("\n") == 3 and text.startswith("event: episode\ndata: ")


@given(some.text(max_size=60), some.randoms())
def test_pieces_in_any_order_and_number_give_the_text_in_order(text, random):
    cuts = sorted(random.sample(range(len(text) + 1), min(len(text), 5)))
    pieces = [
        (start, text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
    ]
    sent = [*pieces, *pieces]
    random.shuffle(sent)
    in_order = InOrder()
    given_out = ""
    for start, delta in sent:
        given_out += in_order.add(start, delta)
        assert text.startswith(given_out)
    assert given_out == text


def test_a_lost_piece_holds_back_what_follows():
    in_order = InOrder()
    assert in_order.add(0, "ab") == "ab"
    assert in_order.add(4, "ef") == ""
    assert in_order.add(2, "cd") == "cdef"
    assert in_order.add(2, "cd") == ""


def _said(*names, level=DiagnosticStatus.OK):
    return DiagnosticArray(status=[DiagnosticStatus(name=name, level=level) for name in names])


def test_health_keeps_the_statuses_of_its_own_namespace_with_their_age():
    now = [10.0]
    health = Health("/robot1/mind", clock=lambda: now[0])
    health.hear(_said("robot1/mind/brain: brain", "/robot1/mind/memory: memory", "robot10/x: x"))
    now[0] += 2.5
    health.hear(_said("robot1/mind/brain: brain", level=DiagnosticStatus.ERROR))
    shown = health.snapshot({"brain": True})
    assert [(each["name"], each["age"], each["level"]) for each in shown["statuses"]] == [
        ("robot1/mind/brain: brain", 0.0, 2),
        ("robot1/mind/memory: memory", 2.5, 0),
    ]
    assert json.loads(json.dumps(shown))["namespace"] == "/robot1/mind"


def test_health_in_the_root_namespace_hears_all_and_stays_bounded():
    health = Health("/")
    for number in range(2 * MOST_STATUSES):
        health.hear(_said(f"node{number}: x"))
    assert len(health.snapshot({})["statuses"]) == MOST_STATUSES


def test_a_message_becomes_json_by_its_own_field_names():
    episode = Episode(action="GO", context=[RoleFiller(role="place", values=[1.0, float("inf")])])
    episode.start.sec, episode.start.nanosec = 5, 250_000_000
    shown = as_json(episode)
    assert shown["action"] == "GO" and shown["start"] == 5.25
    assert shown["context"][0]["values"] == [1.0, None]
    assert as_json(Tokenize.Response(tokens=array.array("I", [1, 2])))["tokens"] == [1, 2]
    json.dumps(shown, allow_nan=False)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_numbers_that_json_does_not_have_become_null(value):
    assert as_json([value, 1.5, True, None]) == [None, 1.5, True, None]
