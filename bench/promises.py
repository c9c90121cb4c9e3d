#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How often the model promises an act that no skill does, and how often it is kept from it.

Each sentence is said after three orders that were obeyed, and by itself. What the model says by
itself is judged by its first sentence: "I will ..." or "I'll ...", whatever follows. The same is
then said with the beginning of the reply held back, as the brain does.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import yaml
from clara_brain.engine import Engine, Request
from clara_brain.model_info import default_model
from clara_brain.prompt import ChatPrompt, Exchange
from clara_brain.reply_guard import NoPromise
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from clara_brain.skill_file import load_skills
from clara_brain.skill_use import SkillPolicy, no_promise
from clara_brain.skills import Skill
from report import report

DATA = Path(__file__).resolve().parent.parent / "src" / "clara_brain" / "test" / "data"
PERSONA = (
    "You are Clara, the voice and mind of a robot. You are warm. Answer briefly, in one to three"
    " sentences."
)
OBEYED = (
    Exchange("go to the kitchen", "I will go to the kitchen."),
    Exchange("pick up the cup", "I will pick up the cup."),
    Exchange("bring it to me", "I will bring the cup to you."),
)
GREEDY = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0)
PROMISES = re.compile(r"^[^.!?]*\b(i|we)( will|['\u2019]ll|( am|['\u2019]m) going to)\b", re.I)
TOKENS = 24


def said(
    engine: Engine, text: str, history: tuple[Exchange, ...], held: NoPromise | None
) -> tuple[str, bool]:
    """Return what is replied, and whether that is the model's own."""
    prompt = ChatPrompt(PERSONA, text, history)
    reply = engine.complete(Request(prompt, GREEDY, TOKENS, no_promise=held)).text
    return reply, not (held and reply == held.instead)


def measure(
    engine: Engine, skills: tuple[Skill, ...], texts: list[str], history: tuple[Exchange, ...]
) -> dict[str, int]:
    """Say everything twice, and count."""
    figures = {"sentences": len(texts), "promised": 0, "promised_held": 0, "replaced": 0}
    for text in texts:
        free, _ = said(engine, text, history, None)
        held, own = said(engine, text, history, no_promise(skills, text, SkillPolicy.ALWAYS))
        figures["promised"] += bool(PROMISES.search(free))
        figures["promised_held"] += own and bool(PROMISES.search(held))
        figures["replaced"] += not own
        if own and PROMISES.search(held):
            print(f"still said to {text!r}: {held!r}")
    return figures


def main() -> None:
    """Measure orders and talk, with and without a history."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=0, help="0: the physical cores")
    arguments = parser.parse_args()
    texts = yaml.safe_load((DATA / "utterances_no_skill.yaml").read_text(encoding="utf-8"))
    skills = load_skills(DATA / "skills.yaml")
    engine = Engine(default_model(), EngineSettings(n_ctx=1024, n_threads=arguments.threads))
    rows, figures = {}, {}
    try:
        for kind in ("orders", "talk"):
            for name, history in (("after three obeyed orders", OBEYED), ("said first", ())):
                found = measure(engine, skills, texts[kind], history)
                figures[f"{kind} {name}"] = found
                of = found["sentences"]
                rows[f"{kind} {name}: promised by the model"] = f"{found['promised']} of {of}"
                rows[f"{kind} {name}: promised by Clara"] = f"{found['promised_held']} of {of}"
                rows[f"{kind} {name}: replies replaced"] = f"{found['replaced']} of {of}"
    finally:
        engine.close()
    report("promises", f"Promises, by {default_model().name}", rows, figures)


if __name__ == "__main__":
    main()
