# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A tally in sentences: what was asked for, and of how many episodes that is."""

import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from clara_memory import tables
from clara_memory.asking_tally import Tallied
from clara_memory.episode import Kind, spoken_number
from clara_memory.formats import episode_to_json, filler_to_json
from clara_memory.retrieval import RELATIVE, WHEN, Answer
from clara_memory.tally import DURATION, Count, Figures, Tally
from clara_memory.wishes import Wish

_TOLD = 20  # fillers
_TIED = 5


def told(tallied: Tallied | None, answer: Answer, usual: list[str]) -> list[str]:
    """Return what is said of a question that wants something counted, in place of the `usual`.

    Where it only asks which there were, that is said before it: it is about the same episodes.
    """
    if tallied is None:
        return usual
    said = sentences_of(tallied)
    same = answer.matches == tallied.count.matches and not answer.set_aside
    if tallied.wish is Wish.DIFFERENT and same:
        return [*said, *(one for one in usual if one not in said)]
    return said


def sentences_of(tallied: Tallied) -> list[str]:
    """Return what a question wanted counted in words, with the time that it was about."""
    count = tallied.count
    said = tables.time_asked(count.understood)
    if tallied.wish is Wish.TIMES and tallied.of and isinstance(count, Tally):
        return [*said, _times(count, tallied)]
    if tallied.wish is Wish.NEVER:
        return [*said, _never(count, tallied)]
    if not count.episodes:
        return [*said, f"I do not know: {count.reason or _nothing(count)}."]
    over = _episodes(count.episodes, count, tallied.narrowed)
    if isinstance(count, Figures):
        return [*said, *_figure(tallied.wish, count, over)]
    lacking = "" if tallied.only else _lacking(count)
    if tallied.wish is Wish.EACH:
        return [*said, f"{_listed([_one(each) for each in count.counts], _TOLD)}; {over}."]
    if tallied.wish is Wish.MORE:
        return [*said, _more(count, over)]
    if tallied.wish is Wish.DIFFERENT:
        return [*said, _different(count, tallied.only or count.role, over) + lacking]
    extreme = _most if tallied.wish is Wish.MOST else _least
    return [*said, extreme(count, over) + lacking]


def tally_to_json(tallied: Tallied) -> dict[str, Any]:
    """Return what was counted as a JSON object with the one field `tally`."""
    count = tallied.count
    shown = {"wish": tallied.wish.value} | {
        field.name: getattr(count, field.name) for field in fields(count)
    }
    shown["understood"] = [filler_to_json(one) for one in count.understood]
    if tallied.wish is Wish.NEVER:
        shown["never"] = [filler_to_json(one) for one in tallied.never]
    if isinstance(count, Tally):
        shown["counts"] = [
            {**asdict(one), "filler": filler_to_json(one.filler)} for one in count.counts
        ]
    else:
        for name in ("of_smallest", "of_largest"):
            episode = shown[name]
            shown[name] = episode and episode_to_json(episode)
    return {"tally": shown}


def _nothing(count: Tally | Figures) -> str:
    if count.role == DURATION:
        return "nobody said how long it took"
    return f"none of the episodes that fit has the role '{count.role}'"


def _most(tally: Tally, over: str) -> str:
    """Say what was most often: "KITCHEN most often: 12 of 40 with action=CLEAN; then BATH 9."."""
    further = tally.counts[len(tally.most) :]
    then = [one for one in further if one.episodes == further[0].episodes]
    return f"{_first('most', tally.most, over)}{f'; then {_equal(then)}' if then else ''}."


def _least(tally: Tally, over: str) -> str:
    most = "" if tally.most == tally.least else f"; most often {_equal(tally.most)}"
    return f"{_first('least', tally.least, over)}{most}."


def _first(how: str, counts: Sequence[Count], over: str) -> str:
    each = " each" if len(counts) > 1 else ""
    return f"{_names(counts)} {how} often: {counts[0].episodes}{each} of {over}"


def _equal(counts: Sequence[Count]) -> str:
    each = " each" if len(counts) > 1 else ""
    return f"{_names(counts)} {_often(counts[0], each)}"


def _names(counts: Sequence[Count]) -> str:
    """Return what is equally often."""
    return _listed([one.filler.spoken for one in counts], _TIED)


def _several(noun: str) -> str:
    """Return a noun as it is said of several; one that a question said so stays as it is."""
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    for ending, plural in (("f", "ves"), ("fe", "ves"), ("person", "people")):
        if noun.endswith(ending):
            return noun.removesuffix(ending) + plural
    if re.search("[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search("(s|x|z|ch|sh)$", noun) else f"{noun}s"


def _one(count: Count) -> str:
    return f"{count.filler.spoken} {_often(count)}"


def _often(count: Count, each: str = "") -> str:
    """Return how often in digits; behind a number so that it is not read as one with it."""
    often = f"{count.episodes}{each}"
    return often if count.filler.kind is Kind.TEXT else f"({often})"


def _listed(names: Sequence[str], told: int) -> str:
    if len(names) > told:
        return f"{', '.join(names[:told])} and {len(names) - told} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _never(count: Tally | Figures, tallied: Tallied) -> str:
    """Say what was never there: "Never BED_3: 1 of 3 beds, over 12 episodes with ..."."""
    over = _episodes(count.matches, count, tallied.narrowed)
    all_of = f"{tallied.of} {_several(tallied.only or count.role)}"
    if not tallied.never:
        return f"None: each of {all_of} at least once, over {over}."
    names = _listed([filler.spoken for filler in tallied.never], _TOLD)
    return f"Never {names}: {len(tallied.never)} of {all_of}, over {over}."


def _more(tally: Tally, over: str) -> str:
    """Say which of two was more often: "HALL more often: 9 of 12 episodes ...; LOBBY 3."."""
    more, less = tally.counts
    if more.episodes == less.episodes:
        return f"{_names(tally.counts)} equally often: {more.episodes} each of {over}."
    return f"{_first('more', [more], over)}; {_equal([less])}."


def _different(tally: Tally, called: str, over: str) -> str:
    """Say what there was, most first: "2 different places: KITCHEN 6, BATH 4; 10 episodes ..."."""
    known = len(tally.counts)
    further = f" and {known - _TOLD} more" if known > _TOLD else ""
    if known == 1:
        return f"{tally.counts[0].filler.spoken} alone: {over}."
    counts = ", ".join(map(_one, tally.counts[:_TOLD]))
    return f"{known} different {_several(called)}: {counts}{further}; {over}."


def _figure(wish: Wish, figures: Figures, over: str) -> list[str]:
    """Say a figure: "weight on average: 4.54 (median 4.3), over 120 episodes with ..."."""
    role = figures.role
    numbers = {
        Wish.MEAN: figures.mean,
        Wish.TOTAL: figures.total,
        Wish.LARGEST: figures.largest,
        Wish.SMALLEST: figures.smallest,
    }
    number = _spoken(numbers[wish], role)
    if wish is Wish.MEAN:
        number += f" (median {_spoken(figures.median, role)})"
    elif wish is Wish.TOTAL:
        # How all went says nothing of those that have the number.
        over += _how_it_went(figures) if figures.episodes == figures.matches else ""
    before, behind = {
        Wish.MEAN: (f"{role} on average", "on average"),
        Wish.TOTAL: (f"{role} in total", "in total"),
        Wish.LARGEST: (f"highest {role}", "at most"),
        Wish.SMALLEST: (f"lowest {role}", "at least"),
    }[wish]
    what = f"It took {number} {behind}" if role == DURATION else f"{before}: {number}"
    episode = {Wish.LARGEST: figures.of_largest, Wish.SMALLEST: figures.of_smallest}.get(wish)
    said = [f"{what}, over {over}.{_lacking(figures)}"]
    return said + ([f"That was {tables.whole(episode)}."] if episode is not None else [])


def _times(tally: Tally, tallied: Tallied) -> str:
    """Say how often it was so: "57 of 1828 episodes with action=SPRAY: wind_speed above 5."."""
    times = f"{tally.matches}" if tally.matches else "None"
    over = _episodes(tallied.of, tally, ())
    return f"{times} of {over}: {', '.join(tallied.narrowed)}{_how_it_went(tally)}."


def _how_it_went(count: Tally | Figures) -> str:
    ended = count.succeeded + count.failed
    return f", {count.succeeded} of {ended} succeeded" if ended else ""


def _episodes(number: int, count: Tally | Figures, narrowed: Sequence[str]) -> str:
    """Return how many episodes were counted over, and what they have in common."""
    common = [str(one) for one in count.understood if one.role not in (RELATIVE, WHEN)]
    episodes = "1 episode" if number == 1 else f"{number} episodes"
    parts = [f"with {', '.join(common)}" if common else "", *narrowed]
    return " ".join(filter(None, (episodes, ", ".join(filter(None, parts)))))


def _lacking(count: Tally | Figures) -> str:
    """Return how many episodes fit, but do not say what was counted."""
    lacking = count.matches - count.episodes
    says = "does" if lacking == 1 else "do"
    return f" {lacking} more {says} not say." if lacking else ""


def _spoken(number: float, role: str) -> str:
    """Return a number without what is no digit of its; a duration in seconds."""
    if role == DURATION:
        return f"{number:.1f} s"
    return spoken_number(round(number, 2) if abs(number) >= 1 else float(f"{number:.3g}"))
