# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What nobody foresaw, wrong parameters and a locked file, over real DDS: the node says it."""

from __future__ import annotations

import sqlite3
import time
from types import SimpleNamespace

import pytest
from clara_brain.adapters import Adapters
from clara_brain.diagnostics import Diagnostics
from clara_brain.model_services import ModelServices
from clara_brain.prompt import Exchange
from clara_brain.session_store import SessionStore
from clara_brain.sessions import Sessions
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from faulty_server import GOOD, Server
from rclpy.callback_groups import ReentrantCallbackGroup
from world import ChatClient, World, start_brain

from clara_interfaces.msg import Utterance
from clara_interfaces.srv import Embed, GetModelInfo, ListSessions, LoadAdapter

# A brain with a bug wherever somebody says so.
BUGGY = """
import sys

from clara_brain import conversions, engine, node

request, result, presets = conversions.turn_request, conversions.chat_result, node.load_presets
embed = engine.Engine.embed
said = []

def turn_request(goal, *rest):
    said.append(goal.text)
    if goal.text == "a bug at the door":
        raise OverflowError("too large")
    return request(goal, *rest)

def chat_result(taken):
    if said[-1] == "a bug at the end":
        raise OverflowError("too large")
    return result(taken)

def broken_embed(self, text):
    if text == "a bug":
        raise KeyError(text)
    return embed(self, text)

def load_presets(path, sliders):
    if path.name == "a_bug.json":
        raise KeyError(path.name)
    return presets(path, sliders)

conversions.turn_request, conversions.chat_result = turn_request, chat_result
engine.Engine.embed, node.load_presets = broken_embed, load_presets
sys.exit(node.main())
"""
PROGRAM = ("-c", BUGGY)


def test_a_bug_is_an_unknown_error_and_the_node_lives_on(domain):
    world = World(program=PROGRAM, memory_policy="never")
    try:
        world.until(lambda: world.state() == "active")
        for text in ("a bug at the door", "a bug at the end"):
            answer = world.ask(text)
            assert answer.status == 6 and answer.result.error_code == answer.result.UNKNOWN
            assert "OverflowError: too large" in answer.result.error_msg
            world.until(lambda: world.say.get_subscription_count())
            world.say.publish(Utterance(request_id=text, text=text))
            world.until(lambda text=text: world.replies and world.replies[-1].request_id == text)
            assert world.replies[-1].error_code == answer.result.UNKNOWN
        refused = world.call(Embed, "embed", texts=["a bug"])
        assert refused.error_code == refused.UNKNOWN and "KeyError" in refused.error_msg
        assert world.call(Embed, "embed", texts=["a cup"]).error_code == 0
        assert world.ask("Hello!").result.error_code == 0
    finally:
        world.close()
    assert world.brain.stderr.read().count("Traceback") == 5


def test_a_bug_while_it_configures_leaves_the_node_unconfigured_with_a_sentence(domain):
    world = World("/broken", program=PROGRAM, presets="/a_bug.json", autostart=False)
    try:
        assert not world.transition(1) and world.state() == "unconfigured"
        info = world.call(GetModelInfo, "model/info")
        assert info.error_code == info.NO_MODEL and "KeyError: 'a_bug.json'" in info.error_msg
    finally:
        world.close()
    said = world.brain.stderr.read()
    assert "Traceback" in said and "cannot configure" in said


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("skill_policy", "dry-run", "skill_policy must be one of"),
        ("backend", "OpenAI", "backend must be one of"),
        ("kv_type", "q5_0", "kv_type must be one of"),
        ("temperature", "hot", "expecting type 'DOUBLE'"),
        ("temperature", 1, "a number with a point, as 1.0"),
        ("personality.warmth", 1, "a number with a point, as 1.0"),
    ],
)
def test_what_no_parameter_can_be_ends_the_start_with_a_sentence(domain, name, value, reason):
    brain = start_brain(**{name: value})
    try:
        assert brain.wait(20) == 1
    finally:
        brain.kill()
    said = brain.stderr.read()
    assert name in said and str(value) in said and reason in said and "Traceback" not in said


def test_a_locked_file_of_conversations_stays_and_the_brain_starts_without(domain, tmp_path):
    path = tmp_path / "locked.brain" / "sessions.sqlite3"
    sessions = Sessions(time.monotonic, 4, 64, SessionStore(path))
    sessions.add("kept", Exchange("Hello!", "Hi."), 3)
    sessions.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=DELETE")
    other.execute("BEGIN EXCLUSIVE")
    world = World("/locked", state_path=tmp_path, memory_policy="never")
    try:
        world.until(lambda: world.state() == "active", 30)
        assert world.ask("Hello!", session_id="new").result.error_code == 0
        listed = world.call(ListSessions, "session/list").sessions
        assert [each.session_id for each in listed] == ["new"]
    finally:
        world.close()
        other.close()
    assert "conversations are not kept" in world.brain.stderr.read()
    assert not list(path.parent.glob("*.corrupt-*"))
    sessions = Sessions(time.monotonic, 4, 64, SessionStore(path))
    assert len(sessions.history("kept")) == 1
    sessions.close()


def test_diagnostics_warn_while_conversations_are_not_written(domain, tmp_path):
    sessions = Sessions(time.monotonic, 4, 64, SessionStore(tmp_path / "sessions.sqlite3"))
    other = sqlite3.connect(tmp_path / "sessions.sqlite3", isolation_level=None)
    levels: list = []
    desk = SimpleNamespace(under_way=0, total=0, last_error="")
    with ChatClient("/watched") as client:
        health = Diagnostics(client.node, desk, ReentrantCallbackGroup())
        health.sessions = sessions
        client.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda heard: levels.append(heard.status[0].level), 10
        )
        other.execute("BEGIN IMMEDIATE")
        sessions.add("s", Exchange("Hello!", "Hi."), 3)
        client.until(lambda: levels and levels[-1] == DiagnosticStatus.WARN)
        other.close()
        sessions.add("s", Exchange("Hello!", "Hi."), 3)
        client.until(lambda: levels[-1] == DiagnosticStatus.OK)
    sessions.close()


def test_a_brain_that_starts_before_its_server_is_active_once_that_is_there(domain):
    with Server(GOOD) as taken:
        url, port = taken.url, taken.server_port
    world = World("/early", backend="openai", server_url=url, memory_policy="never")
    try:
        world.until(
            lambda: "be reached" in world.call(GetModelInfo, "model/info").error_msg, limit=30
        )
        with Server(GOOD, port=port):
            world.until(lambda: world.state() == "active", 30)
            assert world.ask("Hello!").result.text == "Hello"
    finally:
        world.close()
    assert "tries again in 1 s" in world.brain.stderr.read()


def test_an_adapter_that_is_loaded_while_the_node_is_cleaned_up_has_no_model(
    domain, engine, adapter, monkeypatch
):
    state = SimpleNamespace(engine=engine, adapters=Adapters(engine), no_model="no model is left")
    load = engine.load_adapter

    def load_and_clean_up(name, path):
        state.adapters = None
        return load(name, path)

    monkeypatch.setattr(engine, "load_adapter", load_and_clean_up)
    with ChatClient("/cleaned") as client:
        ModelServices(client.node, state, ReentrantCallbackGroup())
        asked = {"name": "warmth", "path": str(adapter), "scale": 1.0}
        answer = client.call(LoadAdapter, "adapter/load", **asked)
    assert answer.error_code == answer.NO_MODEL and answer.error_msg == "no model is left"
