# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `check_skills`: check a file of skills, and try sentences on it, without a robot.

It reads the file as the node does, types and fields of the targets included, and lets the model
decide about each sentence; nothing is ever sent. A fault is one sentence and exit code 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from clara_brain.abilities import abilities, asks_abilities
from clara_brain.confirmation import asks_to_stop
from clara_brain.engine import Engine
from clara_brain.errors import BrainError
from clara_brain.model_info import default_model
from clara_brain.orders import why_no_order
from clara_brain.sequences import steps_of
from clara_brain.settings import EngineSettings
from clara_brain.skill_choice import choice_request, decision_of
from clara_brain.skill_decision import possible
from clara_brain.skill_file import load_skills
from clara_brain.skill_messages import MessageTemplate
from clara_brain.skill_use import NO_END
from clara_brain.skills import Confirm, Parameter, Skill


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--say", "sentences", multiple=True, help="Try this sentence; may be repeated.")
@click.option("--model", type=click.Path(path_type=Path), help="GGUF; default: the one shipped.")
def command(file: Path, sentences: tuple[str, ...], model: Path | None) -> None:
    """Check FILE as the brain node would, and show what Clara may do."""
    skills = load_skills(file)
    templates = {each.name: MessageTemplate(each) for each in skills if each.target}
    console = Console()
    console.print(table(skills))
    if not sentences:
        return
    engine = Engine(model or default_model(), EngineSettings())
    try:
        for said in sentences:
            console.print(f"{said!r}: {tried(engine, skills, templates, said)}", markup=False)
    finally:
        engine.close()


def tried(
    engine: Engine,
    skills: tuple[Skill, ...],
    templates: dict[str, MessageTemplate],
    said: str,
) -> str:
    """Say what the brain would do with a sentence."""
    if asks_to_stop(said, skills):
        return "a stop: Clara cancels what runs"
    if asks_abilities(said):
        return f"no order; Clara says: {abilities(skills)}"
    steps = steps_of(skills, said)
    if steps.why:
        return f"not done, no part of it: {steps.why}"
    if not steps.orders:
        return _tried_order(engine, skills, templates, said)
    tries = [_tried_order(engine, skills, templates, each) for each in steps.orders]
    for at, order in enumerate(steps.orders[:-1]):
        if not all(offer.skill.tells_its_end for offer in possible(skills, order)):
            tries[at] += f"\n  refused: {NO_END}"
    told = [f"\n  {number}. {each}" for number, each in enumerate(tries, start=1)]
    return f"{len(tries)} steps, of which all are done or none{''.join(told)}"


def _tried_order(
    engine: Engine,
    skills: tuple[Skill, ...],
    templates: dict[str, MessageTemplate],
    said: str,
) -> str:
    offers = possible(skills, said)
    if not offers:
        why = why_no_order(skills, said)
        return (
            f"no order for any skill: {why}" if why else "no order for any skill; Clara just talks"
        )
    request = choice_request(skills, offers, said)
    written = engine.complete(request).text if request else None
    choice = decision_of(skills, offers, said, written)
    decision = choice.decision
    if decision is None:
        return "no order, says the model; an example like it would help"
    if choice.unsure:
        hint = " An example like it would help" * bool(request)
        return f"Clara asks: Shall I {decision.in_words()}?{hint}"
    if decision.reason:
        return f"refused: {decision.reason}"
    sent = decision.in_words()
    if decision.skill in templates:
        message = templates[decision.skill].build(decision.values)
        sent += f"\n  sends {type(message).__name__}: {message}"
    return sent


def table(skills: tuple[Skill, ...]) -> Table:
    """Return a table of what Clara may do, folded: a name cut short cannot be copied."""
    headers = ("skill", "parameters", "asks first", "at most", "target")
    drawn = Table(*(Column(header, overflow="fold") for header in headers))
    for skill in skills:
        target = skill.target
        rate = skill.at_most
        drawn.add_row(
            skill.name,
            "\n".join(map(_parameter, skill.parameters)),
            "" if skill.confirm is Confirm.NEVER else skill.confirm.value,
            f"{rate.uses} per {rate.period:g} s" if rate else "",
            f"{target.name}\n{target.type}" if target else "action_request",
        )
    return drawn


def _parameter(parameter: Parameter) -> str:
    limits = ", ".join(parameter.choices)
    if parameter.numeric:
        limits = f"{parameter.minimum:g} to {parameter.maximum:g} {parameter.unit}".rstrip()
    default = "" if parameter.default is None else f" ({parameter.default})"
    return f"{parameter.name}: {limits or parameter.type}{default}"


def main() -> None:
    """Run the command."""
    try:
        command.main(prog_name="check_skills", standalone_mode=False)
    except BrainError as error:
        click.echo(f"check_skills: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


if __name__ == "__main__":
    main()
