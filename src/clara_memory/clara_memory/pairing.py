# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Events and results become episodes: paired by action_id, in whatever order and however late.

- Event, then result (or the other way round): one episode.
- Event and no result in time: an episode with outcome UNKNOWN; a later result completes it.
- Result and no event in time: an episode with action UNKNOWN_ACTION; a later event completes it.
- Both complete it also where it was corrected meanwhile (clara_memory.late).
- A result stamped well before its event waits too: that may be of an earlier use of the action_id.
  Where no other comes until the event is given up, two clocks stamped them: they are one episode.
- The same message again is counted and ignored; a result without a stamp is one where its event
  came again as well. An action_id used again later is a new attempt, also after a clock was set
  back or a simulation began anew.
- What waits is on disk, and bounded: past the bound the oldest is stored as if its time were up.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from sqlite3 import Connection

from clara_memory.episode import UNKNOWN_ACTION, Episode, completed, lacks_result
from clara_memory.forgetting import Conditions
from clara_memory.late import NO_RESULT, with_event, with_result, without_event, without_result
from clara_memory.messages import Event, Result
from clara_memory.store import Store
from clara_memory.waiting import Waiting, delete_waiting, insert_waiting, read_waiting

NO_EVENT = "its event never came"
_MOST_BEGUN = 100  # that a question is held against
_REASONS = {"event": NO_RESULT, "result": NO_EVENT}


@dataclass(frozen=True, slots=True)
class PairingSettings:
    """How long messages wait for each other, and how many may wait."""

    result_timeout_s: float = 300.0  # an event without a result is stored as UNKNOWN
    event_timeout_s: float = 30.0  # a result without an event is stored as UNKNOWN_ACTION
    repeat_window_s: float = 10.0  # the same unstamped message within it is a duplicate
    max_pending: int = 10_000


def episode_id(robot: str, action_id: str, start_ns: int) -> str:
    """Return the id of an attempt: the same wherever and however often it is computed."""
    identity = json.dumps([robot, action_id, start_ns]).encode()
    return hashlib.blake2b(identity, digest_size=8).hexdigest()


@dataclass(slots=True)
class PairingCounts:
    """What became of the messages so far."""

    events: int = 0
    results: int = 0
    duplicates: int = 0
    orphans: int = 0


@dataclass(slots=True)
class Change:
    """An episode that was stored as row `seq`, or changed there."""

    seq: int
    episode: Episode
    added: bool


def _repeats(result: Waiting, known: Episode) -> bool:
    """Whether a result without a stamp says what is known of an attempt already."""
    again = result.episode
    return (
        not result.stamped
        and known.action != UNKNOWN_ACTION
        and (again.outcome, again.detail, again.effects)
        == (known.outcome, known.detail, known.effects)
    )


class Pairing:
    """Pairs the messages of one robot; everything it does happens inside the caller's transaction.

    After a transaction that failed, call `reload`. `unreadable` names the messages on disk that
    are damaged.
    """

    def __init__(self, store: Store, robot: str, settings: PairingSettings) -> None:
        self._store = store
        self._robot = robot
        self.settings = settings
        self.counts = PairingCounts()
        self._waiting, self.unreadable = read_waiting(store)
        self._repeated: dict[str, int] = {}  # action_ids whose event came again, and when

    @property
    def pending(self) -> int:
        """Return the number of actions that started and have not ended yet."""
        return len(self._waiting["event"])

    def begun(self) -> tuple[Waiting, ...]:
        """Return the latest events that wait and have no result, the latest last."""
        latest = islice(reversed(self._waiting["event"].items()), _MOST_BEGUN)
        begun = [one for name, one in latest if self._result_meanwhile(name) is None]
        return tuple(reversed(begun))

    def reload(self) -> None:
        """Take what waits from the disk."""
        self._waiting, self.unreadable = read_waiting(self._store)
        self._repeated = {}

    def take(self, database: Connection, message: Event | Result, now_ns: int) -> list[Change]:
        """Take in a valid message; returns the episodes that it made or completed."""
        if isinstance(message, Event):
            self.counts.events += 1
            return self._take_event(database, message, now_ns)
        self.counts.results += 1
        return self._take_result(database, message, now_ns)

    def awaits(self, action_id: str) -> bool:
        """Whether an event of this action_id waits for its result, or was given up without it."""
        if action_id in self._waiting["event"]:
            return True
        latest = self._store.latest_seq(self._robot, action_id)
        return any(lacks_result(known) for known in self._store.fetch(latest).values())

    def matching(self, conditions: Conditions) -> list[tuple[str, str]]:
        """Return kind and action_id of the messages that wait and meet these conditions."""
        found = []
        for kind, messages in self._waiting.items():
            for action_id, message in messages.items():
                end_ns = message.episode.end_ns
                if conditions.hold(message.fillers(self._robot), end_ns, end_ns):
                    found.append((kind, action_id))
        return found

    def drop(self, database: Connection, messages: Iterable[tuple[str, str]]) -> None:
        """Wait no more for the other half of these, by kind and action_id; they are gone."""
        for kind, action_id in messages:
            self._forget(database, kind, action_id)

    def has_overdue(self, now_ns: int) -> bool:
        """Whether `expire` would find anything."""
        return any(self._overdue(kind, now_ns) for kind in self._waiting)

    def expire(self, database: Connection, now_ns: int) -> list[Change]:
        """Store what has waited too long."""
        changes = []
        for kind, reason in _REASONS.items():
            within = f"{reason} within {self._timeout_s(kind):g} s"
            for action_id in self._overdue(kind, now_ns):
                changes.append(self._give_up(database, kind, action_id, within, now_ns))
        return changes

    def _timeout_s(self, kind: str) -> float:
        settings = self.settings
        return settings.result_timeout_s if kind == "event" else settings.event_timeout_s

    def _overdue(self, kind: str, now_ns: int) -> list[str]:
        if not now_ns:
            return []  # a simulated clock that nobody has published yet
        before_ns = now_ns - int(self._timeout_s(kind) * 1e9)
        overdue = []
        for action_id, waiting in list(self._waiting[kind].items()):
            if waiting.received_ns > now_ns:
                # The clock was set back, or a simulation began anew: it waits from now on.
                waiting.received_ns = now_ns
            elif kind == "result" and self._result_meanwhile(action_id) is not None:
                continue  # until its event ends, or is given up
            elif waiting.received_ns <= before_ns:
                overdue.append(action_id)
        return overdue

    def _make_room(self, database: Connection, now_ns: int) -> list[Change]:
        limit = self.settings.max_pending
        return [
            self._give_up(database, kind, action_id, f"{reason} while {limit} more waited", now_ns)
            for kind, reason in _REASONS.items()
            for action_id in list(self._waiting[kind])[: max(0, len(self._waiting[kind]) - limit)]
        ]

    def _take_event(self, database: Connection, event: Event, now_ns: int) -> list[Change]:
        changes: list[Change] = []
        started = Episode(
            action=event.action,
            subject=event.subject,
            object=event.object,
            action_id=event.action_id,
            robot=self._robot,
            start_ns=event.start_ns or now_ns,
            context=event.context,
            source="topic",
        )
        begun = Waiting(now_ns, started, bool(event.start_ns))
        waiting = self._waiting["event"].get(event.action_id)
        if waiting is not None and (
            self._same_event(database, waiting.episode, waiting.received_ns, begun)
            or self._outdated(waiting, begun)
        ):
            self.counts.duplicates += 1
            return []
        result = self._waiting["result"].get(event.action_id)
        if result is not None and self._older(result, begun):
            result = None
        known = None
        if waiting is None:
            known = self._store.latest_of_action(database, self._robot, event.action_id)
        if known is not None and self._comes_again(database, known[1], begun, result):
            self._ignore(database, event.action_id, result, now_ns)
            return []
        if result is not None:
            self._forget(database, "result", event.action_id)
        if waiting is not None:
            reason = f"{NO_RESULT} before the action_id was used again"
            changes.append(self._give_up(database, "event", event.action_id, reason, now_ns))
        if result is not None:
            return [*changes, self._pair(database, started, begun.stamped, result, now_ns)]
        if known is not None:
            seq, episode = known
            given_up = without_event(episode, self._store.earlier(database, seq))
            if given_up is not None and self._began_before(episode.end_ns, begun):
                whole = with_event(episode, given_up, event, self._robot)
                if whole != episode:
                    return [self._change(database, seq, episode, whole, now_ns)]
        self._wait(database, "event", begun)
        return changes + self._make_room(database, now_ns)

    def _same_event(
        self, database: Connection, known: Episode, at_ns: int, begun: Waiting
    ) -> bool:
        """Whether the event `begun` is that of `known`, or of an earlier episode, once more."""
        started = begun.episode
        alike = (known.action, known.object, known.context) == (
            started.action,
            started.object,
            started.context,
        )
        if begun.stamped:
            # A stamp from before all that is known is no repetition: a clock was set back, or a
            # simulation began anew and counts its action_ids from 1 again.
            return (
                started.start_ns == known.start_ns
                or (alike and known.start_ns < started.start_ns < known.end_ns)
                or self._store.holds(
                    database, episode_id(self._robot, started.action_id, started.start_ns)
                )
            )
        return alike and abs(begun.received_ns - at_ns) <= self._slack_ns

    def _comes_again(
        self, database: Connection, known: Episode, begun: Waiting, result: Waiting | None
    ) -> bool:
        """Whether an event is that of `known` once more, and the result that waits for it too."""
        return (
            known.action != UNKNOWN_ACTION
            and (result is None or _repeats(result, known))
            and self._same_event(database, known, known.end_ns, begun)
        )

    def _ignore(
        self, database: Connection, action_id: str, result: Waiting | None, now_ns: int
    ) -> None:
        """Count an event that came again, with its result where that came before it."""
        self.counts.duplicates += 1
        if result is not None:
            self._forget(database, "result", action_id)
            self.counts.duplicates += 1
        self._repeated[action_id] = now_ns
        if len(self._repeated) > self.settings.max_pending:
            del self._repeated[next(iter(self._repeated))]

    def _repeats_with_event(self, known: Episode, result: Waiting) -> bool:
        """Whether a result is that of `known` once more, whose event came again before it."""
        again_ns = self._repeated.get(known.action_id)
        return (
            again_ns is not None
            and abs(result.received_ns - again_ns) <= self._timeout_s("event") * 1e9
            and _repeats(result, known)
        )

    def _outdated(self, waiting: Waiting, begun: Waiting) -> bool:
        # An earlier attempt's event comes again, whose episode has another id or is forgotten.
        # Where a clock was set back instead, the attempt under way began in the future; and where
        # another clock than memory's stamps the events, nobody can tell.
        return (
            waiting.stamped
            and begun.stamped
            and waiting.received_ns - waiting.episode.start_ns <= self._slack_ns
            and begun.episode.start_ns < waiting.episode.start_ns <= begun.received_ns
        )

    @property
    def _slack_ns(self) -> int:
        return int(self.settings.repeat_window_s * 1e9)

    def _older(self, result: Waiting, event: Waiting) -> bool:
        # A stamped result from well before the event belongs to an earlier use of the action_id.
        return (
            result.stamped
            and event.stamped
            and result.episode.end_ns + self._slack_ns < event.episode.start_ns
        )

    def _result_meanwhile(self, action_id: str) -> Waiting | None:
        """Return the result that came while the event that waits was under way, if one did."""
        event = self._waiting["event"].get(action_id)
        result = self._waiting["result"].get(action_id)
        if event is None or result is None:
            return None
        return result if event.received_ns <= result.received_ns + self._slack_ns else None

    def _began_before(self, end_ns: int, begun: Waiting) -> bool:
        """Whether an event can be the late one of what ended then, and no new attempt."""
        if begun.stamped:
            return begun.episode.start_ns <= end_ns + self._slack_ns
        return abs(begun.received_ns - end_ns) <= self._timeout_s("event") * 1e9

    def _take_result(self, database: Connection, result: Result, now_ns: int) -> list[Change]:
        ended = Episode(
            action=UNKNOWN_ACTION,
            action_id=result.action_id,
            robot=self._robot,
            outcome=result.outcome,
            start_ns=result.end_ns or now_ns,
            end_ns=result.end_ns or now_ns,
            detail=result.detail,
            effects=result.effects,
            source="topic",
        )
        arrived = Waiting(now_ns, ended, bool(result.end_ns))
        known = self._store.latest_of_action(database, self._robot, result.action_id)
        event = self._waiting["event"].get(result.action_id)
        if event is not None and not self._older(arrived, event):
            earlier = known is not None and known[1].end_ns == result.end_ns
            if earlier and result.end_ns < event.episode.start_ns:
                self.counts.duplicates += 1
                return []
            self._forget(database, "event", result.action_id)
            return [self._pair(database, event.episode, event.stamped, arrived, now_ns)]
        if result.action_id in self._waiting["result"]:
            self.counts.duplicates += 1
            return []
        if known is not None:
            seq, episode = known
            given_up = without_result(episode, self._store.earlier(database, seq))
            if given_up is not None:
                whole = with_result(episode, given_up, ended)
                if whole != episode:
                    return [self._change(database, seq, episode, whole, now_ns)]
            again = self._repeats_with_event(episode, arrived)
            if again or ended.end_ns <= episode.end_ns + self._slack_ns:
                self.counts.duplicates += 1
                return []
        self._wait(database, "result", arrived)
        return self._make_room(database, now_ns)

    def _pair(
        self, database: Connection, started: Episode, stamped: bool, result: Waiting, now_ns: int
    ) -> Change:
        start_ns = started.start_ns
        if not stamped and result.episode.end_ns < start_ns:
            start_ns = result.episode.end_ns  # the event came late and did not say when
        episode = replace(
            started,
            start_ns=start_ns,
            outcome=result.episode.outcome,
            # Two clocks can disagree; an episode never ends before it starts.
            end_ns=max(start_ns, result.episode.end_ns),
            detail=result.episode.detail,
            effects=result.episode.effects,
        )
        return self._insert(database, episode, now_ns)

    def _change(
        self, database: Connection, seq: int, known: Episode, whole: Episode, now_ns: int
    ) -> Change:
        self._store.update(database, seq, known, whole, now_ns)
        return Change(seq, whole, added=False)

    def _give_up(
        self, database: Connection, kind: str, action_id: str, reason: str, now_ns: int
    ) -> Change:
        waiting = self._waiting[kind][action_id]
        result = self._result_meanwhile(action_id) if kind == "event" else None
        self._forget(database, kind, action_id)
        if result is not None:
            # It came while the attempt was under way, and no other did: two clocks disagree.
            self._forget(database, "result", action_id)
            return self._pair(database, waiting.episode, waiting.stamped, result, now_ns)
        episode = waiting.episode
        if kind == "event":
            # Nobody knows when it ended: `end` stays at what is known, its start.
            episode = replace(episode, detail=reason)
        else:
            self.counts.orphans += 1
        return self._insert(database, episode, now_ns)

    def _insert(self, database: Connection, episode: Episode, now_ns: int) -> Change:
        episode = completed(episode, robot=self._robot, now_ns=now_ns)
        identity = episode_id(self._robot, episode.action_id, episode.start_ns)
        seq = None
        attempt = 0
        while seq is None:
            # Two attempts can bear one stamp (a robot whose clock stands still).
            unique = f"{identity[:12]}{attempt:04x}" if attempt else identity
            episode = replace(episode, episode_id=unique)
            seq = self._store.insert(database, episode)
            attempt += 1
        return Change(seq, episode, added=True)

    def _wait(self, database: Connection, kind: str, message: Waiting) -> None:
        insert_waiting(database, kind, message)
        self._waiting[kind][message.episode.action_id] = message

    def _forget(self, database: Connection, kind: str, action_id: str) -> None:
        delete_waiting(database, kind, action_id)
        del self._waiting[kind][action_id]
