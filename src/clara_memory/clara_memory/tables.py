# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Answers and figures for people, as tables, and for programs, as JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from clara_memory.episode import Episode, RoleFiller
from clara_memory.formats import episode_to_json, filler_to_json
from clara_memory.memory import Stats
from clara_memory.messages import Event
from clara_memory.retrieval import RELATIVE, WHEN, Answer
from clara_memory.unread import UNREAD


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an Answer as a JSON object; fields as in clara_interfaces/QueryMemory."""
    return {
        "abstained": answer.abstained,
        "answers": [
            {
                "role": role.role,
                "abstained": role.abstained,
                "reason": role.reason,
                "candidates": [asdict(candidate) for candidate in role.candidates],
            }
            for role in answer.answers
        ],
        "episodes": [
            {"score": match.score, "episode": episode_to_json(match.episode)}
            for match in answer.episodes
        ],
        "readings": [
            {**asdict(reading), "cue": filler_to_json(reading.cue), "by": reading.by.name}
            for reading in answer.readings
        ],
        "understood": [filler_to_json(filler) for filler in answer.understood],
        "matches": answer.matches,
        "searched": answer.searched,
        "under_way": [
            {**asdict(event), "context": [filler_to_json(filler) for filler in event.context]}
            for event in answer.under_way
        ],
    }


def stats_to_json(stats: Stats) -> dict[str, Any]:
    """Return Stats as a JSON object."""
    return asdict(stats)


def show_answer(answer: Answer) -> None:
    """Print an Answer: the cue in force, candidates for each role, and the episodes."""
    console = Console()
    rest = "part of it" if answer.set_aside else "everything"
    understood = ", ".join(str(filler) for filler in answer.understood) or rest
    if answer.set_aside:
        console.print(escape(shortfall(answer)), highlight=False)
    console.print(
        escape(f"{answer.matches} of {answer.searched} episodes fit: {understood}"),
        highlight=False,
    )
    for sentence in under_way(answer):
        console.print(escape(sentence), highlight=False)
    if answer.abstained:
        for reading in answer.readings:
            if reading.nearest and not reading.accepted:
                console.print(escape(f"Did you mean {reading.nearest}?"), highlight=False)
        for reason in dict.fromkeys(role.reason for role in answer.answers):
            console.print(escape(f"I do not know: {reason}"), highlight=False)
        return
    # What names something is folded where it is too long: cut short, it cannot be copied.
    filler, last = Column("filler", overflow="fold"), Column("last", max_width=10)
    candidates = Table("role", filler, "score", "episodes", "succeeded", "failed", last)
    for role in answer.answers:
        if role.abstained:
            candidates.add_row(role.role, escape(f"({role.reason})"))
        for candidate in role.candidates:
            candidates.add_row(
                role.role,
                escape(candidate.filler),
                f"{candidate.score:.2f}",
                str(candidate.support),
                str(candidate.succeeded),
                str(candidate.failed),
                moment(candidate.last_ns),
            )
    console.print(candidates)
    identity = Column("episode", no_wrap=True, min_width=16)
    result = Column("result", no_wrap=True)
    told = Column("what", overflow="fold")
    episodes = Table("score", identity, told, result, Column("end", max_width=10))
    for match in answer.episodes:
        episode = match.episode
        episodes.add_row(
            f"{match.score:.2f}",
            escape(episode.episode_id),
            escape(what(episode)),
            escape(episode.result),
            moment(episode.end_ns),
        )
    console.print(episodes)


def time_asked(understood: Iterable[RoleFiller]) -> list[str]:
    """Return the sentences that say which time a question was about, and relative to what."""
    said = list(understood)
    relative = (one.filler for one in said if one.role == RELATIVE)
    return [
        *(f"{words[0].upper()}{words[1:]}:" for words in relative),
        *(f"Time asked about: {one.filler}." for one in said if one.role == WHEN),
    ]


def under_way(answer: Answer) -> list[str]:
    """Return the sentences that say what fits and has no result yet."""
    return [
        f"Under way since {moment(event.start_ns)}: {_done(event)}." for event in answer.under_way
    ]


def shortfall(answer: Answer) -> str:
    """Return the sentences that say what of the question the episodes do not fit."""
    unread = [one.filler for one in answer.set_aside if one.role == UNREAD]
    said = [f"Not taken into account: {', '.join(map(repr, unread))}."] if unread else []
    if len(unread) < len(answer.set_aside):
        cues = [one.cue for one in answer.readings if one.cue.role != UNREAD]
        cues += [one for one in answer.understood if one.role == WHEN and one not in cues]
        asked = ", ".join(map(str, cues))
        said.append(f"No episode fits all of {asked}. The nearest:")
    return " ".join(said)


def show_stats(stats: Stats) -> None:
    """Print Stats as a table of two columns."""
    table = Table(Column(), Column(overflow="fold"), show_header=False)
    counts = stats.counts
    for name, value in (
        ("episodes", stats.episodes),
        ("succeeded", stats.succeeded),
        ("failed", stats.failed),
        ("pending", stats.pending),
        ("oldest", moment(stats.oldest_ns)),
        ("latest", moment(stats.latest_ns)),
        ("events received", counts.events),
        ("results received", counts.results),
        ("duplicates", counts.duplicates),
        ("orphans", counts.orphans),
        *((f"different {role}s", known) for role, known in stats.vocabulary.items()),
        ("forgotten", stats.forgotten),
        ("pinned", stats.pinned),
        ("bytes", f"{stats.bytes:,}"),
        ("path", stats.path),
    ):
        table.add_row(name, escape(str(value)))
    Console().print(table)


def moment(time_ns: int) -> str:
    """Return a time in ns as local time for people."""
    return datetime.fromtimestamp(time_ns / 1e9).isoformat(" ", "seconds") if time_ns else "-"


def what(episode: Episode) -> str:
    """Return what was done, to what and how, in one line."""
    return _done(episode, episode.effects) + (f": {episode.detail}" if episode.detail else "")


def whole(episode: Episode) -> str:
    """Return what was done, how it ended and when, and the id, in one line."""
    ended = f"{episode.outcome.name}, {moment(episode.end_ns)}"
    return f"{what(episode)}, {ended} (episode {episode.episode_id})"


def _done(it: Episode | Event, effects: tuple[RoleFiller, ...] = ()) -> str:
    done = " ".join(filter(None, (it.subject, it.action, it.object)))
    roles = ", ".join(dict.fromkeys(str(filler) for filler in (*it.context, *effects)))
    return done + (f" ({roles})" if roles else "")
