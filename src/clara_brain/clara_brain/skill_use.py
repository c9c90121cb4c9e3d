# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a turn does with the robot's skills: say what stopped, answer a question, choose one.

Only the user's own words decide, never memory, history or what a server said. Each outcome is a
`Decided`, also a refused one, with the sentence that tells the person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from clara_brain.abilities import abilities, asks_abilities
from clara_brain.backend import Request
from clara_brain.confirmation import after_a_no, after_a_yes, answer, asks_to_stop
from clara_brain.errors import SkillRefused
from clara_brain.orders import asks_facts, ordered_verb, why_no_order
from clara_brain.plain_orders import only_reading
from clara_brain.prompt import Exchange
from clara_brain.reply_guard import NoPromise
from clara_brain.skill_choice import Choice, choice_request, decision_of
from clara_brain.skill_decision import Decision, possible
from clara_brain.skill_gate import SkillGate
from clara_brain.skills import Confirm, Skill
from clara_brain.taken_up import says_a_part, takes_up


class SkillPolicy(Enum):
    """Whether a turn may use a skill of the robot."""

    NEVER = "never"
    ALWAYS = "always"
    DRY_RUN = "dry_run"


class Status(Enum):
    """What came of a decision; the values are those of SkillDecision.msg."""

    REQUESTED = 1
    DRY_RUN = 2
    REFUSED = 3
    ASKED = 4
    DECLINED = 5
    STOPPED = 6


@dataclass(frozen=True)
class Decided:
    """A decision and what came of it.

    `action_id` is empty unless the action was requested or stopped.
    """

    decision: Decision
    status: Status
    action_id: str = ""


class SkillHost(Protocol):
    """What the use of skills needs from the world around it."""

    @property
    def confirm_seconds(self) -> float:
        """How long a question waits for its answer."""

    def unreachable(self, skill: Skill) -> str:
        """Say why a skill's target cannot be reached now; empty when it can."""

    def request_action(self, skill: Skill, decision: Decision) -> str:
        """Ask the robot to do it; return the action's id. Raises SkillRefused."""


@dataclass
class Used:
    """What came of a turn's wish; `said` is empty when there was none."""

    decided: list[Decided] = field(default_factory=list)
    said: str = ""


class SkillUse:
    """The skills, as one turn of one conversation uses them.

    `choose` lets the model answer a `choice_request`, or returns None when the turn was cut short.
    `experience` says what memory knows of earlier attempts, empty when nothing; `ended` whether
    the turn is over. `stopped` is what the turn has stopped already, with the ids of the actions;
    with `silenced` it ended what was being said.
    """

    def __init__(
        self,
        skills: Sequence[Skill],
        gate: SkillGate,
        host: SkillHost,
        choose: Callable[[Request], Awaitable[str | None]],
        experience: Callable[[Decision], Awaitable[str]],
        ended: Callable[[], bool],
        stopped: Sequence[tuple[Decision, str]] = (),
        silenced: bool = False,
    ) -> None:
        self._skills = skills
        self._gate = gate
        self._host = host
        self._choose = choose
        self._experience = experience
        self._ended = ended
        self._stopped = stopped
        self._silenced = silenced
        self._held = False

    def hold(self) -> None:
        """Begin nothing any more: somebody said stop."""
        self._held = True

    async def run(
        self,
        text: str,
        policy: SkillPolicy,
        session: str,
        history: Sequence[Exchange],
        can_ask: bool,
    ) -> Used:
        """Use a skill if the text asks for it.

        `can_ask`: a question and its answer can be said in this conversation.
        """
        asked = self._gate.take(session, history)
        if self._stopped:
            words = " and ".join(decision.in_words() for decision, _ in self._stopped)
            decided = [Decided(each, Status.STOPPED, name) for each, name in self._stopped]
            return Used(decided, f"I am stopping: {words}.")
        if self._silenced and "?" not in text:
            return Used(said="I have stopped talking.")
        if self._skills and asks_abilities(text):
            return Used(said=abilities(self._skills))
        if policy is SkillPolicy.NEVER or self._ended():
            return Used()
        order = text
        if asked is not None and answer(text) is False:
            order = "" if asks_to_stop(text, self._skills) else after_a_no(text)
            if not possible(self._skills, order):
                return _declined(asked, _SAID_NO)
        elif asked is not None and (answer(text) or self._agrees(asked, text)):
            return await self._act(asked, policy, session, text, agreed=True, must_ask=False)
        if self._skills and "?" not in text and asks_to_stop(text, self._skills):
            # A model would make something up.
            return Used(said="Nothing that I could cancel is under way.")
        choice = await self._decide(order, policy)
        decision, unsure = choice.decision, choice.unsure
        if asked is not None and order != text and (decision is None or _same(decision, asked)):
            return _declined(asked, _SAID_NO)
        if decision is None and asked is not None and "?" not in text:
            return _declined(asked, "I did not take that for a yes, so I will not")
        if decision is None and (why := why_no_order(self._skills, text)):
            return Used(said=f"{_NOT_FOLLOWED}: {why}.")
        if decision is None:
            return Used()
        if decision.reason:
            return _refused(decision, decision.reason)
        must_ask = self._gate.must_ask(self._skill(decision), session) or unsure
        if must_ask and policy is SkillPolicy.ALWAYS and not can_ask:
            why = "it is not clear that this is an order" if unsure else "it needs a yes first"
            reason = (
                f"{why}, and a turn without a session_id, or with a grammar, cannot ask whether to"
                f" {decision.in_words()}"
            )
            return _refused(decision, reason)
        return await self._act(decision, policy, session, text, agreed=False, must_ask=must_ask)

    async def _decide(self, order: str, policy: SkillPolicy) -> Choice:
        """Return what an order asks for; what would have to be asked about only where it can."""
        offers = possible(self._skills, order)
        request = choice_request(self._skills, offers, order)
        written = await self._choose(request) if request else None
        choice = decision_of(self._skills, offers, order, written)
        return Choice() if choice.unsure and policy is not SkillPolicy.ALWAYS else choice

    def _agrees(self, asked: Decision, text: str) -> bool:
        """Whether a text orders what was asked about once more, or a part and nothing else."""
        skill = next((each for each in self._skills if each.name == asked.skill), None)
        if skill is None:
            return False
        rest = after_a_yes(text)
        if not rest:
            return not possible(self._skills, text) and takes_up(skill, asked, text)
        said = only_reading(self._skills, possible(self._skills, rest), rest)
        return (said is not None and _same(said, asked)) or says_a_part(skill, asked, rest)

    async def _act(
        self,
        decision: Decision,
        policy: SkillPolicy,
        session: str,
        text: str,
        *,
        agreed: bool,
        must_ask: bool,
    ) -> Used:
        skill = self._skill(decision)
        before = "" if agreed else await self._experience(decision)
        if self._ended():
            return Used()
        if self._held:
            return _refused(decision, "I was told to stop before I began")
        # From here on nothing is awaited: what is true now is still true when it is requested.
        if reason := self._gate.refusal(skill) or self._host.unreachable(skill):
            return _refused(decision, reason)
        words = decision.in_words() + " again" * bool(before)
        if policy is SkillPolicy.DRY_RUN:
            return Used([Decided(decision, Status.DRY_RUN)], _joined(before, f"I would {words}."))
        if must_ask:
            self._gate.ask(session, decision, text, self._host.confirm_seconds)
            return Used([Decided(decision, Status.ASKED)], _joined(before, f"Shall I {words}?"))
        try:
            action_id = self._host.request_action(skill, decision)
        except SkillRefused as error:
            return _refused(decision, str(error))
        self._gate.used(skill)
        if agreed and skill.confirm is Confirm.FIRST_TIME:
            self._gate.agree(skill, session)
        return Used(
            [Decided(decision, Status.REQUESTED, action_id)], _joined(before, f"I will {words}.")
        )

    def _skill(self, decision: Decision) -> Skill:
        return next(each for each in self._skills if each.name == decision.skill)


_SAID_NO = "All right, I will not"
_NOT_FOLLOWED = "I did not take that for an order that I can follow"


def no_promise(skills: Sequence[Skill], text: str, policy: SkillPolicy) -> NoPromise | None:
    """Return what the model may not promise in its reply to a text that used no skill.

    None for a robot without skills, and for a question about facts.
    """
    if not skills or asks_facts(text):
        return None
    instead = f"{_NOT_FOLLOWED}; ask me what I can do."
    if policy is SkillPolicy.NEVER:
        instead = "I am not to do anything in this turn."
    return NoPromise(ordered_verb(skills, text), instead)


def _same(one: Decision, other: Decision) -> bool:
    return (one.skill, one.values) == (other.skill, other.values)


def _declined(decision: Decision, said: str) -> Used:
    return Used([Decided(decision, Status.DECLINED)], f"{said} {decision.in_words()}.")


def _refused(decision: Decision, reason: str) -> Used:
    return Used(
        [Decided(replace(decision, reason=reason), Status.REFUSED)], f"I cannot do that: {reason}."
    )


def _joined(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)
