# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a sentence says for the parameters of a skill: slot filling, without a model.

`choice_slots`, `number_slots` and `flag_slots` fill them; here is what they share.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from clara_brain.skills import Parameter

OR = re.compile(r"\bor\b", re.IGNORECASE)


@dataclass(frozen=True)
class Slots:
    """The spellings that each parameter may have, and the parameters that were plainly said."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()


def rivals(
    parameters: Sequence[Parameter], fitting: Mapping[str, Set[Hashable]]
) -> list[list[Parameter]]:
    """Return the parameters, those together that something said may be for.

    `fitting` has for each by its name what that is.
    """
    groups: list[list[Parameter]] = []
    for each in parameters:
        own = fitting[each.name]
        shared = [g for g in groups if any(own & fitting[p.name] for p in g)]
        groups = [g for g in groups if g not in shared]
        groups.append([*(p for g in shared for p in g), each])
    return [sorted(group, key=parameters.index) for group in groups]
