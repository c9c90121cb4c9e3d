# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-memory export`, `import`, `merge`: memories that travel.

JSONL and CSV come back the same; a gist is of a fixed size and answers full, exact cues only. A
file is there whole or not at all.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import click

from clara_memory.cli_options import door, file_of, progress, where
from clara_memory.csv_format import read_csv, write_csv
from clara_memory.database import HEADER
from clara_memory.episode import Episode
from clara_memory.errors import InvalidRequest, MemoryFault
from clara_memory.formats import read_jsonl, write_jsonl
from clara_memory.hdc import Gist, Space
from clara_memory.item_memory import text_key
from clara_memory.memory import EpisodicMemory

_SHOWN = 1000  # episodes from one move of the bar to the next
_WRITERS: dict[str, Callable[[Iterable[Episode], TextIO], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
}
_READERS: dict[str, Callable[[TextIO], Iterator[Episode]]] = {"jsonl": read_jsonl, "csv": read_csv}


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; without it, print.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "gist"]),
    help="By default what the output's name ends in, else jsonl.",
)
@where
def export(output: Path | None, kind: str | None, **at: Any) -> None:
    """Write all episodes as JSONL or CSV, or their gist."""
    kind = kind or _kind_of(output)
    if kind == "gist" and output is None:
        raise MemoryFault("a gist is no text to print: name a file with --output")
    if at["file"] is None:
        with door(at) as node:
            path = Path(node.stats().path)
        if not path.is_file():
            raise MemoryFault(f"the node's file {path} is not on this machine: export there")
        at["file"] = path
    if output is not None:
        _check_output(output, at["file"])
    with door(at) as memory:
        if output is None:
            _WRITERS[kind](memory.episodes(), sys.stdout)
            return
        with progress(at, f"writing {output}", len(memory)) as advance:
            count = _write(output, kind, _counted(memory.episodes(), advance))
        if at["as_json"]:
            click.echo(json.dumps({"episodes": count, "output": str(output)}))
        else:
            click.echo(f"{count} episodes written to {output}")


def _check_output(output: Path, memory: Path) -> None:
    """Raise InvalidRequest where writing there would destroy a memory, or a part of one."""
    parts = {
        Path(f"{memory.expanduser().resolve()}{suffix}")
        for suffix in ("", "-wal", "-shm", ".lock")
    }
    for written in (output, _partial(output)):
        if written.resolve() in parts or (written.is_file() and _is_database(written)):
            raise InvalidRequest("--output", f"{written} is (part of) a memory: name another file")


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(HEADER)) == HEADER
    except OSError:
        return False


def _partial(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")


def _write(output: Path, kind: str, episodes: Iterable[Episode]) -> int:
    partial = _partial(output)
    try:
        if kind == "gist":
            gist = Gist(Space())
            for one in episodes:
                roles = ("subject", "action", "object", "result")
                gist.add([text_key(role, getattr(one, role)) for role in roles])
            partial.write_bytes(gist.to_bytes())
            count = len(gist)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                count = _WRITERS[kind](episodes, file)
        partial.replace(output)
    except OSError as error:
        raise MemoryFault(f"{output} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@where
def import_(path: Path, **at: Any) -> None:
    """Take in the episodes of a JSONL or CSV export, all or none; needs --file."""
    kind = _kind_of(path)
    if kind == "gist":
        raise InvalidRequest("path", f"{path} is a gist: it holds no episodes that come back")
    with file_of(at, make=True) as memory, progress(at, f"reading {path}") as advance:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                episodes = list(_counted(_READERS[kind](file), advance))
        except UnicodeDecodeError as error:
            raise InvalidRequest("path", f"{path} is not UTF-8 {kind.upper()}") from error
        except OSError as error:
            raise InvalidRequest("path", f"{path} cannot be read: {error.strerror}") from error
        # Where an episode came from stays true when it moves.
        known = (each if each.source else replace(each, source="file") for each in episodes)
        added = len(memory.store_all(known, source=""))
    _tell(at, added, len(episodes) - added)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", default="", help="What to call it; else its robot's name, or own.")
@where
def merge(path: Path, name: str, **at: Any) -> None:
    """Take in another memory: its file, or a JSONL export of it.

    What this robot lived itself comes back as its own, unless a name is given.
    """
    with door(at, write=True, make=True) as memory:
        if isinstance(memory, EpisodicMemory):
            with progress(at, f"merging {path}") as advance:
                merged = memory.merge(path, name, progress=advance)
        else:
            merged = memory.merge(path.absolute(), name)
    _tell(at, merged.added, merged.already_known, merged.completed)


def _kind_of(path: Path | None) -> str:
    suffix = path.suffix.lower().removeprefix(".") if path is not None else ""
    return suffix if suffix in (*_WRITERS, "gist") else "jsonl"


def _counted(episodes: Iterable[Episode], advance: Callable[[int], None]) -> Iterator[Episode]:
    for number, episode in enumerate(episodes, start=1):
        yield episode
        if number % _SHOWN == 0:
            advance(number)


def _tell(at: dict[str, Any], added: int, already_known: int, completed: int = 0) -> None:
    if at["as_json"]:
        told = {"added": added, "already_known": already_known}
        click.echo(json.dumps(told | ({"completed": completed} if completed else {})))
    else:
        more = f", {completed} of them without the result that they have now" if completed else ""
        click.echo(f"{added} episodes added, {already_known} were known already{more}")


COMMANDS = (export, import_, merge)
