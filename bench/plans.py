#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Orders of several steps, and what only looks like them: how often Clara does what was meant.

`bench/plans/` has utterances for thirteen robots with what was meant, written before they were
tried: the steps in their order, each a skill and its values, joined by ` ; `; `-` where nothing
may be done; `stop`; `~` before what may be done or not, and `?` before what may be asked about,
but not done. Most are near-misses: reported speech, negations, conditions, alternatives,
corrections, lists of values. One is wrong when a step is done that was not meant, or one too few.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from clara_brain.confirmation import asks_to_stop
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.sequences import steps_of
from clara_brain.skill_choice import choice_request, decision_of
from clara_brain.skill_decision import possible
from clara_brain.skill_file import load_skills
from clara_brain.skills import Skill
from report import report
from skills_robots import ROBOTS, Meant, is_same, judge_all, meant

HERE = Path(__file__).resolve().parent
PLANS = HERE / "plans"
DATA = HERE.parent / "src" / "clara_brain" / "test" / "data"
COUNTED = (
    *("utterances", "wrong", "stops", "stops_missed", "plans", "obeyed", "asked", "missed"),
    *("near_misses", "asked_for_none"),
)


def decided(engine: Engine, skills: tuple[Skill, ...], said: str) -> tuple[str, list[Meant]]:
    """Return "stop", "nothing", or "act" or "ask" with the steps that would be done."""
    if asks_to_stop(said, skills):
        return "stop", []
    steps = steps_of(skills, said)
    if steps.why:
        return "nothing", []
    kind, done = "act", []
    for order in steps.orders or (said,):
        offers = possible(skills, order)
        request = choice_request(skills, offers, order)
        written = engine.complete(request).text if request else None
        choice = decision_of(skills, offers, order, written)
        if choice.decision is None or choice.decision.reason:
            return "nothing", []
        kind = "ask" if choice.unsure else kind
        done.append((choice.decision.skill, dict(choice.decision.values)))
    return kind, done


def judge(engine: Engine, path: Path, says: list[str]) -> Counter[str]:
    """Say everything to a robot, and count; what went wrong is printed."""
    file = f"{path.stem}.yaml"
    skills = load_skills(ROBOTS / file if (ROBOTS / file).exists() else DATA / file)
    tally: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted, _, said = line.partition(" | ")
        kind, done = decided(engine, skills, said)
        tally["utterances"] += 1
        names = wanted.lstrip("~?").split(" ; ") if wanted not in ("stop", "-") else []
        steps = [meant(skills, each) for each in names]
        right = bool(done) and len(done) == len(steps) and all(map(is_same, done, steps))
        if kind == "act" and (not right or wanted.startswith("?")):
            tally["wrong"] += 1
            print(f"{path.stem}: WRONG: {said!r}: {done}")
        if wanted == "stop":
            tally["stops"] += 1
            tally["stops_missed"] += kind != "stop"
        elif len(steps) > 1 and wanted[0] not in "~?":
            tally["plans"] += 1
            outcome = {"act": "obeyed", "ask": "asked"}.get(kind, "missed") if right else "missed"
            tally[outcome] += 1
            if outcome in says:
                print(f"{path.stem}: {outcome}: {said!r}")
        else:
            tally["near_misses"] += 1
            tally["asked_for_none"] += kind == "ask" and not right
    return tally


def main() -> None:
    """Judge every robot and print the figures."""
    rows, figures = judge_all(__doc__, "plans", PLANS.glob("*.txt"), judge, COUNTED)
    told = figures["all"]
    rows["asks about what is none"] = f"{told['asked_for_none']} of {told['near_misses']}"
    report("plans", f"Several steps, with {default_model().name}", rows, figures)


if __name__ == "__main__":
    main()
