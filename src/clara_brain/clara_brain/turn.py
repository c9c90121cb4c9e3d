# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One turn of a conversation, from text to reply: skill decision, memory, prompt, completion.

Knows nothing of ROS: what it needs from outside is the Host. A turn runs as a coroutine; only the
engine's callbacks come from another thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Protocol

from clara_brain.asking_memory import Asking, MemoryPolicy, asks_memory
from clara_brain.backend import Backend, Request, Ticket
from clara_brain.decoding import Completion, Stop
from clara_brain.earlier_turns import Hit, Span, hits, to_recall, with_recalled
from clara_brain.errors import (
    BackendError,
    BrainError,
    ContextOverflow,
    ShuttingDown,
    Unforeseen,
)
from clara_brain.json_grammar import make_grammar
from clara_brain.kv_cache import AdapterScales
from clara_brain.plan import one_after_the_other
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.readout import Embedding
from clara_brain.recollection import Recollection
from clara_brain.remembering import Remembered, remember
from clara_brain.reply_guard import NoPromise
from clara_brain.sampler import SamplerSettings
from clara_brain.schema_check import hold_against
from clara_brain.sessions import Session, Sessions
from clara_brain.skill_decision import Decision
from clara_brain.skill_gate import SkillGate
from clara_brain.skill_use import (
    NOTHING_STOPPED,
    Decided,
    SkillHost,
    SkillPolicy,
    SkillUse,
    Stopped,
    no_promise,
)
from clara_brain.skills import Skill

_log = logging.getLogger(__name__)


class Promise(Protocol):
    """A value that comes later: awaited by the turn, resolved once from any thread."""

    def __await__(self) -> Generator[None, None, object]:
        """Wait for the value."""

    def resolve(self, value: object) -> None:
        """Give the value."""


class Host(SkillHost, Protocol):
    """What a turn needs from the world around it."""

    def promise(self) -> Promise:
        """Return a new promise."""

    def recall(self, text: str, briefly: bool, wait: Promise) -> Awaitable[Recollection | None]:
        """Ask memory; None when it does not answer in time, or when `wait` is resolved first.

        `briefly`: the turn can do without an answer.
        """

    def state(self, text: str) -> str:
        """Answer a question about the robot's state as it is now; empty for any other text."""

    def experience(self, decision: Decision, wait: Promise) -> Awaitable[str]:
        """Say what memory knows of earlier attempts; empty as `recall` is None."""


@dataclass(frozen=True)
class TurnRequest:
    """What is asked.

    `deadline` is a time of time.monotonic(), or None; an empty session is forgotten. The turn
    makes the grammar of `json_schema` itself; the reply is checked against the schema as well.
    """

    text: str
    system: str
    sampling: SamplerSettings
    max_tokens: int
    session: str = ""
    memory: MemoryPolicy = MemoryPolicy.NEVER
    skills: SkillPolicy = SkillPolicy.NEVER
    stop: tuple[str, ...] = ()
    deadline: float | None = None
    quote_memory: bool = True
    json_schema: str = ""
    adapters: AdapterScales = ()


@dataclass
class TurnResult:
    """What came of it; `completion` has the text, the figures, the read-outs and the error.

    `hits` are earlier parts of the conversation that are close to what was said.
    """

    completion: Completion
    memory_ids: list[str] = field(default_factory=list)
    memory_abstained: bool = False
    adapters: AdapterScales = ()
    decided: list[Decided] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)


class Turn:
    """One turn. `run` once; `cancel` at any time, from the thread that runs it.

    `on_cancel` hears of a cancel at once, while the model may still give a word. `stopped` is what
    was stopped already because the text says so. `later` is told what becomes of an order
    after the reply to it.
    """

    def __init__(
        self,
        engine: Backend,
        sessions: Sessions,
        skills: tuple[Skill, ...],
        gate: SkillGate,
        host: Host,
        request: TurnRequest,
        on_token: Callable[[str], None],
        on_cancel: Callable[[Stop], None] = lambda how: None,
        stopped: Stopped = NOTHING_STOPPED,
        later: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._engine = engine
        self._sessions = sessions
        self._skills = skills
        self._use = SkillUse(
            skills, gate, host, self._choose, self._experience, self._is_over, stopped, later
        )
        self._host = host
        self._request = request
        self._on_token = on_token
        self._on_cancel = on_cancel
        self._accepted = time.monotonic()
        self._ticket: Ticket | None = None
        self._ending = Stop.NONE
        self._gate: Promise | None = None
        self._waiting: Promise | None = None

    @property
    def session(self) -> str:
        """Return the conversation that this turn belongs to; empty for none."""
        return self._request.session

    def cancel(self, how: Stop = Stop.CANCELED) -> None:
        """End the turn as soon as possible.

        Its result has what was generated. Stop.ERROR means a shutdown.
        """
        self._ending = self._ending or how
        self._on_cancel(how)
        self.pass_gate()
        if self._waiting:
            self._waiting.resolve(None)
        if self._ticket:
            self._ticket.cancel(how)

    def hold_actions(self) -> None:
        """Request no action any more: somebody said stop."""
        self._use.hold()

    def wait_at_gate(self) -> None:
        """Have `run` wait until `pass_gate`: another turn of the conversation goes first."""
        self._gate = self._host.promise()

    def pass_gate(self) -> None:
        """Let `run` go on."""
        if self._gate:
            self._gate.resolve(None)

    async def run(self) -> TurnResult:
        """Take the turn. Errors are in the result's completion."""
        result = TurnResult(Completion())
        before: Session | None = None
        try:
            if self._request.json_schema:
                await self._make_grammar()
            if self._gate:
                await self._gate
            before = self._sessions.find(self.session)
            await self._run(result)
        except BrainError as error:
            result.completion.stop, result.completion.error = Stop.ERROR, error
        except Exception as error:
            # What was decided stays in the result: it may have been done already.
            _log.exception("a turn failed in a way nobody foresaw")
            result.completion.stop, result.completion.error = Stop.ERROR, Unforeseen(error)
        if before and self._sessions.find(self.session) is not before:
            # The conversation was reset, and its history may have gone to the model after that.
            self._engine.forget(self.session)
        return result

    async def _make_grammar(self) -> None:
        """Have the request's sampling hold to its schema; not where the turn ends meanwhile."""
        schema, promise = self._request.json_schema, self._wait()
        make_grammar(schema, lambda: not self._ending, promise.resolve)
        made = await promise
        if isinstance(made, BrainError):
            raise made
        if isinstance(made, str):
            sampling = replace(self._request.sampling, grammar=made)
            self._request = replace(self._request, sampling=sampling)

    async def _run(self, result: TurnResult) -> None:
        request = self._request
        text, said = request.text, ""
        remembered: Remembered | None = None
        words: Embedding | None = None
        shown: tuple[Exchange, ...] = ()
        history = self._sessions.history(request.session) if request.session else ()
        # Only the user's own words, never memory or history, decide about a skill.
        used = await self._use.run(
            text,
            request.skills,
            request.session,
            history,
            can_ask=bool(request.session) and not request.sampling.grammar,
        )
        if used.decided or used.said:
            result.decided, said = used.decided, used.said
        elif not request.sampling.grammar and (told := self._host.state(text)):
            said = told
        elif remembered := await self._remember():
            grounded, said = remembered.grounded, remembered.grounded.quoted
            if said and asks_memory(request.memory, text) is Asking.NOW:
                said += self._what_follows()
            result.memory_ids = list(remembered.episode_ids)
            result.memory_abstained = remembered.abstained
            if not self._engine.continues_text:  # to one that does, a fence is noise
                text, shown = grounded.text, grounded.shown
        before = time.monotonic() - self._accepted
        if said and not request.sampling.grammar and not self._ending:
            # What was done, or will be, is said as it is, with nothing made up behind it.
            self._on_token(said)
            completion = Completion(said, Stop.END, time_to_first_token=before)
        else:
            asked = Request(
                ChatPrompt(request.system, text, history, shown),
                request.sampling,
                request.max_tokens,
                request.stop,
                request.deadline,
                request.adapters,
                request.session,
                read=True,
                no_promise=self._no_promise(),
            )
            words = await self._embed(request.text)
            self._check_open()
            spans = self._sessions.spans(request.session) if request.session else ()
            recalled = self._forgotten(spans, words, len(history))
            before = time.monotonic() - self._accepted
            completion = await self._complete(self._with(recalled, asked), self._on_token)
            if recalled and isinstance(completion.error, ContextOverflow):
                # What is said now goes before what was said earlier.
                recalled = []
                completion = await self._complete(asked, self._on_token)
            result.hits = hits(spans, words, recalled)
            result.adapters = request.adapters
            if completion.time_to_first_token:
                completion.time_to_first_token += before
        result.completion = completion
        if request.json_schema and completion.stop in _COMPLETED:
            completion.error = await self._mismatch(completion.text)
        if not request.sampling.grammar and not completion.error:
            completion.error = _nothing_said(completion)
        # What a cancel or the deadline left of a reply was heard, so it stays a part of the talk.
        kept = completion.stop in _COMPLETED or bool(completion.text)
        if request.session and completion.error is None and kept:
            self._check_open()
            exchange = Exchange(request.text, completion.text)
            tokens = self._engine.count_tokens(request.text) + completion.completion_tokens
            replied = await self._embed(completion.text) if words else None
            self._check_open()
            # Read after all waiting, in which a stop may have been a turn of this conversation.
            turn = self._sessions.turns(request.session)
            pairs = ((False, request.text, words), (True, completion.text, replied))
            new = [Span(turn, who, said, made.vector) for who, said, made in pairs if made]
            dropped = completion.dropped_turns
            questions = remembered.asked if remembered else None
            self._sessions.add(request.session, exchange, tokens, dropped, new, questions)

    def _what_follows(self) -> str:
        """Say what comes after what is under way; empty where nothing was ordered to."""
        coming = self._host.to_come()
        return f" Then I am to {one_after_the_other(coming)}." if coming else ""

    async def _remember(self) -> Remembered | None:
        """Return what memory says; None where the reply is not memory's."""
        request, engine = self._request, self._engine
        if engine.continues_text and not request.quote_memory:
            return None
        session = self._sessions.find(request.session)
        return await remember(
            request.text,
            request.memory,
            lambda text, briefly: self._host.recall(text, briefly, self._wait()),
            engine.neutralise,
            quote=request.quote_memory,
            before=session.asked if session else None,
        )

    def _no_promise(self) -> NoPromise | None:
        request = self._request
        if request.sampling.grammar or self._engine.continues_text:
            return None
        return no_promise(self._skills, request.text, request.skills)

    async def _mismatch(self, text: str) -> BrainError | None:
        """Return what keeps a reply from following the schema that it was asked for by."""
        promise = self._host.promise()
        hold_against(text, self._request.json_schema, promise.resolve)
        found = await promise
        return found if isinstance(found, BrainError) else None

    async def _embed(self, text: str) -> Embedding | None:
        """Embed a text by the memory head; None without one, and outside of a conversation."""
        if not self._request.session or self._ending:
            return None
        future, promise = self._engine.embed_span(text), self._host.promise()
        future.add_done_callback(promise.resolve)
        await promise
        try:
            return future.result()
        except BrainError as error:
            _log.warning("what was said is not embedded, and will not be found again: %s", error)
            return None  # an embedding is never worth a turn

    def _forgotten(
        self, spans: tuple[Span, ...], words: Embedding | None, kept: int
    ) -> list[Span]:
        """Return what comes back of turns that the history no longer has, as far as it fits."""
        if not spans:
            return []
        most = self._engine.n_ctx // _RECALLED_SHARE
        found: list[Span] = []
        for span in to_recall(spans, words, self._sessions.turns(self._request.session) - kept):
            if self._engine.count_tokens(self._after([*found, span], "")) <= most:
                found.append(span)
        return found

    def _with(self, recalled: list[Span], asked: Request) -> Request:
        """Return the request with earlier turns before its text."""
        assert isinstance(asked.prompt, ChatPrompt)
        text = self._after(recalled, asked.prompt.text)
        return replace(asked, prompt=replace(asked.prompt, text=text))

    def _after(self, recalled: list[Span], text: str) -> str:
        engine = self._engine
        return with_recalled(text, recalled, engine.neutralise, fenced=not engine.continues_text)

    async def _choose(self, request: Request) -> str | None:
        """Let the model write which skill it is, or none; None when the turn was cut short.

        A model that continues a text has not learned to choose: only orders that are word for
        word one of a skill's remain.
        """
        if self._engine.continues_text:
            return None
        completion = await self._complete(
            replace(request, deadline=self._request.deadline, session=self.session),
            lambda delta: None,
        )
        if completion.error:
            raise completion.error
        # Cut short by a cancel, a deadline or the length: what stands there is not a decision.
        return completion.text if completion.stop is Stop.END and not self._ending else None

    def _experience(self, decision: Decision) -> Awaitable[str]:
        return self._host.experience(decision, self._wait())

    def _wait(self) -> Promise:
        """Return a promise that the end of the turn resolves."""
        self._waiting = self._host.promise()
        if self._ending:
            self._waiting.resolve(None)
        return self._waiting

    def _is_over(self) -> bool:
        """Whether the turn was ended, or should have been by its deadline."""
        deadline = self._request.deadline
        if deadline is not None and time.monotonic() > deadline:
            self._ending = self._ending or Stop.DEADLINE
        return bool(self._ending)

    async def _complete(self, request: Request, on_token: Callable[[str], None]) -> Completion:
        self._check_open()
        if self._ending:
            return Completion(stop=self._ending)
        promise = self._host.promise()
        self._ticket = self._engine.submit(request, on_token, promise.resolve)
        completion = await promise
        self._ticket = None
        assert isinstance(completion, Completion)
        return completion

    def _check_open(self) -> None:
        """Raise ShuttingDown once the node stopped: model and store may be closed by then."""
        if self._ending is Stop.ERROR:
            raise ShuttingDown("the node stopped before the turn was finished")


# What comes back into the prompt may have this part of the context at most.
_RECALLED_SHARE = 8
_COMPLETED = (Stop.END, Stop.LENGTH, Stop.STRING)


def _nothing_said(completion: Completion) -> BackendError | None:
    """Return what is wrong with a reply that has no words; None where it has some."""
    if completion.text.strip() or completion.stop not in (Stop.END, Stop.LENGTH):
        return None
    if completion.stop is Stop.LENGTH:
        return BackendError(
            f"the model's {completion.completion_tokens} tokens were used up before it said"
            " anything, as by one that thinks first; raise max_tokens"
        )
    return BackendError("the model ended its reply before it said anything; ask in other words")
