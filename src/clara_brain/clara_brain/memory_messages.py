# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of memory/query and what a turn takes from memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from builtin_interfaces.msg import Time as Stamp
from rclpy.time import Time

from clara_brain.past_attempts import MOST_ATTEMPTS, Attempt
from clara_brain.recollection import Age, Fact, Order, Outcome, Recollection, UnderWay, Unread
from clara_interfaces.msg import ActionEvent, Episode, RoleFiller
from clara_interfaces.srv import QueryMemory

_UNREAD = "text"  # the role of words that memory did not read
_WHEN = "when"  # the role of a time that was understood
_RELATIVE = "relative"  # the role of what a question is relative to, in words
_SAID = (_UNREAD, _RELATIVE)  # words that no episode has
_MOST_RESULTS = 100
_PLACES = frozenset(["place", "location", "position", "room", "zone", "area", "site", "station"])


def recall_request(text: str, episodes: int) -> QueryMemory.Request:
    """Return what memory is asked with free text.

    Every episode has one result, so that those of all that fit are counted by it.
    """
    return QueryMemory.Request(
        text=text, ask=["result"], top_k=_MOST_RESULTS, max_episodes=episodes
    )


def attempts_request(cue: dict[str, str]) -> QueryMemory.Request:
    """Return what memory is asked about earlier attempts with these roles and fillers."""
    fillers = [RoleFiller(role=role, filler=filler) for role, filler in cue.items()]
    return QueryMemory.Request(cue=fillers, ask=["result"], max_episodes=MOST_ATTEMPTS)


def recollection(response: QueryMemory.Response, now: Time) -> Recollection:
    """Take what a reply needs from memory's answer to `recall_request`."""
    results = [each for answer in response.answers for each in answer.candidates]
    counted = sum(each.support for each in results) == response.matches
    understood = list(response.understood)
    aside = [each.cue for each in response.readings if each.cue not in response.understood]
    missing = _distinct(_spoken(cue) for cue in aside if cue.role != _UNREAD)
    unread = {
        each.cue.filler: Unread(each.cue.filler, each.nearest)
        for each in response.readings
        if each.cue.role == _UNREAD
    }
    facts = tuple(_fact(match.episode, now) for match in response.episodes)
    return Recollection(
        facts=facts,
        abstained=bool(response.abstained),
        reason=next((each.reason for each in response.answers if each.reason), ""),
        missing=missing,
        unread=tuple(unread.values()),
        recognised=_distinct(
            each.role for each in (*understood, *aside) if each.role not in _SAID
        ),
        asked=_distinct(_named(each) for each in sorted(understood, key=_deed_first)),
        matches=response.matches,
        succeeded=sum(each.succeeded for each in results) if counted else 0,
        failed=sum(each.failed for each in results) if counted else 0,
        order=_order(response, facts),
        counted=tuple(response.counted),
        under_way=tuple(_under_way(event, now) for event in response.under_way),
        relative=", ".join(each.filler for each in understood if each.role == _RELATIVE),
    )


def attempts(response: QueryMemory.Response, now: Time) -> list[Attempt]:
    """Take what the robot itself tried before from memory's answer."""
    episodes = [match.episode for match in response.episodes]
    return [
        Attempt(
            action=episode.action,
            object=episode.object,
            outcome=_outcome(episode.outcome),
            age=_age(episode.end, now),
            detail=episode.detail,
            context=_in_words(episode),
        )
        for episode in episodes
        if _is_own(episode)
    ]


def _fact(episode: Episode, now: Time) -> Fact:
    return Fact(
        episode_id=episode.episode_id,
        action=episode.action,
        object=episode.object,
        outcome=_outcome(episode.outcome),
        age=_age(episode.end, now),
        subject="" if _is_own(episode) else episode.subject or episode.robot,
        detail=episode.detail,
        context=_in_words(episode),
    )


def _under_way(event: ActionEvent, now: Time) -> UnderWay:
    since = _age(event.header.stamp, now)
    return UnderWay(event.action, event.object, since, event.subject, _in_words(event))


def _order(response: QueryMemory.Response, facts: Sequence[Fact]) -> Order:
    """Return what stands first: memory gives the latest first, or the first where it is asked."""
    if len({match.score for match in response.episodes}) > 1:
        return Order.BEST
    ages = [fact.age.seconds for fact in facts if not fact.age.is_ahead]
    return Order.FIRST if ages[:1] > ages[1:2] > [] else Order.LATEST


def _in_words(happened: Episode | ActionEvent) -> dict[str, str]:
    """Return the roles of the context as words, first where it was: few of them are told.

    A position tells that only where no place has a name.
    """
    named = any(map(_is_named_place, happened.context))

    def rank(filler: RoleFiller) -> int:
        if filler.kind == RoleFiller.POSITION:
            return 2 if named else 0
        return 0 if _is_named_place(filler) else 1

    ordered = sorted(happened.context, key=rank)
    return {each.role: said for each in ordered if (said := _spoken(each))}


def _is_named_place(filler: RoleFiller) -> bool:
    return filler.role in _PLACES and filler.kind != RoleFiller.POSITION


def _spoken(filler: RoleFiller) -> str:
    """Return a filler as text; empty where it has no value."""
    if filler.kind == RoleFiller.TEXT:
        return str(filler.filler)
    if filler.kind == RoleFiller.POSITION:
        return _position(filler)
    return f"{filler.values[0]:.9g}" if filler.values else ""


def _position(filler: RoleFiller) -> str:
    """Return a position to the centimetre, as "4, 7.5 (map)"; a height of 0 is not said."""
    rounded = [round(value, 2) + 0.0 for value in filler.values]  # -0.0 becomes 0.0
    if rounded[2:] == [0.0]:
        del rounded[2]
    said = ", ".join(f"{value:.9g}" for value in rounded)
    return f"{said} ({filler.filler})" if said and filler.filler else said


def _named(filler: RoleFiller) -> str:
    """Return a filler as text, a number with what it is of: "room 101"; empty for a time."""
    said = "" if filler.role in (_WHEN, _RELATIVE) else _spoken(filler)
    if filler.kind != RoleFiller.TEXT and said:
        return f"{filler.role} {said}"
    # Several outcomes are one filler: FAILED/CANCELED.
    return said.replace("/", " or ")


def _deed_first(filler: RoleFiller) -> bool:
    return bool(filler.role != "action")


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def _is_own(episode: Episode) -> bool:
    """Whether this robot did it: not somebody else, nor a robot whose memory was merged."""
    return episode.subject in ("", episode.robot) and not episode.source.startswith("merge:")


def _outcome(number: int) -> Outcome:
    known = [outcome.value for outcome in Outcome]
    return Outcome(number) if number in known else Outcome.UNKNOWN


def _age(stamp: Stamp, now: Time) -> Age:
    """Return how long ago a moment was."""
    then = Time.from_msg(stamp, clock_type=now.clock_type)
    today, day = (datetime.fromtimestamp(_seconds(one)).date() for one in (now, then))
    return Age(_seconds(now) - _seconds(then), (today - day).days)


def _seconds(moment: Time) -> float:
    return float(moment.nanoseconds / 1e9)
