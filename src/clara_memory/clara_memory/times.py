# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Times of day as cues: "around noon", "in the morning", "at 14:30", a number of seconds.

A time of day is a point on a circle of 24 hours, or a span of it; likeness falls off by a factor e
for each hour away from the point, and for each quarter of an hour outside the span. Local time is
that of this machine on the day of the episode.
"""

import re
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clara_memory.episode import Kind, RoleFiller, fold
from clara_memory.errors import InvalidRequest

TIME_OF_DAY = "time_of_day"
DAY_S = 86_400.0
_HOUR_S = 3_600.0
_NEAR = 0.24  # 1.4 hours away
_SPANS = {
    "midnight": (0.0, 0.0),
    "noon": (12.0, 0.0),
    "midday": (12.0, 0.0),
    "early morning": (5.0, 8.0),
    "morning": (6.0, 12.0),
    "lunchtime": (11.5, 13.5),
    "afternoon": (12.0, 18.0),
    "evening": (17.0, 22.0),
    "night": (21.0, 30.0),
}
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?(?::(\d{2}))? ?(am|pm|a\.m\.|p\.m\.|o'?clock)?\Z")
PARTS = "|".join(sorted(_SPANS, key=len, reverse=True))
# In a text 0.50 is a number and no time, unless "am" or "pm" follows.
CLOCK = (
    r"\d{1,2}(?:(?:[:.]\d{2})? ?(?:[ap]m|[ap]\.m\.?)|:\d{2}(?::\d{2})?(?: ?o'?clock)?| ?o'?clock)"
)
_IN_TEXT = re.compile(
    rf"\b(?:(?:around|about|near|towards?) (?P<point>{PARTS})"
    rf"|(?:in|during) the (?P<span>{PARTS})s?|this (?P<part>{PARTS})"
    r"|at (?P<at>noon|midnight|night)"
    rf"|(?:at|around|about) (?P<clock>{CLOCK}))(?!\w)"
)


@dataclass(frozen=True, slots=True)
class DayTime:
    """A span of the day in seconds since local midnight; begin may equal end."""

    begin_s: float
    end_s: float

    def similarity(self, moments_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how near moments are to the span, shape (n,): 1 within, 0 far outside."""
        middle, half = (self.begin_s + self.end_s) / 2, (self.end_s - self.begin_s) / 2
        away = np.abs((_seconds_of_day(moments_ns) - middle + DAY_S / 2) % DAY_S - DAY_S / 2)
        near = np.exp(-np.maximum(away - half, 0.0) / (_HOUR_S / 4 if half else _HOUR_S))
        return np.where(near < _NEAR, 0.0, near).astype(np.float32)


def day_time(field: str, filler: RoleFiller) -> DayTime:
    """Return the time of day of a filler; raises InvalidRequest where it is none."""
    if filler.kind is Kind.NUMBER and 0 <= filler.values[0] < DAY_S:
        return DayTime(filler.values[0], filler.values[0])
    if filler.kind is Kind.TEXT:
        words = fold(filler.filler)
        for spoken in ("around ", "about ", "near ", "at ", "in the ", "the "):
            words = words.removeprefix(spoken)
        if words in _SPANS:
            begin, end = _SPANS[words]
            return DayTime(begin * _HOUR_S, (end or begin) * _HOUR_S)
        clock = _CLOCK.match(words)
        if clock and (seconds := _of_clock(*clock.groups())) is not None:
            return DayTime(seconds, seconds)
    raise InvalidRequest(
        field,
        f"is {filler.spoken!r}, no time of day: give seconds since midnight (below 86,400), a "
        f"clock time as '14:30' or '3 pm', or one of {', '.join(_SPANS)}",
    )


def check_cue_time(field: str, filler: RoleFiller) -> None:
    """Raise InvalidRequest where a cue names a time of day that there is not."""
    if filler.role == TIME_OF_DAY:
        day_time(field, filler)


def time_in_text(text: str) -> tuple[str, RoleFiller] | None:
    """Return what of a folded text names a time of day, and its filler, or None."""
    found = _IN_TEXT.search(text)
    if found is None:
        return None
    words = next(group for group in found.groupdict().values() if group).strip()
    if seconds_of(words) is None:
        return None
    return found.group(0), RoleFiller(TIME_OF_DAY, words)


def seconds_of(words: str) -> tuple[float, float] | None:
    """Return begin and end of a time of day in s since midnight; None where it is none."""
    try:
        found = day_time("text", RoleFiller(TIME_OF_DAY, words.strip()))
    except InvalidRequest:
        return None
    return found.begin_s, found.end_s


def _of_clock(hours: str, minutes: str | None, seconds: str | None, half: str) -> float | None:
    hour, minute, second = int(hours), int(minutes or 0), int(seconds or 0)
    if half and half[0] in "ap":
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * _HOUR_S + minute * 60.0 + second


def local_days(moments_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the local days of moments, shape (n,): days since 1970-01-01."""
    return (_local_seconds(moments_ns) // DAY_S).astype(np.int64)


def _seconds_of_day(moments_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    return _local_seconds(moments_ns) % DAY_S


def _local_seconds(moments_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the seconds from 1970-01-01 to moments by the local clock, shape (n,)."""
    if not len(moments_ns):
        return np.zeros(0)
    hours = moments_ns // (3600 * 10**9)
    first = int(hours.min())
    # The distance to UTC changes with summer time: asked once for each hour that there is.
    there = np.zeros(int(hours.max()) - first + 1, dtype=bool)
    there[hours - first] = True
    away = np.zeros(len(there))
    for hour in np.flatnonzero(there):
        away[hour] = time.localtime((first + int(hour)) * _HOUR_S).tm_gmtoff
    seconds: NDArray[np.float64] = moments_ns / 1e9 + away[hours - first]
    return seconds
