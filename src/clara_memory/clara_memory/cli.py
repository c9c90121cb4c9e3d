# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara-memory`, with a running node or on a file.

A file can be read while a node has it open; changing it needs the node to be stopped.
"""

import json
import sys
from datetime import datetime
from typing import Any

import click

from clara_memory import cli_files, cli_people, cli_transfer, tables
from clara_memory.cli_options import (
    as_number,
    door,
    parse_near,
    parse_range,
    parse_role,
    roles,
    to_ns,
    where,
)
from clara_memory.episode import STANDARD_ROLES, Episode, Outcome, RoleFiller
from clara_memory.errors import MemoryFault
from clara_memory.memory import EpisodicMemory
from clara_memory.retrieval import MAX_EPISODES, MAX_TOP_K, Query


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Clara's memory: what the robot did, to what, and how it went.

    Each command asks the running memory node, or with --file the memory's file.
    """


@commands.command()
@roles
@click.option("--detail", default="", help="A sentence for people.")
@click.option("--robot", default="", help="The robot that lived it.")
@where
def store(
    subject: str,
    action: str,
    object: str,
    result: str,
    others: tuple[str, ...],
    detail: str,
    robot: str,
    **at: Any,
) -> None:
    """Store one episode and print its id."""
    context = tuple(as_number(filler) for filler in map(parse_role, others))
    episode = Episode(
        subject=subject,
        action=action,
        object=object,
        result=result,
        detail=detail,
        robot=robot,
        context=context,
    )
    with door(at, write=True, make=True) as memory:
        if isinstance(memory, EpisodicMemory):
            identity = memory.store(episode, source="file").episode_id
        else:
            identity = memory.store(episode)
    click.echo(json.dumps({"episode_id": identity}) if at["as_json"] else f"stored {identity}")


@commands.command()
@click.argument("text", nargs=-1)
@roles
@click.option("--ask", multiple=True, metavar="ROLE", help="A role wanted; may be repeated.")
@click.option("--top-k", type=click.IntRange(0, MAX_TOP_K), default=0, help="Candidates a role.")
@click.option(
    "--max-episodes", type=click.IntRange(0, MAX_EPISODES), default=0, help="Episodes to show."
)
@click.option("--since", type=click.DateTime(), help="Ended at or after (local time).")
@click.option("--until", type=click.DateTime(), help="Ended at or before (local time).")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice([outcome.name for outcome in Outcome], case_sensitive=False),
    help="Only this outcome; may be repeated.",
)
@click.option("--robot", "robots", multiple=True, help="Only this robot; may be repeated.")
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="ROLE=LOW:HIGH",
    help="Only numbers from LOW to HIGH, either of which may be left out; may be repeated.",
)
@click.option(
    "--near",
    "nears",
    multiple=True,
    metavar="ROLE=X,Y[,Z][@FRAME]:METRES",
    help="Only places at most so many METRES away; may be repeated.",
)
@click.option("--half-life", type=float, default=0.0, help="Seconds in which age counts half.")
@click.option("--guess", is_flag=True, help="Go on with the nearest filler, however unlike.")
@where
def query(
    text: tuple[str, ...],
    others: tuple[str, ...],
    ask: tuple[str, ...],
    top_k: int,
    max_episodes: int,
    since: datetime | None,
    until: datetime | None,
    outcomes: tuple[str, ...],
    robots: tuple[str, ...],
    ranges: tuple[str, ...],
    nears: tuple[str, ...],
    half_life: float,
    guess: bool,
    **at: Any,
) -> None:
    """Ask by roles, by free TEXT, or both; without either, list the latest episodes."""
    cue = [RoleFiller(role, at[role]) for role in STANDARD_ROLES if at[role]]
    asked = Query(
        cue=(*cue, *map(parse_role, others)),
        text=" ".join(text),
        ask=ask,
        top_k=top_k,
        max_episodes=max_episodes,
        since_ns=to_ns(since),
        until_ns=to_ns(until),
        outcomes=tuple(Outcome[name.upper()] for name in outcomes),
        robots=robots,
        ranges=(*map(parse_range, ranges), *map(parse_near, nears)),
        recency_half_life_s=half_life,
        guess=guess,
    )
    with door(at) as memory:
        answer = memory.ask(asked)
    if at["as_json"]:
        click.echo(json.dumps(tables.answer_to_json(answer), ensure_ascii=False))
    else:
        tables.show_answer(answer)


@commands.command()
@where
def stats(**at: Any) -> None:
    """Show the figures of the memory."""
    with door(at) as memory:
        figures = memory.stats()
    if at["as_json"]:
        click.echo(json.dumps(tables.stats_to_json(figures), ensure_ascii=False))
    else:
        tables.show_stats(figures)


for command in (*cli_people.COMMANDS, *cli_transfer.COMMANDS, *cli_files.COMMANDS):
    commands.add_command(command)


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and exit code 1."""
    try:
        commands.main(prog_name="clara-memory")
    except MemoryFault as error:
        click.echo(f"clara-memory: {error}", err=True)
        sys.exit(1)
