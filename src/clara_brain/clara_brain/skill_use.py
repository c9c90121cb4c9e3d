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
from clara_brain.confirmation import (
    after_a_no,
    after_a_yes,
    answer,
    asks_to_stop,
    takes_back,
)
from clara_brain.errors import SkillRefused
from clara_brain.orders import asks_facts, ordered_verb, why_no_order
from clara_brain.plain_orders import only_reading
from clara_brain.plan import Step, one_after_the_other
from clara_brain.prompt import Exchange
from clara_brain.reply_guard import NoPromise
from clara_brain.sequences import steps_of
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
    PLANNED = 7


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

    def unreachable(self, skill: Skill, awaited: bool = False) -> str:
        """Say why a skill's target cannot be reached now; empty when it can.

        With `awaited` somebody must be there to say how it ends.
        """

    def request_action(self, skill: Skill, decision: Decision) -> str:
        """Ask the robot to do it; return the action's id. Raises SkillRefused."""

    def request_plan(
        self, steps: Sequence[Step], session: str, later: Callable[[str], None]
    ) -> str:
        """Ask the robot to do the first of several; return its action's id. Raises SkillRefused.

        Each of the others follows when the one before has succeeded. `later` is told where they
        do not.
        """

    def to_come(self) -> tuple[Decision, ...]:
        """Return what is still to be begun of an order of several steps."""

    def take_back(self, session: str) -> tuple[Decision, ...]:
        """Begin no more of what a conversation ordered; return what would have been."""


@dataclass(frozen=True)
class Stopped:
    """What a text that says stop has stopped before its turn: goals, with the ids of the actions.

    `dropped` are steps that will not be begun; with `silenced` it ended what was being said.
    """

    goals: Sequence[tuple[Decision, str]] = ()
    dropped: Sequence[Decision] = ()
    silenced: bool = False


NOTHING_STOPPED = Stopped()
NO_END = "nobody tells how that ends, so nothing can come after it"


@dataclass
class Used:
    """What came of a turn's wish; `said` is empty when there was none."""

    decided: list[Decided] = field(default_factory=list)
    said: str = ""


class SkillUse:
    """The skills, as one turn of one conversation uses them.

    `choose` lets the model answer a `choice_request`, or returns None when the turn was cut short.
    `experience` says what memory knows of earlier attempts, empty when nothing; `ended` whether
    the turn is over. `stopped` is what the turn has stopped already. `later` is told when the
    steps of an order end before the last.
    """

    def __init__(
        self,
        skills: Sequence[Skill],
        gate: SkillGate,
        host: SkillHost,
        choose: Callable[[Request], Awaitable[str | None]],
        experience: Callable[[Decision], Awaitable[str]],
        ended: Callable[[], bool],
        stopped: Stopped = NOTHING_STOPPED,
        later: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._skills = skills
        self._gate = gate
        self._host = host
        self._choose = choose
        self._experience = experience
        self._ended = ended
        self._stopped = stopped
        self._later = later
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
        if self._stopped.goals or self._stopped.dropped:
            return _told(self._stopped)
        if self._stopped.silenced and "?" not in text:
            return Used(said="I have stopped talking.")
        if not asked and takes_back(text) and (dropped := self._host.take_back(session)):
            left = "What has begun goes on; say stop to end that."
            return Used(said=f"I will not {one_after_the_other(dropped)}. {left}")
        if self._skills and asks_abilities(text):
            return Used(said=abilities(self._skills))
        if policy is SkillPolicy.NEVER or self._ended():
            return Used()
        order = text
        if asked and answer(text) is False:
            order = "" if asks_to_stop(text, self._skills) else after_a_no(text)
            if not possible(self._skills, order):
                return _declined(asked, _SAID_NO)
        elif asked and (answer(text) or self._agrees(asked, text)):
            return await self._act(asked, policy, session, text, agreed=True, must_ask=False)
        elif len(asked) > 1 and after_a_yes(text):
            return _declined(asked, _NO_YES)  # "yes, open it": all of it, or that alone?
        if self._skills and "?" not in text and asks_to_stop(text, self._skills):
            # A model would make something up.
            return Used(said="Nothing that I could cancel is under way.")
        steps = steps_of(self._skills, order)
        choices = [] if steps.why else await self._decide_each(steps.orders or (order,), policy)
        decisions = [each.decision for each in choices if each.decision is not None]
        followed = bool(choices) and len(decisions) == len(choices)
        if asked and order != text and (not followed or _same(decisions, asked)):
            return _declined(asked, _SAID_NO)
        if not followed and asked and "?" not in text:
            return _declined(asked, _NO_YES)
        if not followed and (steps.why or steps.orders) and not self._ended():
            why = steps.why or _which(len(choices), steps.orders, "it is not clear that I should")
            return Used(said=f"{_NONE_FOLLOWED}: {why}. Please say them one by one.")
        if not followed and (why := why_no_order(self._skills, text)):
            return Used(said=f"{_NOT_FOLLOWED}: {why}.")
        if not followed:
            return Used()
        for number, decision in enumerate(decisions, start=1):
            if decision.reason:
                return _refused(decision, _which(number, steps.orders, decision.reason))
        unsure = any(each.unsure for each in choices)
        must_ask = unsure or any(
            self._gate.must_ask(self._skill(each), session) for each in decisions
        )
        if must_ask and policy is SkillPolicy.ALWAYS and not can_ask:
            why = "it is not clear that this is an order" if unsure else "it needs a yes first"
            reason = (
                f"{why}, and a turn without a session_id, or with a grammar, cannot ask whether to"
                f" {one_after_the_other(decisions)}"
            )
            return _refused(decisions[0], reason)
        return await self._act(decisions, policy, session, text, agreed=False, must_ask=must_ask)

    async def _decide_each(self, orders: Sequence[str], policy: SkillPolicy) -> list[Choice]:
        """Return what orders ask for, up to the first that cannot be followed."""
        choices: list[Choice] = []
        for order in orders:
            choices.append(await self._decide(order, policy))
            if choices[-1].decision is None or choices[-1].decision.reason:
                break
        return choices

    async def _decide(self, order: str, policy: SkillPolicy) -> Choice:
        """Return what an order asks for; what would have to be asked about only where it can."""
        offers = possible(self._skills, order)
        request = choice_request(self._skills, offers, order)
        written = await self._choose(request) if request else None
        choice = decision_of(self._skills, offers, order, written)
        return Choice() if choice.unsure and policy is not SkillPolicy.ALWAYS else choice

    def _agrees(self, asked: Sequence[Decision], text: str) -> bool:
        """Whether a text orders what was asked about once more, or a part and nothing else.

        To several steps only a plain yes agrees: a part of them may be meant as no more than that.
        """
        (first, *others) = asked
        skill = next((each for each in self._skills if each.name == first.skill), None)
        if skill is None or others:
            return False
        rest = after_a_yes(text)
        if not rest:
            return not possible(self._skills, text) and takes_up(skill, first, text)
        said = only_reading(self._skills, possible(self._skills, rest), rest)
        return (said is not None and _same([said], asked)) or says_a_part(skill, first, rest)

    async def _act(
        self,
        decisions: Sequence[Decision],
        policy: SkillPolicy,
        session: str,
        text: str,
        *,
        agreed: bool,
        must_ask: bool,
    ) -> Used:
        """Do what was decided: one thing, or several one after the other."""
        steps = [Step(self._skill(each), each) for each in decisions]
        before = ["" if agreed else await self._experience(each) for each in decisions]
        if self._ended():
            return Used()
        if self._held:
            return _refused(decisions[0], "I was told to stop before I began")
        # From here on nothing is awaited: what is true now is still true when it is requested.
        for number, step in enumerate(steps, start=1):
            if reason := self._why_not(steps, number):
                orders = [each.in_words() for each in decisions] if len(steps) > 1 else ()
                return _refused(step.decision, _which(number, orders, reason))
        words = one_after_the_other(decisions, [" again" * bool(each) for each in before])
        if policy is SkillPolicy.DRY_RUN:
            return _used(decisions, Status.DRY_RUN, *before, f"I would {words}.")
        if coming := self._host.to_come():
            reason = f"I am still to {one_after_the_other(coming)}; say stop if I should not"
            return _refused(decisions[0], reason)
        if must_ask:
            self._gate.ask(session, decisions, text, self._host.confirm_seconds)
            return _used(decisions, Status.ASKED, *before, f"Shall I {words}?")
        first, *others = steps
        try:
            if others:
                action_id = self._host.request_plan(steps, session, self._later)
            else:
                action_id = self._host.request_action(*first)
        except SkillRefused as error:
            return _refused(first.decision, str(error))
        self._gate.used(first.skill)
        for step in steps if agreed else ():
            if step.skill.confirm is Confirm.FIRST_TIME:
                self._gate.agree(step.skill, session)
        used = _used(decisions, Status.PLANNED, *before, f"I will {words}.")
        used.decided[0] = Decided(first.decision, Status.REQUESTED, action_id)
        return used

    def _why_not(self, steps: Sequence[Step], number: int) -> str:
        """Return why a step cannot be done, the first of which is 1; empty when it can."""
        skill = steps[number - 1].skill
        if number < len(steps) and not skill.tells_its_end:
            return NO_END
        uses = sum(each.skill is skill for each in steps)
        return self._gate.refusal(skill, uses) or self._host.unreachable(
            skill, awaited=len(steps) > 1
        )

    def _skill(self, decision: Decision) -> Skill:
        return next(each for each in self._skills if each.name == decision.skill)


_SAID_NO = "All right, I will not"
_NO_YES = "I did not take that for a yes, so I will not"
_NOT_FOLLOWED = "I did not take that for an order that I can follow"
_NONE_FOLLOWED = "I did not take that for orders that I can follow one after the other"


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


def _same(some: Sequence[Decision], others: Sequence[Decision]) -> bool:
    return [(each.skill, each.values) for each in some] == [
        (each.skill, each.values) for each in others
    ]


def _which(number: int, orders: Sequence[str], reason: str) -> str:
    """Say of which step a reason is, where there are several."""
    return f'step {number} ("{orders[number - 1]}"): {reason}' if orders else reason


def _told(stopped: Stopped) -> Used:
    """Say what a stop has stopped."""
    said = []
    if stopped.goals:
        words = " and ".join(decision.in_words() for decision, _ in stopped.goals)
        said.append(f"I am stopping: {words}.")
    if stopped.dropped:
        said.append(f"I will not {one_after_the_other(stopped.dropped)}.")
        if not stopped.goals:
            said.append("What has begun I cannot cancel.")
    decided = [Decided(each, Status.STOPPED, name) for each, name in stopped.goals]
    return Used(decided, _joined(*said))


def _declined(decisions: Sequence[Decision], said: str) -> Used:
    return _used(decisions, Status.DECLINED, f"{said} {one_after_the_other(decisions)}.")


def _refused(decision: Decision, reason: str) -> Used:
    return Used(
        [Decided(replace(decision, reason=reason), Status.REFUSED)], f"I cannot do that: {reason}."
    )


def _used(decisions: Sequence[Decision], status: Status, *said: str) -> Used:
    return Used([Decided(each, status) for each in decisions], _joined(*said))


def _joined(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)
