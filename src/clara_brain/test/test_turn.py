# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A turn whose world fails, closes or forgets while it is under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alone import GREEDY, Alone, Later, run, take, turn_of
from clara_brain.asking_memory import MemoryPolicy
from clara_brain.backend import Request, Ticket
from clara_brain.decoding import Completion, Stop
from clara_brain.engine import Engine
from clara_brain.errors import BackendError, ShuttingDown, Unforeseen
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.readout import Embedding
from clara_brain.recollection import Recollection
from clara_brain.remembering import WHOLE_QUESTION
from clara_brain.session_store import SessionStore
from clara_brain.sessions import Sessions
from clara_brain.settings import EngineSettings
from clara_brain.span_vector import SpanVector

SETTINGS = EngineSettings(n_ctx=512, slots=1, n_batch=64, n_threads=1, queue_size=8)
QUESTION = "What happened with the cup?"
OF_THE_WORLD = "Where is the Eiffel Tower?"


@pytest.fixture
def opened(tiny: Path) -> Iterator[Engine]:
    engine = Engine(tiny, SETTINGS)
    yield engine
    engine.close()


def test_an_error_that_nobody_foresaw_is_an_error_of_its_turn_and_in_the_log(opened, caplog):
    class Broken(Alone):
        async def recall(self, *asked: object) -> None:
            raise RuntimeError("a bug")

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    failed = take(opened, sessions, QUESTION, host=Broken(), memory=MemoryPolicy.ALWAYS)
    assert failed.completion.stop is Stop.ERROR
    assert isinstance(failed.completion.error, Unforeseen)
    assert "RuntimeError: a bug" in str(failed.completion.error)
    assert caplog.records[-1].exc_info is not None
    assert take(opened, sessions, QUESTION).completion.error is None


def test_a_reply_that_is_there_when_the_node_stops_leaves_model_and_store_alone(opened, tmp_path):
    path = tmp_path / "sessions.sqlite3"
    sessions = Sessions(time.monotonic, 4, 64, SessionStore(path))

    class LastMoment(Later):
        def resolve(self, value: object) -> None:
            self.loop.call_soon_threadsafe(self.stop, value)

        def stop(self, value: object) -> None:
            if isinstance(value, Completion):
                turn.cancel(Stop.ERROR)
                opened.close()
                sessions.close()
            self.future.set_result(value)

    class Stopping(Alone):
        promise = staticmethod(LastMoment)

    turn = turn_of(opened, sessions, QUESTION, host=Stopping())
    completion = run(turn).completion
    assert completion.completion_tokens and isinstance(completion.error, ShuttingDown)
    again = Sessions(time.monotonic, 4, 64, SessionStore(path))
    assert again.history("s") == ()
    again.close()


def test_a_turn_under_way_in_a_conversation_that_is_reset_leaves_nothing_evaluated(opened):
    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    take(opened, sessions, "Remember that the key is under the blue pot.")
    history = sessions.history("s")

    class Resetting(Alone):
        async def recall(self, *asked: object) -> None:
            sessions.reset("s")
            opened.forget("s")

    turn = take(opened, sessions, OF_THE_WORLD, host=Resetting(), memory=MemoryPolicy.AUTO)
    assert turn.completion.error is None
    # The turn goes on, and starts the new history.
    assert [each.user for each in sessions.history("s")] == [OF_THE_WORLD]
    prompt = ChatPrompt("Be kind.", OF_THE_WORLD, history)
    again = opened.complete(Request(prompt, GREEDY, 4))
    assert again.prompt_tokens == turn.completion.prompt_tokens and again.cached_tokens == 0


@pytest.mark.parametrize("recalled", [None, Recollection(abstained=True)])
def test_what_memory_cannot_tell_is_made_up_by_no_model(opened, recalled):
    briefly = []

    class Remembering(Alone):
        async def recall(self, text: str, brief: bool, wait: object) -> Recollection | None:
            briefly.append(brief)
            return recalled

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    asked = {"host": Remembering(), "memory": MemoryPolicy.AUTO}
    told = take(opened, sessions, QUESTION, **asked)
    assert told.memory_abstained is (recalled is not None)
    unknown = "don't remember" if recalled else "cannot reach my memory"
    assert unknown in told.completion.text and not told.completion.completion_tokens
    for text in (OF_THE_WORLD, "what is a whale?"):
        replied = take(opened, sessions, text, **asked)
        assert replied.completion.completion_tokens and not replied.memory_abstained
    assert briefly == [False, False, True]  # what may be about the world waits no longer


def test_how_the_robot_is_now_is_told_before_memory_and_model_but_not_in_a_grammar(opened):
    class Knowing(Alone):
        state = staticmethod(lambda text: "It is 83 %." if text == QUESTION else "")

        async def recall(self, *asked: object) -> Recollection | None:
            return Recollection(abstained=True)

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    asked = {"host": Knowing(), "memory": MemoryPolicy.ALWAYS}
    told = take(opened, sessions, QUESTION, **asked)
    assert told.completion.text == "It is 83 %." and not told.completion.completion_tokens
    assert not told.memory_abstained and sessions.history("s")[-1].assistant == "It is 83 %."
    assert take(opened, sessions, OF_THE_WORLD, **asked).memory_abstained
    grammar = replace(GREEDY, grammar='root ::= "a"')
    formed = take(opened, sessions, QUESTION, sampling=grammar, **asked)
    assert formed.completion.text == "a"


def test_a_question_that_points_back_to_memory_s_reply_is_answered_by_no_model(opened):
    class Remembering(Alone):
        async def recall(self, *asked: object) -> Recollection | None:
            return Recollection(abstained=True)

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    asked = {"host": Remembering(), "memory": MemoryPolicy.AUTO}
    assert take(opened, sessions, "why?", **asked).completion.completion_tokens
    take(opened, sessions, QUESTION, **asked)
    assert take(opened, sessions, "why?", **asked).completion.text == WHOLE_QUESTION


def test_a_question_goes_on_from_those_of_its_own_conversation_alone(opened):
    cues: list[str] = []

    class Remembering(Alone):
        async def recall(self, text: str, *asked: object) -> Recollection | None:
            cues.append(text)
            return Recollection(abstained=True, recognised=("when",), relative="as to it")

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    asked = {"host": Remembering(), "memory": MemoryPolicy.AUTO}
    take(opened, sessions, QUESTION, **asked)
    take(opened, sessions, "When was that?", **asked)
    take(opened, sessions, "and yesterday?", **asked)
    take(opened, sessions, "and yesterday?", session="other", **asked)
    lines = [QUESTION, "When was that?", "and yesterday?"]
    assert cues == [QUESTION, "When was that?", "\n".join(lines[:2]), "\n".join(lines)]
    take(opened, sessions, OF_THE_WORLD, host=Alone(), memory=MemoryPolicy.NEVER)
    found = sessions.find("s")
    assert found is not None and found.asked is None


def test_what_was_said_belongs_to_its_turn_though_a_stop_came_between(tiny):
    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)

    class Interrupted(Engine):
        def embed_span(self, text: str) -> Future[Embedding | None]:
            if text != QUESTION:
                sessions.add("s", Exchange("stop", "I am stopping."), 4)
            one = np.ones(1, np.float32)
            future: Future[Embedding | None] = Future()
            future.set_result(Embedding(SpanVector(np.zeros(1, np.int32), one, one), 0.5))
            return future

    engine = Interrupted(tiny, SETTINGS)
    try:
        assert take(engine, sessions, QUESTION).completion.error is None
    finally:
        engine.close()
    assert [each.user for each in sessions.history("s")] == ["stop", QUESTION]
    assert [(each.turn, each.by_clara) for each in sessions.spans("s")] == [(1, False), (1, True)]


@pytest.mark.parametrize(
    ("stop", "said"), [(Stop.LENGTH, "raise max_tokens"), (Stop.END, "in other words")]
)
def test_a_reply_without_words_is_a_sentence_and_no_part_of_the_conversation(tiny, stop, said):
    class Silent(Engine):
        def submit(self, request, on_token, on_done) -> Ticket:
            on_done(Completion("\n", stop, completion_tokens=8))
            return Ticket(request, on_token, on_done, lambda ticket, how: None)

    sessions = Sessions(time.monotonic, max_sessions=4, max_turns=64)
    engine = Silent(tiny, SETTINGS)
    try:
        completion = take(engine, sessions, QUESTION).completion
    finally:
        engine.close()
    assert isinstance(completion.error, BackendError) and said in str(completion.error)
    assert sessions.history("s") == ()
