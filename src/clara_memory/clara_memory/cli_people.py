# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-memory ask`, `timeline` and `plot`: memory in words and in pictures of characters."""

import json
import re
import time
from collections import Counter
from datetime import datetime
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from clara_memory import tables
from clara_memory.asking import asks_for_first
from clara_memory.cli_options import door, to_ns, where
from clara_memory.episode import Episode, Outcome, fold
from clara_memory.formats import episode_to_json
from clara_memory.memory import EpisodicMemory
from clara_memory.past import when_in
from clara_memory.retrieval import MAX_EPISODES, Answer, Candidate, Query
from clara_memory.tally_in_words import tally_to_json, told
from clara_memory.words_in_text import words_in

_COLOURS = {Outcome.SUCCEEDED: "green", Outcome.FAILED: "red", Outcome.TIMED_OUT: "red"}
_BAR = 40
_FURTHER = re.compile(
    r"\bhow (?:long|many (?:seconds|minutes|hours))\b"
    r"(?! ago)(?! (?:(?:has|is) )?(?:it )?(?:been )?since)",
    re.IGNORECASE,
)
_OF_LAST = re.compile(r"\b(?:last|latest|most recent)\b(?! \d)")


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--guess", is_flag=True, help="Go on with the nearest filler, however unlike.")
@where
def ask(text: tuple[str, ...], guess: bool, **at: Any) -> None:
    """Ask in free TEXT and get sentences: how often, how it went, and when last."""
    question = " ".join(text)
    # "How long" is about all that fit, and not only those that are shown.
    many = MAX_EPISODES if _FURTHER.search(question) else 0
    asked = Query(text=question, ask=("action", "object"), top_k=5, max_episodes=many, guess=guess)
    with door(at) as memory:
        answer = memory.ask(asked)
        usual = [] if at["as_json"] else sentences(answer, question)
        if isinstance(memory, EpisodicMemory):
            count = memory.tally_asked(question)
            counted, said = tally_to_json(count) if count else {}, told(count, answer, usual)
        else:  # a node says what it counted in sentences
            in_words = memory.counted(question)
            counted, said = {"counted": in_words} if in_words else {}, in_words or usual
    if at["as_json"]:
        click.echo(json.dumps(tables.answer_to_json(answer) | counted, ensure_ascii=False))
        return
    for sentence in said:
        click.echo(sentence)


def sentences(answer: Answer, question: str = "") -> list[str]:
    """Return an answer in words, with how long and what first where the question asks for it."""
    said = tables.time_asked(answer.understood)
    said += tables.under_way(answer)
    if answer.abstained and answer.under_way:
        return said
    if answer.abstained:
        said.append(f"I do not know: {answer.answers[0].reason}.")
        said += [
            f"Did you mean {reading.nearest}?"
            for reading in answer.readings
            if reading.nearest and not reading.accepted
        ]
        return said
    cue = {filler.role: filler.spoken for filler in answer.understood}
    said += [tables.shortfall(answer)] if answer.set_aside else []
    for candidate in answer["action"].candidates:
        what = " ".join(filter(None, (candidate.filler, cue.get("object", ""))))
        often = "once" if candidate.support == 1 else f"{candidate.support} times"
        last = tables.moment(candidate.last_ns)
        said.append(f"{what}: {often}, {_how_it_went(candidate, answer)}, last {last}.")
    if _FURTHER.search(question):
        said += _how_long(answer, question)
    which, shown = _first_of(answer) if asks_for_first(words_in(question)) else _one_of(answer)
    said.append(f"The {which} of {answer.matches}: {tables.whole(shown)}.")
    return said


def _how_it_went(candidate: Candidate, answer: Answer) -> str:
    """Say how the episodes of an action ended, as far as the answer tells."""
    ended = candidate.succeeded + candidate.failed
    if ended:
        return f"{candidate.succeeded} of {ended} succeeded"
    shown = [
        match.episode.outcome
        for match in answer.episodes
        if fold(match.episode.action) == fold(candidate.filler)
    ]
    canceled = shown.count(Outcome.CANCELED)
    if len(shown) < candidate.support:
        return "none known to have succeeded or failed"
    if canceled == len(shown):
        return "canceled"
    return f"{canceled} of {len(shown)} canceled" if canceled else "nobody said how it went"


def _how_long(answer: Answer, question: str) -> list[str]:
    """Say how long episodes took, or the last, as far as they have a beginning of their own."""
    episodes = [match.episode for match in answer.episodes]
    # Of what is left of the question without its times: "last week" asks for more than the last.
    which, latest = _one_of(answer)
    if which == "latest" and _OF_LAST.search(when_in(question, time.time_ns()).rest):
        episodes = [latest]
    took = sorted((one.end_ns - one.start_ns) / 1e9 for one in episodes)
    took = [seconds for seconds in took if seconds > 0]
    if not took:
        return ["Nobody said how long it took."]
    if len(episodes) == 1 < answer.matches:
        return [f"The last took {took[0]:.1f} s."]
    if len(took) == 1:
        return [f"It took {took[0]:.1f} s."]
    of = f"{len(took):,}" + (" of them" if len(episodes) < answer.matches else "")
    return [f"It took {median(took):.1f} s (the median of {of}), {took[-1]:.1f} s at most."]


def _first_of(answer: Answer) -> tuple[str, Episode]:
    return "first", min((match.episode for match in answer.episodes), key=lambda one: one.end_ns)


def _one_of(answer: Answer) -> tuple[str, Episode]:
    """Return the latest episode of all that fit, or else the one that fits best, and which."""
    latest = max(answer.episodes, key=lambda match: match.episode.end_ns).episode
    last_ns = max((each.last_ns for each in answer["action"].candidates), default=0)
    if answer.matches <= len(answer.episodes) or latest.end_ns >= last_ns:
        return "latest", latest
    return "best", answer.episodes[0].episode


@click.command()
@click.option("--since", type=click.DateTime(), help="Ended at or after (local time).")
@click.option("--until", type=click.DateTime(), help="Ended at or before (local time).")
@click.option(
    "--last", type=click.IntRange(1, MAX_EPISODES), default=20, show_default=True, help="Episodes."
)
@where
def timeline(since: datetime | None, until: datetime | None, last: int, **at: Any) -> None:
    """Show the latest episodes in the order they ended."""
    asked = Query(max_episodes=last, since_ns=to_ns(since), until_ns=to_ns(until))
    with door(at) as memory:
        answer = memory.ask(asked)
    episodes = sorted((match.episode for match in answer.episodes), key=lambda one: one.end_ns)
    if at["as_json"]:
        click.echo(json.dumps([episode_to_json(one) for one in episodes], ensure_ascii=False))
        return
    told = Column("what", overflow="fold")
    table = Table("end", "took", told, "outcome", title=f"{len(episodes)} of {answer.matches}")
    for one in episodes:
        took = (one.end_ns - one.start_ns) / 1e9
        colour = _COLOURS.get(one.outcome, "yellow")
        table.add_row(
            tables.moment(one.end_ns),
            f"{took:.1f} s",
            escape(tables.what(one)),
            f"[{colour}]{one.outcome.name}[/]",
        )
    Console().print(table)


@click.command()
@click.option(
    "--last", type=click.IntRange(1, MAX_EPISODES), default=MAX_EPISODES, help="Episodes."
)
@where
def plot(last: int, **at: Any) -> None:
    """Draw how often each action was done, and how much of it succeeded."""
    with door(at) as memory:
        answer = memory.ask(Query(max_episodes=last))
    episodes: list[Episode] = [match.episode for match in answer.episodes]
    counts = Counter(one.action for one in episodes)
    done = Counter(one.action for one in episodes if one.outcome is Outcome.SUCCEEDED)
    if at["as_json"]:
        drawn = [
            {"action": action, "episodes": count, "succeeded": done[action]}
            for action, count in counts.most_common()
        ]
        click.echo(json.dumps(drawn, ensure_ascii=False))
        return
    table = Table("action", "episodes", "succeeded", title=f"the latest {len(episodes)} episodes")
    most = max(counts.values(), default=1)
    for action, count in counts.most_common(20):
        good = round(_BAR * done[action] / most)
        rest = max(1, round(_BAR * count / most)) - good
        bar = f"[green]{'█' * good}[/][red]{'█' * max(0, rest)}[/] {count}"
        table.add_row(escape(action), bar, f"{done[action] / count:.0%}")
    Console().print(table)


COMMANDS = (ask, timeline, plot)
