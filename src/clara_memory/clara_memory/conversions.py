# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Between the messages of clara_interfaces and the dataclasses of the library.

What a message holds may be anything; numbers outside an enumeration raise InvalidRequest here, the
rest is checked by the library.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import KeyValue
from std_msgs.msg import Header

from clara_interfaces import msg, srv
from clara_memory.correcting import changes_of
from clara_memory.episode import MAX_ROLES, Episode, Kind, Outcome, RoleFiller
from clara_memory.errors import InvalidRequest
from clara_memory.item_memory import Reading
from clara_memory.memory import Stats
from clara_memory.messages import Event, Result
from clara_memory.pairing import PairingCounts
from clara_memory.ranges import RoleRange
from clara_memory.retrieval import (
    Answer,
    Candidate,
    CueMatch,
    EpisodeMatch,
    Query,
    RoleAnswer,
)


def to_ns(time: Time) -> int:
    """Return a Time as nanoseconds."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def to_time(time_ns: int) -> Time:
    """Return nanoseconds as a Time."""
    return Time(sec=time_ns // 1_000_000_000, nanosec=time_ns % 1_000_000_000)


def _outcome(field: str, number: int) -> Outcome:
    try:
        return Outcome(number)
    except ValueError:
        raise InvalidRequest(field, f"is {number}: there is no such outcome") from None


def fillers(field: str, messages: Sequence[msg.RoleFiller]) -> tuple[RoleFiller, ...]:
    """Return the fillers of messages."""
    if len(messages) > MAX_ROLES:
        raise InvalidRequest(field, f"has {len(messages)} roles, at most {MAX_ROLES} are allowed")
    return tuple(_filler(f"{field}[{number}]", message) for number, message in enumerate(messages))


def _filler(field: str, message: msg.RoleFiller) -> RoleFiller:
    if message.kind not in Kind.__members__.values():
        raise InvalidRequest(f"{field}.kind", f"is {message.kind}: no such kind")
    values = tuple(float(value) for value in message.values[:4])
    return RoleFiller(message.role, message.filler, Kind(message.kind), values)


def filler_messages(made: Iterable[RoleFiller]) -> list[msg.RoleFiller]:
    """Return fillers as messages."""
    return [
        msg.RoleFiller(
            role=filler.role,
            kind=int(filler.kind),
            filler=filler.filler,
            values=list(filler.values),
        )
        for filler in made
    ]


def event(message: msg.ActionEvent) -> Event:
    """Return the Event of a message."""
    return Event(
        action_id=message.action_id,
        action=message.action,
        subject=message.subject,
        object=message.object,
        start_ns=to_ns(message.header.stamp),
        context=fillers("context", message.context),
    )


def event_message(made: Event) -> msg.ActionEvent:
    """Return an Event as a message."""
    return msg.ActionEvent(
        header=Header(stamp=to_time(made.start_ns)),
        action_id=made.action_id,
        subject=made.subject,
        action=made.action,
        object=made.object,
        context=filler_messages(made.context),
    )


def result(message: msg.ActionResult) -> Result:
    """Return the Result of a message."""
    return Result(
        action_id=message.action_id,
        outcome=_outcome("outcome", message.outcome),
        end_ns=to_ns(message.header.stamp),
        detail=message.detail,
        effects=fillers("effects", message.effects),
    )


def episode(message: msg.Episode) -> Episode:
    """Return the Episode of a message."""
    return Episode(
        episode_id=message.episode_id,
        action_id=message.action_id,
        robot=message.robot,
        subject=message.subject,
        action=message.action,
        object=message.object,
        outcome=_outcome("outcome", message.outcome),
        result=message.result,
        start_ns=to_ns(message.start),
        end_ns=to_ns(message.end),
        detail=message.detail,
        context=fillers("context", message.context),
        effects=fillers("effects", message.effects),
        source=message.source,
    )


def episode_message(made: Episode) -> msg.Episode:
    """Return an Episode as a message."""
    return msg.Episode(
        episode_id=made.episode_id,
        action_id=made.action_id,
        robot=made.robot,
        subject=made.subject,
        action=made.action,
        object=made.object,
        outcome=int(made.outcome),
        result=made.result,
        start=to_time(made.start_ns),
        end=to_time(made.end_ns),
        detail=made.detail,
        context=filler_messages(made.context),
        effects=filler_messages(made.effects),
        source=made.source,
    )


def _ranges(messages: Sequence[msg.RoleRange]) -> tuple[RoleRange, ...]:
    """Return ranges; of those too many or of a center too long only as much as shows it."""
    return tuple(
        RoleRange(
            message.role,
            message.low,
            message.high,
            tuple(message.center[:4]),
            message.frame,
            message.radius,
        )
        for message in messages[: MAX_ROLES + 1]
    )


def query(request: srv.QueryMemory.Request) -> Query:
    """Return the Query of a request."""
    return Query(
        cue=fillers("cue", request.cue),
        text=request.text,
        ask=tuple(request.ask),
        top_k=request.top_k,
        max_episodes=request.max_episodes,
        since_ns=to_ns(request.since),
        until_ns=to_ns(request.until),
        outcomes=tuple(_outcome("outcomes", number) for number in request.outcomes),
        robots=tuple(request.robots),
        subjects=tuple(request.subjects),
        ranges=_ranges(request.ranges),
        weights=tuple(float(weight) for weight in request.weights),
        recency_half_life_s=float(request.recency_half_life),
        guess=request.guess,
    )


def query_request(asked: Query) -> srv.QueryMemory.Request:
    """Return a Query as a request."""
    return srv.QueryMemory.Request(
        cue=filler_messages(asked.cue),
        text=asked.text,
        ask=list(asked.ask),
        top_k=asked.top_k,
        max_episodes=asked.max_episodes,
        since=to_time(asked.since_ns),
        until=to_time(asked.until_ns),
        outcomes=[int(outcome) for outcome in asked.outcomes],
        robots=list(asked.robots),
        subjects=list(asked.subjects),
        ranges=[
            msg.RoleRange(
                role=one.role,
                low=one.low,
                high=one.high,
                center=list(one.center),
                frame=one.frame,
                radius=one.radius,
            )
            for one in asked.ranges
        ],
        weights=list(asked.weights),
        recency_half_life=asked.recency_half_life_s,
        guess=asked.guess,
    )


def answer_response(found: Answer, response: srv.QueryMemory.Response) -> srv.QueryMemory.Response:
    """Fill a response with an Answer."""
    response.abstained = found.abstained
    response.answers = [
        msg.RoleAnswer(
            role=role.role,
            abstained=role.abstained,
            reason=role.reason,
            candidates=[
                msg.Candidate(
                    filler=candidate.filler,
                    score=candidate.score,
                    support=candidate.support,
                    succeeded=candidate.succeeded,
                    failed=candidate.failed,
                    last=to_time(candidate.last_ns),
                    episode_ids=list(candidate.episode_ids),
                )
                for candidate in role.candidates
            ],
        )
        for role in found.answers
    ]
    response.episodes = [
        msg.EpisodeMatch(score=match.score, episode=episode_message(match.episode))
        for match in found.episodes
    ]
    response.understood = filler_messages(found.understood)
    response.readings = [
        msg.CueMatch(
            cue=filler_messages([reading.cue])[0],
            nearest=reading.nearest,
            by=int(reading.by),
            similarity=reading.similarity,
            accepted=reading.accepted,
        )
        for reading in found.readings
    ]
    response.matches = found.matches
    response.searched = found.searched
    response.under_way = [event_message(one) for one in found.under_way]
    return response


def forget_request(request: srv.ForgetEpisodes.Request) -> dict[str, Any]:
    """Return the arguments of EpisodicMemory.forget."""
    return {
        "episode_ids": tuple(request.episode_ids),
        "where": fillers("where", request.where),
        "since_ns": to_ns(request.since),
        "until_ns": to_ns(request.until),
        "dry_run": request.dry_run,
        "reason": request.reason,
    }


def changes(request: srv.CorrectEpisode.Request) -> dict[str, str]:
    """Return the changes that EpisodicMemory.correct takes; raises InvalidRequest."""
    return changes_of(fillers("changes", request.changes))


def stats_response(
    figures: Stats, response: srv.GetMemoryStats.Response
) -> srv.GetMemoryStats.Response:
    """Fill a response with Stats; `rejected` and `dropped` are the node's own to fill."""
    response.episodes = figures.episodes
    response.succeeded = figures.succeeded
    response.failed = figures.failed
    response.pending = figures.pending
    response.events_received = figures.counts.events
    response.results_received = figures.counts.results
    response.duplicates = figures.counts.duplicates
    response.orphans = figures.counts.orphans
    response.forgotten = figures.forgotten
    response.pinned = figures.pinned
    response.max_episodes = figures.max_episodes
    response.max_bytes = figures.max_bytes
    response.oldest = to_time(figures.oldest_ns)
    response.latest = to_time(figures.latest_ns)
    response.path = figures.path
    response.bytes = figures.bytes
    response.vocabulary = [
        KeyValue(key=role, value=str(known)) for role, known in figures.vocabulary.items()
    ]
    return response


def answer(response: srv.QueryMemory.Response) -> Answer:
    """Return the Answer of a response."""
    return Answer(
        answers=tuple(
            RoleAnswer(
                role.role,
                tuple(
                    Candidate(
                        filler=candidate.filler,
                        score=candidate.score,
                        support=candidate.support,
                        succeeded=candidate.succeeded,
                        failed=candidate.failed,
                        last_ns=to_ns(candidate.last),
                        episode_ids=tuple(candidate.episode_ids),
                    )
                    for candidate in role.candidates
                ),
                role.reason,
            )
            for role in response.answers
        ),
        episodes=tuple(
            EpisodeMatch(match.score, episode(match.episode)) for match in response.episodes
        ),
        # Cue, text and ranges together may be more than one of them may have.
        understood=tuple(_filler("understood", one) for one in response.understood),
        readings=tuple(
            CueMatch(
                _filler("readings", reading.cue),
                reading.nearest,
                Reading(reading.by),
                reading.similarity,
                reading.accepted,
            )
            for reading in response.readings
        ),
        matches=response.matches,
        searched=response.searched,
        under_way=tuple(event(one) for one in response.under_way),
    )


def stats(response: srv.GetMemoryStats.Response) -> Stats:
    """Return the Stats of a response."""
    return Stats(
        episodes=response.episodes,
        succeeded=response.succeeded,
        failed=response.failed,
        pending=response.pending,
        oldest_ns=to_ns(response.oldest),
        latest_ns=to_ns(response.latest),
        path=response.path,
        bytes=response.bytes,
        vocabulary={pair.key: int(pair.value) for pair in response.vocabulary},
        counts=PairingCounts(
            events=response.events_received,
            results=response.results_received,
            duplicates=response.duplicates,
            orphans=response.orphans,
        ),
        forgotten=response.forgotten,
        pinned=response.pinned,
        max_episodes=response.max_episodes,
        max_bytes=response.max_bytes,
    )
