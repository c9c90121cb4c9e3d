# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Patterns: what they fit, and what is wrong with those that are none."""

import pytest
from clara_memory.patterns import parse

from clara_memory import Episode, InvalidRequest, Outcome, RoleFiller

SPILL = Episode(
    action="POUR",
    object="JUICE",
    robot="ADA",
    outcome=Outcome.FAILED,
    result="SPILLED",
    context=(RoleFiller("place", "the dock"),),
)


@pytest.mark.parametrize(
    "written",
    [
        "action=pour",
        "outcome=FAILED",
        "result=failure object=Juice",
        "result=spilled",
        "place='the dock' robot=ada",
        'action=POUR place="The_Dock"',
    ],
)
def test_a_pattern_fits_where_all_its_parts_are_equal(written):
    assert parse("p", written).fits(SPILL)


@pytest.mark.parametrize(
    "written", ["action=pou", "outcome=SUCCEEDED", "place=dock", "tool=spoon", "robot=bob"]
)
def test_a_pattern_does_not_fit_otherwise(written):
    assert not parse("p", written).fits(SPILL)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "is empty"),
        ("POUR", "role=filler"),
        ("action=", "role=filler"),
        ("outcome=maybe", "none of UNKNOWN, SUCCEEDED"),
        ("Action=POUR", "lower case"),
        ("action='POUR", "No closing quotation"),
        ("action=A action=B", "given twice"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_fault(written, problem):
    with pytest.raises(InvalidRequest, match=problem):
        parse("match_patterns", written)
