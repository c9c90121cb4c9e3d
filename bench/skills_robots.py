#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Orders, stops and everything else for eight robots: how often Clara does what was meant.

`bench/robots/` has their skills, written by the documents alone, and 2,267 utterances with what
was meant, written before any was tried: a skill and its values, `stop`, `-` for no order, `half`
for two orders at once, of which none may be done alone, and `~` before what may be done or not.
An action is wrong when it was not asked for, or has another value than was said.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from clara_brain.confirmation import asks_to_stop
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.settings import EngineSettings
from clara_brain.skill_choice import choice_request, decision_of
from clara_brain.skill_decision import possible
from clara_brain.skill_file import load_skills
from clara_brain.skills import Parameter, Skill, Value
from report import report

ROBOTS = Path(__file__).resolve().parent / "robots"
Meant = tuple[str, dict[str, Value]]
COUNTED = (
    *("utterances", "wrong", "stops", "stops_missed", "orders", "obeyed", "asked", "missed"),
    *("no_orders", "asked_for_none"),
)


def meant(skills: tuple[Skill, ...], written: str) -> Meant:
    """Read "fly direction=up, distance=5": the skill and all its values, defaults among them."""
    name, _, rest = written.partition(" ")
    skill = next(each for each in skills if each.name == name)
    values = {each.name: each.default for each in skill.parameters if each.default is not None}
    for pair in filter(None, rest.split(", ")):
        key, _, value = pair.partition("=")
        parameter = skill.parameter(key)
        assert parameter, written
        values[key] = _value(parameter, value)
    return name, values


def _value(parameter: Parameter, written: str) -> Value:
    if parameter.numeric:
        return float(written)
    return written == "true" if parameter.type == "boolean" else written


def is_same(done: Meant, wanted: Meant) -> bool:
    """Whether skill and values are the same, but for the letter case and end of a text."""
    return done[0] == wanted[0] and _plain(done[1]) == _plain(wanted[1])


def _plain(values: dict[str, Value]) -> dict[str, Value]:
    return {
        name: value.lower().strip(" .!") if isinstance(value, str) else value
        for name, value in values.items()
    }


def decided(engine: Engine, skills: tuple[Skill, ...], said: str) -> tuple[str, Meant | None]:
    """Return "stop", "talk", "refused", or "act" or "ask" with what would be done."""
    if "?" not in said and asks_to_stop(said, skills):
        return "stop", None
    offers = possible(skills, said)
    request = choice_request(skills, offers, said)
    written = engine.complete(request).text if request else None
    choice = decision_of(skills, offers, said, written)
    if choice.decision is None or choice.decision.reason:
        return "refused" if choice.decision else "talk", None
    what = choice.decision.skill, dict(choice.decision.values)
    return "ask" if choice.unsure else "act", what


def judge(engine: Engine, path: Path, says: list[str]) -> Counter[str]:
    """Say everything to a robot, and count; what went wrong is printed."""
    robot, skills = path.stem, load_skills(path)
    tally: Counter[str] = Counter()
    for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        wanted, _, said = line.partition(" | ")
        kind, what = decided(engine, skills, said)
        tally["utterances"] += 1
        is_order = wanted not in ("stop", "-", "half")
        right = is_order and what is not None and is_same(what, meant(skills, wanted.lstrip("~")))
        if kind == "act" and not right:
            tally["wrong"] += 1
            print(f"{robot}: WRONG: {said!r}: {what}")
        if wanted == "stop":
            tally["stops"] += 1
            tally["stops_missed"] += kind != "stop"
        elif not is_order:
            tally["no_orders"] += 1
            tally["asked_for_none"] += kind == "ask"
        elif not wanted.startswith("~"):
            tally["orders"] += 1
            outcome = {"act": "obeyed", "ask": "asked"}.get(kind, "missed") if right else "missed"
            tally[outcome] += 1
            if outcome in says:
                print(f"{robot}: {outcome}: {said!r}")
    return tally


def judge_all(
    doc: str,
    what: str,
    files: Iterable[Path],
    judge: Callable[[Engine, Path, list[str]], Counter[str]],
    counted: Sequence[str],
) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Judge every robot as the command line says; return the rows to print and the figures.

    `doc` says what the command does; `what` is meant to be obeyed, as "orders".
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="0: the physical cores")
    parser.add_argument("--missed", action="store_true", help=f"print the {what} not obeyed")
    arguments = parser.parse_args()
    says = ["missed", "asked"] if arguments.missed else []
    engine = Engine(default_model(), EngineSettings(n_ctx=4096, n_threads=arguments.threads))
    total: Counter[str] = Counter()
    rows, figures = {}, {}
    try:
        for path in sorted(files):
            tally = judge(engine, path, says)
            total.update(tally)
            figures[path.stem] = {name: tally[name] for name in counted}
            rows[f"{path.stem}: {what} obeyed"] = f"{tally['obeyed']} of {tally[what]}"
    finally:
        engine.close()
    figures["all"] = {name: total[name] for name in counted}
    rows["utterances"] = str(total["utterances"])
    rows["wrong"] = str(total["wrong"])
    rows["stops missed"] = f"{total['stops_missed']} of {total['stops']}"
    rows[f"{what} obeyed"] = f"{total['obeyed']} of {total[what]}"
    rows[f"{what} asked about"] = f"{total['asked']} of {total[what]}"
    return rows, figures


def main() -> None:
    """Judge every robot and print the figures."""
    rows, figures = judge_all(__doc__, "orders", ROBOTS.glob("*.yaml"), judge, COUNTED)
    told = figures["all"]
    rows["asks about what is no order"] = f"{told['asked_for_none']} of {told['no_orders']}"
    report("skills_robots", f"Eight robots, with {default_model().name}", rows, figures)


if __name__ == "__main__":
    main()
