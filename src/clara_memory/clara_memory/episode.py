# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes, roles and fillers, and the limits that the interfaces set for them.

- `fold` decides which spellings are one symbol: letter case, spaces and underscores are set aside.
- Words for outcomes (SUCCESS, DONE, FAILURE, ...) are one symbol each, for storing and asking.
- Checks raise InvalidRequest with the name of the field.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

from clara_memory.errors import InvalidRequest

MAX_ACTION_ID = 128
MAX_FILLER = 256
MAX_DETAIL = 1024
MAX_TEXT = 1024
MAX_ROLES = 16
MAX_EPISODE_ID = 64
MAX_TIME_NS = 2**31 * 10**9 - 1  # what builtin_interfaces/Time holds
STANDARD_ROLES = ("subject", "action", "object", "result")
CORRECTABLE = (*STANDARD_ROLES, "detail")
UNKNOWN_ACTION = "UNKNOWN_ACTION"

_ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
# Unicode categories Cc and Cs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SEPARATORS = re.compile(r"[\s_\-]+")


class Outcome(IntEnum):
    """How an episode ended; the numbers are those of clara_interfaces/Episode."""

    UNKNOWN = 0
    SUCCEEDED = 1
    FAILED = 2
    CANCELED = 3
    TIMED_OUT = 4


# What counts as failed wherever that is counted, and where a text says "failed".
FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT)


class Kind(IntEnum):
    """What a filler is; the numbers are those of clara_interfaces/RoleFiller."""

    TEXT = 0
    NUMBER = 1
    POSITION = 2


_OUTCOME_WORDS = {
    word: outcome
    for outcome, words in {
        Outcome.SUCCEEDED: "succeeded|success|succeed|successful|ok|okay|done|completed|passed",
        Outcome.FAILED: "failed|failure|fail|error|unsuccessful",
        Outcome.CANCELED: "canceled|cancelled|cancel|aborted|preempted",
        Outcome.TIMED_OUT: "timed out|timeout|time out|timedout",
        Outcome.UNKNOWN: "unknown",
    }.items()
    for word in words.split("|")
}


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return the symbol behind a spelling: `Pick_Up`, `PICK UP` and `pick-up` are one."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@lru_cache(maxsize=4096)
def outcome_of_word(word: str) -> Outcome | None:
    """Return the outcome that a word names, or None where it is no outcome word."""
    return _OUTCOME_WORDS.get(fold(word))


@dataclass(frozen=True, slots=True)
class RoleFiller:
    """One role and what fills it: text, a number (SI unit) or a position (metres, in a frame)."""

    role: str
    filler: str = ""
    kind: Kind = Kind.TEXT
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.values:  # a whole number is a float here, as it is once it was stored
            object.__setattr__(self, "values", tuple(map(float, self.values)))

    def __str__(self) -> str:
        return f"{self.role}={self.spoken}"

    @property
    def spoken(self) -> str:
        """Return the filler in words, as `CUP`, `0.5` or `map 1 2 0`."""
        if self.kind is Kind.TEXT:
            return self.filler
        return " ".join(filter(None, [self.filler, *map(spoken_number, self.values)]))


Filler = str | float | Sequence[float] | RoleFiller  # plain Python, for as_filler


def as_filler(role: str, filler: Filler) -> RoleFiller:
    """Return a filler from plain Python: text, a number, or x, y, z in metres."""
    if isinstance(filler, RoleFiller):
        return replace(filler, role=role)
    if isinstance(filler, str):
        return RoleFiller(role, filler)
    if isinstance(filler, int | float):
        return RoleFiller(role, "", Kind.NUMBER, (float(filler),))
    return RoleFiller(role, "", Kind.POSITION, tuple(float(value) for value in filler))


def spoken_number(number: float) -> str:
    """Return a number in as few digits as give it back whole: `0.5`, `1234567`."""
    if number.is_integer() and abs(number) < 1e15:
        return f"{number:.0f}"
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


@dataclass(frozen=True, slots=True)
class Episode:
    """One remembered episode; the fields are those of clara_interfaces/Episode, times in ns."""

    action: str
    subject: str = ""
    object: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    result: str = ""
    episode_id: str = ""
    action_id: str = ""
    robot: str = ""
    start_ns: int = 0
    end_ns: int = 0
    detail: str = ""
    context: tuple[RoleFiller, ...] = ()
    effects: tuple[RoleFiller, ...] = ()
    source: str = ""


def lacks_result(episode: Episode) -> bool:
    """Whether nobody has said how an episode ended, by an outcome or by a word of their own."""
    said = outcome_of_word(episode.result) if episode.result else Outcome.UNKNOWN
    return episode.outcome is Outcome.UNKNOWN and said is Outcome.UNKNOWN


def check_text(field: str, text: str, limit: int, *, lines: bool = False) -> None:
    """Raise InvalidRequest unless the text is short enough and free of control characters.

    With `lines`, line ends and tabs are allowed.
    """
    if len(text) > limit:
        raise InvalidRequest(field, f"has {len(text):,} characters, at most {limit:,} are allowed")
    control = (_CONTROL_BUT_LINES if lines else _CONTROL).search(text)
    if control:
        code = f"U+{ord(control[0]):04X}"
        raise InvalidRequest(field, f"holds the control character {code}, which is not allowed")


def check_role(field: str, role: str) -> None:
    """Raise InvalidRequest unless the role is named as the interface says."""
    if not role:
        raise InvalidRequest(field, "is empty: a role needs a name, as 'place'")
    if not _ROLE.match(role):
        raise InvalidRequest(
            field, f"is {role[:40]!r}: a role is lower case, [a-z][a-z0-9_], at most 32 characters"
        )


def check_filler(field: str, filler: RoleFiller) -> None:
    """Raise InvalidRequest unless role, kind, text and values go together."""
    check_role(f"{field}.role", filler.role)
    check_text(f"{field}.filler", filler.filler, MAX_FILLER)
    expected = {Kind.TEXT: 0, Kind.NUMBER: 1, Kind.POSITION: 3}[filler.kind]
    if len(filler.values) != expected:
        raise InvalidRequest(
            f"{field}.values",
            f"of '{filler.role}' has {len(filler.values)} numbers, "
            f"{filler.kind.name} has {expected}",
        )
    if not all(math.isfinite(value) for value in filler.values):
        raise InvalidRequest(
            f"{field}.values", f"of '{filler.role}' holds a number that is not finite"
        )
    if filler.kind is Kind.TEXT and not fold(filler.filler):
        raise InvalidRequest(f"{field}.filler", f"is empty: role '{filler.role}' needs a filler")
    if filler.kind is Kind.NUMBER and filler.filler:
        raise InvalidRequest(f"{field}.filler", "must be empty where kind is NUMBER")


def check_fillers(field: str, fillers: Iterable[RoleFiller], *, standard: bool) -> None:
    """Check a list of fillers; with `standard`, the standard roles may be among them."""
    seen: set[str] = set()
    for number, filler in enumerate(fillers):
        here = f"{field}[{number}]"
        if number >= MAX_ROLES:
            raise InvalidRequest(field, f"has more than {MAX_ROLES} roles")
        check_filler(here, filler)
        if filler.role in seen:
            raise InvalidRequest(f"{here}.role", f"is '{filler.role}', which is given twice")
        if not standard and filler.role in STANDARD_ROLES:
            raise InvalidRequest(
                f"{here}.role", f"is '{filler.role}', which has a field of its own"
            )
        if standard and filler.role in STANDARD_ROLES and filler.kind is not Kind.TEXT:
            raise InvalidRequest(f"{here}.kind", f"must be TEXT for the role '{filler.role}'")
        seen.add(filler.role)


def check_time(field: str, time_ns: int) -> None:
    """Raise InvalidRequest unless the time is 0 or later and fits into the store."""
    if not 0 <= time_ns <= MAX_TIME_NS:
        raise InvalidRequest(field, "is a time before 1970 or after 2038")


def check_episode(episode: Episode) -> None:
    """Raise InvalidRequest with the name of the first field that is not valid."""
    words = (
        f"{episode.subject}{episode.action}{episode.object}{episode.result}{episode.robot}"
        f"{episode.source}{episode.action_id}{episode.episode_id}{episode.detail}"
    )
    # Mostly they are short and plain together, so that none can be too long or hold a control
    # character; only where they are not is each looked at.
    if len(words) > MAX_EPISODE_ID or not words.isprintable():
        for field in ("subject", "action", "object", "result", "robot", "source"):
            check_text(field, getattr(episode, field), MAX_FILLER)
        check_text("action_id", episode.action_id, MAX_ACTION_ID)
        check_text("episode_id", episode.episode_id, MAX_EPISODE_ID)
        check_text("detail", episode.detail, MAX_DETAIL, lines=True)
    if not fold(episode.action):
        raise InvalidRequest("action", "is empty: an episode needs an action, as 'PICK_UP'")
    if episode.context or episode.effects:
        check_fillers("context", episode.context, standard=False)
        check_fillers("effects", episode.effects, standard=False)
    if not 0 <= episode.start_ns <= episode.end_ns <= MAX_TIME_NS:
        check_time("start", episode.start_ns)
        check_time("end", episode.end_ns)
        if episode.end_ns:
            raise InvalidRequest("end", "is before start")


def completed(
    episode: Episode, *, robot: str, now_ns: int, episode_id: str = "", source: str = ""
) -> Episode:
    """Return the valid episode with its empty fields filled in, as the interface says.

    A `source` that is given replaces the episode's own. The outcome is read from the result where
    only that is given, and the other way round.

    Raises:
        InvalidRequest: outcome and result contradict each other.
    """
    outcome, result = episode.outcome, episode.result
    named = outcome_of_word(result) if result else outcome
    if named is not None:
        if outcome is Outcome.UNKNOWN:
            outcome = named
        if named is not outcome:
            raise InvalidRequest(
                "result", f"says {named.name}, but outcome says {outcome.name}: they must agree"
            )
        result = outcome.name
    robot = episode.robot or robot
    start_ns = episode.start_ns or episode.end_ns or now_ns
    # By place, for every episode comes through here: names take twice as long, and
    # dataclasses.replace three times.
    return Episode(
        episode.action,
        episode.subject or robot,
        episode.object,
        outcome,
        result,
        episode.episode_id or episode_id,
        episode.action_id,
        robot,
        start_ns,
        episode.end_ns or start_ns,
        episode.detail,
        episode.context,
        episode.effects,
        source or episode.source,
    )
