# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the commands of `clara-memory` share: options, and the door to a file or a running node."""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from clara_memory.episode import STANDARD_ROLES, Kind, RoleFiller
from clara_memory.errors import InvalidRequest, MeaningUnavailable, MemoryFault
from clara_memory.meaning import Embedder, wordllama_embedder
from clara_memory.memory import EpisodicMemory
from clara_memory.ranges import RoleRange


def where(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which memory is meant."""
    for option in (
        click.option(
            "--file",
            type=click.Path(path_type=Path),
            envvar="CLARA_MEMORY_FILE",
            show_envvar=True,
            help="The memory's file; without it the running node is asked.",
        ),
        click.option("--namespace", default="clara", show_default=True, help="Of the node."),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 600),
            default=10.0,
            show_default=True,
            help="Seconds to wait for the node.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        command = option(command)
    return command


def roles(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each standard role, and one for all others."""
    command = click.option(
        "--role", "others", multiple=True, metavar="ROLE=FILLER", help="Any other role."
    )(command)
    for role in reversed(STANDARD_ROLES):
        command = click.option(f"--{role}", default="", help=f"Filler of the role {role}.")(
            command
        )
    return command


@contextmanager
def door(at: dict[str, Any], *, write: bool = False, make: bool = False) -> Iterator[Any]:
    """Give the memory of the file, or a client of the running node.

    Only with `make` a file that is not there is made: what changes episodes finds none in it, and
    a name typed wrongly would go unnoticed. Damaged episodes of a file are left out; which they
    were is said, and an error, at the end.
    """
    if at["file"] is not None:
        file = at["file"].expanduser().absolute()
        if write and not make and not file.is_file():
            raise MemoryFault(f"there is no memory {file}")
        damaged: dict[str, None] = {}
        with EpisodicMemory(
            file,
            read_only=not write,
            meaning=_meaning(write),
            damaged=lambda row: damaged.setdefault(row),
        ) as memory:
            if memory.set_aside:
                click.echo(f"{file} was damaged: set aside as {memory.set_aside}", err=True)
            # Behind all that the command prints.
            click.get_current_context().call_on_close(lambda: _tell_damage(damaged))
            yield memory
        return
    try:
        # ROS is needed only here: with --file the command runs without it.
        from clara_memory.node_client import NodeClient
    except ImportError as error:
        raise MemoryFault(
            f"ROS 2 is not set up here ({error}): source it, or use --file PATH"
        ) from error
    client = NodeClient(at["namespace"], at["timeout"])
    try:
        yield client
    finally:
        client.close()


@contextmanager
def file_of(at: dict[str, Any], *, make: bool = False) -> Iterator[EpisodicMemory]:
    """Give the memory of the file to change, for what a running node does not do."""
    if at["file"] is None:
        raise MemoryFault("this needs the memory's file: --file PATH (stop the node first)")
    with door(at, write=True, make=make) as memory:
        yield memory


@contextmanager
def progress(
    at: dict[str, Any], what: str, total: int | None = None
) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal's stderr, and give what moves it to a count."""
    console = Console(stderr=True)
    with Progress(console=console, disable=at["as_json"] or not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)
        yield lambda count: shown.update(task, completed=count)


def _tell_damage(damaged: Collection[str]) -> None:
    for row in damaged:
        click.echo(row, err=True)
    if damaged:
        count = "1 episode" if len(damaged) == 1 else f"{len(damaged)} episodes"
        raise MemoryFault(f"{count} left out, being damaged")


def parse_role(written: str) -> RoleFiller:
    """Return the filler of an option place=dock."""
    role, equals, filler = written.partition("=")
    if not equals:
        raise InvalidRequest("--role", f"is {written!r}: write it as place=dock")
    return RoleFiller(role.strip(), filler.strip())


def parse_range(written: str) -> RoleRange:
    """Return the range of an option battery=0.1:0.3; a bound that is left out is none."""
    role, equals, bounds = written.partition("=")
    low, colon, high = bounds.partition(":")
    try:
        if equals and colon:
            return RoleRange(role.strip(), float(low or -math.inf), float(high or math.inf))
    except ValueError:
        pass
    raise InvalidRequest(
        "--range", f"is {written!r}: write it as battery=0.1:0.3, speed=:0.5 or speed=0.1:"
    )


def parse_near(written: str) -> RoleRange:
    """Return the range of an option at=1,2,0@map:2.5; without z it is 0, without a frame any."""
    role, equals, place = written.partition("=")
    where, colon, radius = place.rpartition(":")
    numbers, _, frame = where.partition("@")
    try:
        center = [float(number) for number in numbers.split(",")]
        if equals and colon and len(center) in (2, 3):
            x, y, z = (*center, 0.0)[:3]
            return RoleRange(
                role.strip(), center=(x, y, z), frame=frame.strip(), radius=float(radius)
            )
    except ValueError:
        pass
    raise InvalidRequest(
        "--near", f"is {written!r}: write it as at=1.0,2.0@map:2.5 (x, y, perhaps z; metres)"
    )


def as_number(filler: RoleFiller) -> RoleFiller:
    """Return a filler as a number where that prints as it was written: 0.5 and 7, not 007."""
    try:
        number = float(filler.filler)
    except ValueError:
        return filler
    if math.isfinite(number) and filler.filler in (repr(number), f"{number:.0f}"):
        return RoleFiller(filler.role, "", Kind.NUMBER, (number,))
    return filler


def to_ns(moment: datetime | None) -> int:
    """Return local time as ns since 1970, None as 0."""
    return 0 if moment is None else int(moment.timestamp() * 1e9)


def _meaning(write: bool) -> Embedder | None:
    if write:
        return None
    try:
        return wordllama_embedder()
    except MeaningUnavailable:
        return None  # an extra: the file is then asked by spelling
