#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How often the model that ships uses a skill when it should, and when it should not.

Five sets of utterances for three robots: the one that the rules for orders were made with; two
that were held out at first, and showed that words unknown to a skill must forbid it; and two that
were written after that, of which one utterance ("close to the gate") gave rise to a last rule,
that of another verb. Each set has orders and everything else: questions, small talk, orders for
later, quoted logs, planted calls. An action is wrong when it was not asked for, or has another
value than was said; those are printed, and there should be none. A refusal with a reason is no
action, nor is a question for a yes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.settings import EngineSettings
from clara_brain.skill_choice import choice_request, decision_of
from clara_brain.skill_decision import possible
from clara_brain.skill_file import load_skills
from clara_brain.skills import Skill
from report import report

DATA = Path(__file__).resolve().parent.parent / "src" / "clara_brain" / "test" / "data"
# Title, skills, utterances.
SETS = (
    ("made with", "skills.yaml", "utterances.yaml"),
    ("seen since, same robot", "skills.yaml", "utterances_held_out.yaml"),
    ("seen since, another robot", "home.yaml", "utterances_home.yaml"),
    ("written last, same robot", "skills.yaml", "utterances_second.yaml"),
    ("written last, a third robot", "garden.yaml", "utterances_garden.yaml"),
)


class Tally:
    """What came of a set."""

    def __init__(self) -> None:
        self.orders = self.obeyed = self.refused = self.asks = self.asked_model = self.said = 0
        self.wrong: list[str] = []
        self.missed: list[str] = []


def decided(engine: Engine, skills: tuple[Skill, ...], said: str, tally: Tally) -> object:
    """Return skill and values as (name, values), "refused", "asks" ("Shall I ...?"), or None."""
    offers = possible(skills, said)
    request = choice_request(skills, offers, said)
    tally.asked_model += request is not None
    written = engine.complete(request).text if request else None
    choice = decision_of(skills, offers, said, written)
    if choice.decision is None or choice.unsure:
        return "asks" if choice.unsure else None
    refused = choice.decision.reason
    return "refused" if refused else (choice.decision.skill, choice.decision.values)


def measure(engine: Engine, skills_name: str, utterances_name: str) -> Tally:
    """Say everything in a set."""
    skills = load_skills(DATA / skills_name)
    tally = Tally()
    for utterance in yaml.safe_load((DATA / utterances_name).read_text(encoding="utf-8")):
        said, tally.said = utterance["say"], tally.said + 1
        got = decided(engine, skills, said, tally)
        want = (utterance["do"], utterance.get("with", {})) if "do" in utterance else None
        if got == "refused":
            tally.refused += 1
        elif got == "asks":
            tally.asks += 1
        elif got is not None and got != want:
            tally.wrong.append(f"{said!r}: {got}")
        if want and not utterance.get("or_nothing"):
            tally.orders += 1
            tally.obeyed += got == want
            if got != want:
                tally.missed.append(f"{said!r}: {got}")
    return tally


def main() -> None:
    """Measure every set and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="0: the physical cores")
    parser.add_argument("--missed", action="store_true", help="print the orders not obeyed")
    arguments = parser.parse_args()
    engine = Engine(default_model(), EngineSettings(n_ctx=2048, n_threads=arguments.threads))
    rows, figures = {}, {}
    try:
        for title, skills_name, utterances_name in SETS:
            tally = measure(engine, skills_name, utterances_name)
            rows[f"{title}: utterances"] = str(tally.said)
            rows[f"{title}: wrong actions"] = str(len(tally.wrong))
            rows[f"{title}: orders obeyed"] = f"{tally.obeyed} of {tally.orders}"
            rows[f"{title}: refused with a reason"] = str(tally.refused)
            rows[f"{title}: asks whether to"] = str(tally.asks)
            rows[f"{title}: the model was asked"] = str(tally.asked_model)
            figures[title] = vars(tally)
            for each in tally.wrong:
                print(f"WRONG in {utterances_name}: {each}")
            for each in tally.missed if arguments.missed else ():
                print(f"not obeyed in {utterances_name}: {each}")
    finally:
        engine.close()
    report("skills", f"Skills, with {default_model().name}", rows, figures)


if __name__ == "__main__":
    main()
