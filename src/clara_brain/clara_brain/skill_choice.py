# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which skill a sentence asks for: by the rules alone where they suffice, else with the model.

The brain, `check_skills` and the bench all decide by this: `choice_request` is what the model is
to be asked, and `decision_of` is what comes of its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clara_brain.backend import Request
from clara_brain.orders import Offer
from clara_brain.plain_orders import only_reading, word_for_word
from clara_brain.prompt import RawPrompt
from clara_brain.skill_decision import (
    GREEDY,
    MAX_TOKENS,
    Decision,
    decide,
    decision_prompt,
    grammar,
)
from clara_brain.skills import Skill


@dataclass(frozen=True)
class Choice:
    """The skill that a sentence asks for, if any; one that is `unsure` wants a yes first."""

    decision: Decision | None = None
    unsure: bool = False


def choice_request(skills: Sequence[Skill], offers: Sequence[Offer], text: str) -> Request | None:
    """Return the request that lets the model choose one of the offers; None where it need not."""
    if not offers or word_for_word(skills, offers, text) is not None:
        return None
    sampling = replace(GREEDY, grammar=grammar(offers))
    return Request(RawPrompt(decision_prompt(skills, text)), sampling, MAX_TOKENS)


def decision_of(
    skills: Sequence[Skill], offers: Sequence[Offer], text: str, written: str | None
) -> Choice:
    """Return what a sentence asks for.

    `written` is the model's answer to `choice_request`; None where it gave none, as one that was
    cut short.
    """
    decision = word_for_word(skills, offers, text)
    if decision is None and written is not None:
        decision = decide(skills, written, text)
        if decision is None:
            decision = only_reading(skills, offers, text)
            return Choice(decision, unsure=decision is not None)
    if decision is None:
        return Choice()
    offer = next((each for each in offers if each.skill.name == decision.skill), None)
    return Choice(decision, unsure=offer is not None and offer.unsure)
