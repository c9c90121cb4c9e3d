# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Stretches of past time in free text: "the day before yesterday", "since Monday", "this morning".

- Days, weeks, months and years are those of this machine's calendar, whatever summer time does to
  the length of a day; "in the last 2 hours" and "in the last week" count back from now.
- "an hour ago" is half an hour about it, "2 days ago" that whole day; "more than", "less than" and
  "at least" before it make it a bound.
- A bound with a day and a clock time ("since yesterday at 3 pm", "since noon on Monday") is one
  moment; "before 9 am yesterday" and "after noon on Monday" are of that day alone. "not today" is
  not read.
- "from 9 am to 11 am" and "between Monday and Wednesday" have both an end and a begin.
- A weekday is the latest one that has begun, "last Monday" the latest that is over.
- A part of a day ("yesterday afternoon") is as long as clara_memory.times says, noon an hour to
  both sides; a night belongs to the day on which it begins.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from clara_memory.episode import RoleFiller
from clara_memory.times import CLOCK, PARTS, seconds_of, time_in_text

_S = 10**9
_BESIDE_S = 3600.0  # of noon
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_UNITS |= {"month": 30 * 86_400, "year": 365 * 86_400}
_COUNTS = {
    "a couple of": 2.0, "couple of": 2.0, "half a": 0.5, "half an": 0.5, "a": 1.0, "an": 1.0,
    "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0,
    "eight": 8.0, "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "fifteen": 15.0,
    "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "forty-five": 45.0, "fifty": 50.0,
    "sixty": 60.0, "ninety": 90.0, "one and a half": 1.5, "two and a half": 2.5, "half": 0.5,
}  # fmt: skip
# What speaks of a time; where it is left over it was not understood.
TIME_WORDS = frozenset([
    *_WEEKDAYS, *(f"{day}s" for day in _WEEKDAYS), *_MONTHS, *_UNITS,
    *(f"{unit}s" for unit in _UNITS),
    "ago", "afternoon", "afternoons", "evening", "evenings", "midday", "midnight", "morning",
    "mornings", "night", "nights", "noon", "oclock", "pm", "today", "tomorrow", "tonight",
    "weekend", "weekends", "yesterday",
]) - {"second"}  # fmt: skip
_NUMBER = rf"\d{{1,4}}(?:\.\d{{1,3}})?|{'|'.join(sorted(_COUNTS, key=len, reverse=True))}"
_UNIT = "|".join(_UNITS)
_DAY = (
    rf"(?:(?P<eve>day before yesterday)|(?P<night>last night|yesterday night|tonight)"
    rf"|(?P<this>this) (?P<its>{PARTS})"
    rf"|(?P<day>(?:so far )?today|yesterday|(?P<last>last |this )?(?:{'|'.join(_WEEKDAYS)})"
    rf"|\d{{4}}-\d\d-\d\d)(?: (?P<part>{PARTS}))?"
    rf"|(?P<period>(?:this|last) (?:week|month|year))"
    rf"|(?:last|past) (?:(?P<count>{_NUMBER}) )?(?P<unit>{_UNIT})s?"
    rf"|(?P<old>{_NUMBER}) (?P<each>{_UNIT})s? ago)(?!\w)"
)
_BOUND = r"(?<!\bday )\b(?P<bound>since|before|after|until|till) "
_IN_TEXT = re.compile(rf"\b(?:(?:on|in|during|within|over|for|from|of) )?(?P<the>the )?{_DAY}")
_DAY_BOUND = re.compile(rf"{_BOUND}(?P<the>the )?{_DAY}")
_MOMENT = rf"(?P<clock>{CLOCK}|{PARTS})(?!\w)"
_DAY_CLOCK_BOUND = re.compile(
    rf"{_BOUND}(?P<the>the )?{_DAY},? (?:(?:at|around|about) )?(?:the )?{_MOMENT}"
)
_CLOCK_DAY_BOUND = re.compile(
    r"\b(?P<bound>since) (?:(?:about|around|the) )?"
    rf"{_MOMENT},? (?:(?:on|of) )?(?P<the>the )?{_DAY}"
)
_AGO_BOUND = re.compile(
    r"\b(?:(?:no|not) )?(?P<than>more than|over|longer than|at least|less than|under|at most) "
    rf"(?P<old>{_NUMBER}) (?P<each>{_UNIT})s? ago(?!\w)"
)
_MEANT = r"(?<!\bnot )(?<!\bexcept )\b"
_NAMED_DAY = rf"(?:today|yesterday|{'|'.join(_WEEKDAYS)}|\d{{4}}-\d\d-\d\d)"
_DAYS = re.compile(
    rf"{_MEANT}(?:between (?P<since>{_NAMED_DAY}) and|from (?P<first>{_NAMED_DAY})"
    rf" (?:to|till|until)) (?P<last>{_NAMED_DAY})(?!,? (?:at )?\d)(?!\w)"
)
_HOUR = rf"(?:{CLOCK}|\d{{1,2}}|noon|midday|midnight)"
_HOURS = re.compile(
    rf"{_MEANT}(?:between (?P<since>{_HOUR}) and|from (?P<first>{_HOUR}) (?:to|till|until))"
    rf" (?P<last>{_HOUR})(?![\w:]|\.\d)"
)
_EXCLUDED = re.compile(r"\b(?:not|except|excluding|besides|counting)(?: for)? $")
_CLOCK_BOUND = re.compile(rf"{_BOUND}(?:about |around |the )?(?P<clock>{CLOCK}|{PARTS})(?!\w)")
_HALF = re.compile("[ap]\\.?m")
_GREETING = re.compile(r"\bgood (?:morning|afternoon|evening|night|day)\b")


class When(NamedTuple):
    """When something was, as a text says: times in ns (0: no bound), and a time of day.

    `rest` is the text without the words that say so; `read` whether there were any.
    """

    rest: str
    since_ns: int = 0
    until_ns: int = 0
    times: tuple[RoleFiller, ...] = ()
    read: bool = False

    @property
    def spoken(self) -> str:
        """Return the stretch of time in words, in local time; empty where there is none."""
        begin, end = _spoken(self.since_ns), _spoken(self.until_ns and self.until_ns + 1)
        if begin and end:
            return f"{begin} to {end}"
        return f"since {begin}" if begin else f"until {end}" if end else ""


class _Stretch(NamedTuple):
    begin_ns: int
    end_ns: int


def when_in(text: str, now_ns: int) -> When:
    """Return the time that a text speaks of, before `now_ns`."""
    rest = _GREETING.sub(" ", " ".join(text.casefold().split()))
    since, until, day, read = 0, 0, None, False
    if (found := _DAYS.search(rest)) and (day := _from_day_to_day(found, now_ns)):
        since, until = day.begin_ns, day.end_ns
        rest, read = _without(rest, found), True
    hours = _HOURS.search(rest)
    clocks = _from_clock_to_clock(hours) if hours else None
    if hours and clocks:
        rest, read = _without(rest, hours), True
    while found := _AGO_BOUND.search(rest):
        since, until = _within(since, until, *_beyond(found, now_ns))
        rest, read = _without(rest, found), True
    of_bound = None  # the day of a moment: "after 3 pm yesterday and before 6 pm"
    while found := _DAY_CLOCK_BOUND.search(rest) or _CLOCK_DAY_BOUND.search(rest):
        of_bound = _stretch(found, now_ns, bound=True)
        at = _clock(found["clock"], of_bound, now_ns, found["bound"]) if of_bound else None
        if at is None:
            break
        since, until = _within(since, until, *_bounded(found["bound"], at))
        rest, read = _without(rest, found), True
    while (found := _DAY_BOUND.search(rest)) and (one := _stretch(found, now_ns, bound=True)):
        since, until = _within(since, until, *_bounded(found["bound"], one))
        rest, read = _without(rest, found), True
    found = _IN_TEXT.search(rest)
    excluded = found is not None and _EXCLUDED.search(rest[: found.start()])
    if found is not None and not excluded and (day := _stretch(found, now_ns, bound=False)):
        since, until = _within(since, until, day.begin_ns, max(1, day.end_ns))
        rest, read = _without(rest, found), True
    day = day or of_bound
    if clocks:
        since, until = _within(since, until, *_latest(clocks, day, now_ns))
    while found := _CLOCK_BOUND.search(rest):
        at = _clock(found["clock"], day, now_ns, found["bound"])
        if at is None:
            break
        since, until = _within(since, until, *_bounded(found["bound"], at))
        if day is None and found["bound"] not in ("since", "after"):
            since = max(since, _start(now_ns))
        rest, read = _without(rest, found), True
    times: tuple[RoleFiller, ...] = ()
    at_time = time_in_text(rest)
    if at_time is not None:
        times = (at_time[1],)
        rest = rest.replace(at_time[0], " ", 1)
    return When(rest, max(0, since), until and max(1, until - 1), times, read)


def is_time_word(word: str, before: str) -> bool:
    """Whether a folded word behind another speaks of a time."""
    if word == "ago" and before == "long":
        return False  # "how long ago" asks for a time and names none
    if word == "may":
        return before in ("in", "since", "until", "last", "of", "before", "after")
    return word in TIME_WORDS and before not in ("many", "much")


def _from_day_to_day(found: re.Match[str], now_ns: int) -> _Stretch | None:
    """Return begin and end of days in a row, both whole; None where one of them is no day."""
    first = found["since"] or found["first"]
    begin, end = (_days_back(day, None, now_ns) for day in (first, found["last"]))
    if begin is None or end is None:
        return None
    if first in _WEEKDAYS and begin < end:
        begin += 7  # "from Friday to Sunday", on a Saturday
    return _days(now_ns, begin, begin - end + 1) if begin >= end else None


def _from_clock_to_clock(found: re.Match[str]) -> tuple[float, float] | None:
    """Return begin and end in s since midnight, the end the later; None where no clock is named.

    An hour alone takes its half of the day from the other: "between 9 and 11 am".
    """
    first, last = found["since"] or found["first"], found["last"]
    if first.isdigit() and last.isdigit():
        return None  # "between 10 and 11" may count anything
    begin, end = seconds_of(first), seconds_of(last)
    if begin is None or end is None:
        return None
    half, day = 12 * 3600.0, 24 * 3600.0
    since, until = begin[0], end[0]
    if first.isdigit() and _HALF.search(last) and since + half < until:
        since += half
    if last.isdigit() and _HALF.search(first) and until <= since < until + half:
        until += half
    return since, until if until > since else until + day


def _latest(clocks: tuple[float, float], day: _Stretch | None, now_ns: int) -> _Stretch:
    """Return a stretch between two clock times on a day; without one the latest that has begun."""
    back = 0 if day is None else _back(day, now_ns)
    at = _at(now_ns, back, *clocks)
    return _at(now_ns, 1, *clocks) if day is None and at.begin_ns > now_ns else at


def _back(day: _Stretch, now_ns: int) -> int:
    """Return how many days ago a stretch began."""
    return round((_start(now_ns) - _start(day.begin_ns)) / (86_400 * _S))


def _spoken(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // _S).isoformat(" ") if time_ns else ""


def _without(text: str, found: re.Match[str]) -> str:
    # A comma, so that what stands on both sides is not read together.
    return f"{text[: found.start()]} , {text[found.end() :]}"


def _within(since: int, until: int, begin: int, end: int) -> tuple[int, int]:
    """Return the later begin and the earlier end, where 0 is none."""
    return max(since, begin), min(filter(None, (until, end)), default=0)


def _bounded(bound: str, stretch: _Stretch) -> tuple[int, int]:
    """Return begin and end (0: none) of what is since, before, after or until a stretch."""
    if bound == "since":
        return stretch.begin_ns, 0
    if bound == "after":
        return stretch.end_ns, 0
    return 0, max(1, stretch.begin_ns if bound == "before" else stretch.end_ns)


def _beyond(found: re.Match[str], now_ns: int) -> tuple[int, int]:
    """Return begin and end (0: none) of what is more, or less, than some time ago."""
    than = found["than"]
    if found.group().startswith("no"):
        than = {"more than": "at most", "less than": "at least"}.get(than, than)
    ago = _ago(found["old"], found["each"], now_ns, bound=True)
    if than in ("less than", "under"):
        return ago.end_ns, 0
    if than == "at most":
        return ago.begin_ns, 0
    return 0, ago.end_ns if than == "at least" else ago.begin_ns


def _stretch(found: re.Match[str], now_ns: int, *, bound: bool) -> _Stretch | None:
    """Return begin and end of what was found, None for a day that there is not."""
    if found["eve"]:
        return _days(now_ns, 2, 1)
    if found["night"]:
        return _night(now_ns, 0 if found["night"] == "tonight" else 1)
    if found["this"]:
        return _part_of(found["its"], now_ns, 0, bound=bound)
    if found["day"]:
        back = _days_back(found["day"].removeprefix("so far "), found["last"], now_ns)
        if back is None or not found["part"]:
            return None if back is None else _days(now_ns, back, 1)
        return _part_of(found["part"], now_ns, back, bound=bound)
    if found["period"] and not found["the"]:
        which, unit = found["period"].split()
        return _period(which, unit, now_ns)
    if found["old"]:
        return _ago(found["old"], found["each"], now_ns, bound=bound)
    count, unit = found["count"], found["unit"] or found["period"].split()[1]
    if found["period"] and found["period"].startswith("this"):
        return _period("this", unit, now_ns)
    return _Stretch(now_ns - round(_count(count) * _UNITS[unit] * _S), now_ns + 1)


def _ago(old: str, each: str, now_ns: int, *, bound: bool) -> _Stretch:
    if each == "day" and _count(old) >= 1 and _count(old).is_integer():
        return _days(now_ns, int(_count(old)), 1)
    middle = now_ns - round(_count(old) * _UNITS[each] * _S)
    half = 0 if bound else round(_UNITS[each] * min(1.0, _count(old)) * _S / 2)
    return _Stretch(middle - half, middle + half + 1)


def _days_back(day: str, last: str | None, now_ns: int) -> int | None:
    """Return how many days ago a day was that is called so; None where there is no such day."""
    if day in ("today", "yesterday"):
        return int(day == "yesterday")
    today = datetime.fromtimestamp(now_ns // _S)
    if day[0].isdigit():
        try:
            date = datetime.fromisoformat(day)
        except ValueError:
            return None
        return (today.date() - date.date()).days if 1970 <= date.year < 2038 else None
    back = (today.weekday() - _WEEKDAYS.index(day.split()[-1])) % 7
    return back or (7 if last == "last " else 0)


def _part_of(part: str, now_ns: int, back: int, *, bound: bool) -> _Stretch | None:
    if part in ("night", "midnight"):
        return _night(now_ns, back)
    span = seconds_of(part)
    if span is None:
        return None
    begin, end = span
    if begin < end or bound:
        return _at(now_ns, back, begin, end)
    return _at(now_ns, back, begin - _BESIDE_S, end + _BESIDE_S)


def _period(which: str, unit: str, now_ns: int) -> _Stretch:
    """Return this or the last week (from Monday), month or year."""
    today = datetime.fromtimestamp(_start(now_ns) // _S)
    if unit == "week":
        begin = today - timedelta(days=today.weekday())
        before = begin - timedelta(days=7)
    else:
        begin = today.replace(day=1) if unit == "month" else today.replace(day=1, month=1)
        before = (begin - timedelta(days=1)).replace(day=1)
        before = before.replace(month=1) if unit == "year" else before
    if which == "this":
        return _Stretch(_ns(begin), _start(now_ns, -1))
    return _Stretch(_ns(before), _ns(begin))


def _days(now_ns: int, back: int, count: int) -> _Stretch:
    return _Stretch(_start(now_ns, back), _start(now_ns, back - count))


def _night(now_ns: int, back: int) -> _Stretch:
    begin = datetime.fromtimestamp(_start(now_ns, back) // _S)
    return _Stretch(_ns(begin.replace(hour=21)), _ns((begin + timedelta(days=1)).replace(hour=6)))


def _clock(words: str, day: _Stretch | None, now_ns: int, bound: str) -> _Stretch | None:
    """Return a clock time or a part of a day; without a day of today, or the latest there was."""
    span = seconds_of(words)
    if span is None:
        return None
    back = 0 if day is None else _back(day, now_ns)
    at = _at(now_ns, back, *span)
    if day is None and bound in ("since", "after") and at.begin_ns > now_ns:
        at = _at(now_ns, back + 1, *span)
    if day is not None and at.end_ns < day.begin_ns:
        later = _at(now_ns, back - 1, *span)
        at = later if later.begin_ns < day.end_ns else at  # "after 1 am last night"
    return at


def _at(now_ns: int, back: int, begin_s: float, end_s: float) -> _Stretch:
    day = datetime.fromtimestamp(_start(now_ns, back) // _S)
    begin, end = (day + timedelta(seconds=second) for second in (begin_s, end_s))
    return _Stretch(_ns(begin), _ns(end))


def _start(moment_ns: int, back: int = 0) -> int:
    """Return when the local day began that is `back` days before the one of a moment, in ns."""
    day = datetime.fromtimestamp(moment_ns // _S)
    return _ns(day.replace(hour=0, minute=0, second=0, fold=0) - timedelta(days=back))


def _ns(local: datetime) -> int:
    try:
        return round(local.timestamp()) * _S
    except (ValueError, OverflowError):
        return 0  # before all that anybody remembers


def _count(written: str | None) -> float:
    if written is None:
        return 1.0
    return float(written) if written[0].isdigit() else _COUNTS[written]
