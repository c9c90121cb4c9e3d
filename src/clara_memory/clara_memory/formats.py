# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as JSON: one object a line (JSONL), for export, import and the rows' context.

Fields are those of clara_interfaces/Episode; times are nanoseconds since 1970. What is empty is
left out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from clara_memory.episode import Episode, Kind, Outcome, RoleFiller, check_episode
from clara_memory.errors import InvalidRequest

TEXTS = [
    "episode_id",
    "action_id",
    "robot",
    "subject",
    "action",
    "object",
    "result",
    "detail",
    "source",
]
TIMES = ("start_ns", "end_ns")
FILLERS = ("context", "effects")
MAX_LINE = 1_000_000  # of JSONL, in characters; the longest episode takes a tenth of it


def filler_to_json(filler: RoleFiller) -> dict[str, Any]:
    """Return a filler as a JSON object."""
    written: dict[str, Any] = {"role": filler.role}
    if filler.filler:
        written["filler"] = filler.filler
    if filler.kind is not Kind.TEXT:
        written["kind"] = filler.kind.name
        written["values"] = list(filler.values)
    return written


def filler_from_json(field: str, written: Any) -> RoleFiller:
    """Return the filler of a JSON object; raises InvalidRequest where it is none."""
    if not isinstance(written, dict):
        raise InvalidRequest(field, "is not an object with a role and a filler")
    kind, values = written.get("kind", "TEXT"), written.get("values", [])
    if not isinstance(kind, str) or kind not in Kind.__members__:
        raise InvalidRequest(f"{field}.kind", "is none of TEXT, NUMBER, POSITION")
    if not isinstance(values, list) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    ):
        raise InvalidRequest(f"{field}.values", "is not a list of numbers")
    texts = {name: written.get(name, "") for name in ("role", "filler")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise InvalidRequest(f"{field}.{name}", "is not text")
    try:
        numbers = tuple(map(float, values))
    except OverflowError:
        raise InvalidRequest(f"{field}.values", "holds a number that is too large") from None
    return RoleFiller(kind=Kind[kind], values=numbers, **texts)


def fillers_to_text(fillers: Sequence[RoleFiller]) -> str:
    """Return fillers as the JSON text that a row holds; empty for none."""
    if not fillers:
        return ""
    return json.dumps([filler_to_json(filler) for filler in fillers], ensure_ascii=False)


def fillers_from_text(text: str) -> tuple[RoleFiller, ...]:
    """Return the fillers of a row's JSON text."""
    if not text:
        return ()
    return tuple(filler_from_json("filler", written) for written in json.loads(text))


def episode_to_json(episode: Episode) -> dict[str, Any]:
    """Return an episode as a JSON object without its empty fields."""
    written: dict[str, Any] = {name: getattr(episode, name) for name in TEXTS}
    written["outcome"] = episode.outcome.name
    written |= {name: getattr(episode, name) for name in TIMES}
    for name in FILLERS:
        written[name] = [filler_to_json(filler) for filler in getattr(episode, name)]
    return {name: value for name, value in written.items() if value}


def episode_from_json(written: Any) -> Episode:
    """Return the valid episode of a JSON object; raises InvalidRequest naming the field."""
    if not isinstance(written, dict):
        raise InvalidRequest("episode", "is not a JSON object")
    known = {*TEXTS, *TIMES, "outcome", *FILLERS}
    if unknown := sorted(written.keys() - known):
        raise InvalidRequest(str(unknown[0])[:40], "is not a field of an episode")
    fields: dict[str, Any] = {}
    for name, value in written.items():
        if name in TEXTS and not isinstance(value, str):
            raise InvalidRequest(name, "is not text")
        if name in TIMES and (not isinstance(value, int) or isinstance(value, bool)):
            raise InvalidRequest(name, "is not a whole number of nanoseconds")
        if name == "outcome":
            if not isinstance(value, str) or value not in Outcome.__members__:
                raise InvalidRequest(name, f"is none of {', '.join(Outcome.__members__)}")
            value = Outcome[value]
        if name in FILLERS:
            if not isinstance(value, list):
                raise InvalidRequest(name, "is not a list")
            value = tuple(
                filler_from_json(f"{name}[{number}]", filler)
                for number, filler in enumerate(value)
            )
        fields[name] = value
    episode = Episode(action=fields.pop("action", ""), **fields)
    check_episode(episode)
    return episode


def write_jsonl(episodes: Iterable[Episode], file: TextIO) -> int:
    """Write one episode a line; returns how many there were."""
    count = 0
    for episode in episodes:
        file.write(json.dumps(episode_to_json(episode), ensure_ascii=False) + "\n")
        count += 1
    return count


def read_jsonl(file: TextIO) -> Iterator[Episode]:
    """Yield the episodes of a JSONL file; raises InvalidRequest naming line and field."""
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), ""), start=1):
        if len(line) > MAX_LINE:
            raise InvalidRequest(f"line {number}", f"has more than {MAX_LINE:,} characters")
        if not line.strip():
            continue
        try:
            yield episode_from_json(json.loads(line))
        except (ValueError, RecursionError) as error:
            problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise InvalidRequest(f"line {number}", f"is not JSON: {problem}") from None
        except InvalidRequest as error:
            raise InvalidRequest(
                f"line {number}: {error.field}", str(error)[len(error.field) + 1 :]
            ) from None
