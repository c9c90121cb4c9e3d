# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A tally in sentences: what was asked for, and of how many episodes that is."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from clara_memory import tables
from clara_memory.asking_tally import Tallied
from clara_memory.episode import Episode, spoken_number
from clara_memory.formats import episode_to_json, filler_to_json
from clara_memory.retrieval import WHEN
from clara_memory.tally import DURATION, Count, Figures, Tally
from clara_memory.wishes import Wish

_TOLD = 20  # fillers
_TIED = 5
_EXTREMES = {Wish.LARGEST: "at most", Wish.SMALLEST: "at least"}


def sentences_of(tallied: Tallied) -> list[str]:
    """Return what a question wanted counted in words, with the time that it was about."""
    count = tallied.count
    said = [f"Time asked about: {one.filler}." for one in count.understood if one.role == WHEN]
    if not count.episodes:
        return [*said, f"I do not know: {count.reason or _nothing(count)}."]
    if isinstance(count, Figures):
        return [*said, *_figure(tallied.wish, count)]
    lacking = "" if tallied.only else _lacking(count)
    if tallied.wish is Wish.DIFFERENT:
        return [*said, _different(count, tallied.only or count.role) + lacking]
    return [*said, (_most(count) if tallied.wish is Wish.MOST else _least(count)) + lacking]


def tally_to_json(tallied: Tallied) -> dict[str, Any]:
    """Return what was counted as a JSON object with the one field `tally`."""
    count = tallied.count
    shown = {"wish": tallied.wish.value} | {
        name: getattr(count, name) for name in count.__dataclass_fields__
    }
    shown["understood"] = [filler_to_json(one) for one in count.understood]
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


def _most(tally: Tally) -> str:
    """Say what was most often: "KITCHEN most often: 12 of 40 with action=CLEAN; then BATH 9."."""
    further = tally.counts[len(tally.most) :]
    then = [one for one in further if one.episodes == further[0].episodes]
    return f"{_first('most', tally.most, tally)}{f'; then {_equal(then)}' if then else ''}."


def _least(tally: Tally) -> str:
    most = "" if tally.most == tally.least else f"; most often {_equal(tally.most)}"
    return f"{_first('least', tally.least, tally)}{most}."


def _first(how: str, counts: Sequence[Count], tally: Tally) -> str:
    each = " each" if len(counts) > 1 else ""
    return f"{_names(counts)} {how} often: {counts[0].episodes}{each} of {_episodes(tally)}"


def _equal(counts: Sequence[Count]) -> str:
    each = " each" if len(counts) > 1 else ""
    return f"{_names(counts)} {counts[0].episodes}{each}"


def _names(counts: Sequence[Count]) -> str:
    """Return what is equally often."""
    names = [one.filler.spoken for one in counts[:_TIED]]
    if len(counts) > _TIED:
        return f"{', '.join(names)} and {len(counts) - _TIED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _different(tally: Tally, called: str) -> str:
    """Say what there was, most first: "2 different places: KITCHEN 6, BATH 4; 10 episodes ..."."""
    known, told = len(tally.counts), tally.counts[:_TOLD]
    further = f" and {known - len(told)} more" if known > len(told) else ""
    one = called.removesuffix("s")
    what = f"{known} different {one}s" if known > 1 else f"1 {one}"
    counts = ", ".join(f"{one.filler.spoken} {one.episodes}" for one in told)
    return f"{what}: {counts}{further}; {_episodes(tally)}."


def _figure(wish: Wish, figures: Figures) -> list[str]:
    """Say a figure: "weight on average: 4.54 (median 4.3), over 120 episodes with ..."."""
    what = "It took" if figures.role == DURATION else f"{figures.role}:"
    of, over = "", f"over {_episodes(figures)}"
    if wish is Wish.MEAN:
        number, how = figures.mean, "on average"
        of = f" (median {_spoken(figures.median, figures.role)})"
    elif wish is Wish.TOTAL:
        number, how = figures.total, "in total"
        ended = figures.succeeded + figures.failed
        over += f", {figures.succeeded} of {ended} succeeded" if ended else ""
    else:
        number = figures.largest if wish is Wish.LARGEST else figures.smallest
        how = _EXTREMES[wish]
    said = [f"{what} {_spoken(number, figures.role)} {how}{of}, {over}.{_lacking(figures)}"]
    episode = {Wish.LARGEST: figures.of_largest, Wish.SMALLEST: figures.of_smallest}.get(wish)
    return said + ([_shown(episode)] if episode is not None else [])


def _shown(episode: Episode) -> str:
    return (
        f"That was {tables.what(episode)}, {episode.outcome.name}, "
        f"{tables.moment(episode.end_ns)} (episode {episode.episode_id})."
    )


def _episodes(count: Tally | Figures) -> str:
    """Return how many episodes were counted over, and what they have in common."""
    common = ", ".join(str(one) for one in count.understood if one.role != WHEN)
    episodes = "1 episode" if count.episodes == 1 else f"{count.episodes:,} episodes"
    return f"{episodes} with {common}" if common else episodes


def _lacking(count: Tally | Figures) -> str:
    """Return how many episodes fit, but do not say what was counted."""
    lacking = count.matches - count.episodes
    return f" {lacking:,} more do not say." if lacking else ""


def _spoken(number: float, role: str) -> str:
    """Return a number without what is no digit of its; a duration in seconds."""
    if role == DURATION:
        return f"{number:.1f} s"
    return spoken_number(round(number, 2) if abs(number) >= 1 else float(f"{number:.3g}"))
