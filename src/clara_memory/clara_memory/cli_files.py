# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-memory correct`, `forget`, `pin`, `rebuild`, `verify`, `completion`.

Before anything is forgotten it is counted, and the count confirmed.
"""

import json
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from clara_memory.bag import read_bag, replay
from clara_memory.cli_options import (
    as_number,
    door,
    parse_role,
    progress,
    roles,
    to_ns,
    where,
)
from clara_memory.episode import CORRECTABLE, STANDARD_ROLES, RoleFiller
from clara_memory.errors import MemoryFault, NotAMemory
from clara_memory.formats import episode_to_json
from clara_memory.memory import EpisodicMemory
from clara_memory.settings import MemorySettings
from clara_memory.tables import what

_BATCH = 1000


@click.command()
@click.argument("episode_ids", nargs=-1)
@roles
@click.option("--since", type=click.DateTime(), help="Ended at or after (local time).")
@click.option("--until", type=click.DateTime(), help="Ended at or before (local time).")
@click.option("--reason", default="", help="Kept in the audit log.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
@where
def forget(
    episode_ids: tuple[str, ...],
    others: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    reason: str,
    dry_run: bool,
    yes: bool,
    **at: Any,
) -> None:
    """Forget episodes for good: those with EPISODE_IDS, or those that fit all that is given."""
    asked = {role: at.pop(role) for role in STANDARD_ROLES}
    fillers = [RoleFiller(role, filler) for role, filler in asked.items() if filler]
    conditions: dict[str, Any] = {
        "episode_ids": episode_ids,
        "since_ns": to_ns(since),
        "until_ns": to_ns(until),
    }
    # A robot may have stored 101 as a text or as a number: both are meant.
    readings = [dict.fromkeys((one, as_number(one))) for one in map(parse_role, others)]
    with door(at, write=not dry_run) as memory:
        counts = {
            fit: memory.forget(**conditions, where=[*fillers, *fit], dry_run=True)
            for fit in product(*readings)
        }
        count = sum(counts.values())
        forgotten = 0
        if count and not dry_run:
            if not yes:
                click.confirm(f"Forget {count} episodes for good?", abort=True, err=True)
            forgotten = sum(
                memory.forget(**conditions, where=[*fillers, *fit], reason=reason)
                for fit, there in counts.items()
                if there
            )
    if at["as_json"]:
        click.echo(json.dumps({"fit": count, "forgotten": forgotten}))
    elif dry_run:
        click.echo(f"{count} episodes would be forgotten")
    else:
        click.echo(f"{forgotten} episodes forgotten")


@click.command()
@click.argument("episode_id")
@click.option("--subject", help="Who it was.")
@click.option("--action", help="What was done.")
@click.option("--object", help="To what.")
@click.option("--result", help="How it ended.")
@click.option("--detail", help="A sentence for people.")
@where
def correct(episode_id: str, **at: Any) -> None:
    """Correct what was recorded wrongly of EPISODE_ID; its id and times stay."""
    given = {field: at.pop(field) for field in CORRECTABLE}
    changes = {field: value for field, value in given.items() if value is not None}
    with door(at, write=True) as memory:
        episode = memory.correct(episode_id, **changes)
    if at["as_json"]:
        click.echo(json.dumps(episode_to_json(episode), ensure_ascii=False))
    else:
        click.echo(f"corrected: {what(episode)}, {episode.outcome.name}")


@click.command()
@click.argument("episode_ids", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Unpin them.")
@where
def pin(episode_ids: tuple[str, ...], undo: bool, **at: Any) -> None:
    """Keep episodes whatever the forgetting policy says."""
    with door(at, write=True) as memory:
        changed = memory.pin(episode_ids, not undo)
    click.echo(json.dumps({"changed": changed}) if at["as_json"] else f"{changed} changed")


@click.command()
@click.argument("bag", type=click.Path(path_type=Path))
@click.option(
    "--robot", default=MemorySettings().robot, show_default=True, help="The node's parameter."
)
@where
def rebuild(bag: Path, robot: str, **at: Any) -> None:
    """Make the memory anew from a recorded BAG (MCAP) of action_event and action_result."""
    if at["file"] is None:
        raise MemoryFault("rebuild needs a file to make: --file PATH")
    with (
        EpisodicMemory(at["file"], robot=robot) as memory,
        progress(at, f"reading {bag}") as advance,
    ):
        before = len(memory)
        count = replay(memory, read_bag(bag), advance)
        added = len(memory) - before
    if at["as_json"]:
        click.echo(json.dumps({"messages": count, "added": added}))
    else:
        click.echo(f"{count} messages read, {added} episodes made")


@click.command()
@where
def verify(**at: Any) -> None:
    """Check the file and every row of it; needs --file, and fails when anything is damaged."""
    if at["file"] is None:
        raise MemoryFault("verify needs the memory's file: --file PATH")
    wrong: list[str] = []
    count = 0
    try:
        with (
            EpisodicMemory(at["file"], read_only=True) as memory,
            progress(at, f"checking {at['file']}", len(memory)) as advance,
        ):
            for count, problem in memory.verify():
                wrong += [problem] if problem else []
                if count % _BATCH == 0:
                    advance(count)
    except NotAMemory as error:
        wrong.append(str(error))
    if at["as_json"]:
        click.echo(json.dumps({"episodes": count, "damage": wrong}, ensure_ascii=False))
    for problem in wrong if not at["as_json"] else ():
        click.echo(problem)
    if wrong:
        raise MemoryFault(f"{at['file']} is damaged in {len(wrong)} places")
    if not at["as_json"]:
        click.echo(f"{count:,} episodes, all sound")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete this command: eval "$(clara-memory completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    click.echo(kind(root, {}, "clara-memory", "_CLARA_MEMORY_COMPLETE").source())


COMMANDS = (correct, forget, pin, rebuild, verify, completion)
