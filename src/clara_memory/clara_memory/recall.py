# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory answers: from columns in RAM, with whole episodes from its store.

Questions see what is committed. A lock keeps the columns as they are while a question is read and
ranked; episodes are fetched after it.
"""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from clara_memory.asking_tally import Tallied, tally_asked
from clara_memory.columns import Columns, Spelling
from clara_memory.episode import Filler, Outcome, RoleFiller, as_filler, check_role
from clara_memory.errors import StorageFailed
from clara_memory.filters import told
from clara_memory.fitting import Fit
from clara_memory.forgetting import Bounds, Uses
from clara_memory.going_on import whole_of
from clara_memory.meaning import Embedder
from clara_memory.pairing import Change, Pairing
from clara_memory.query_text import Listener
from clara_memory.ranges import RoleRange
from clara_memory.ranking import find, rank, resolve
from clara_memory.relative import Placed
from clara_memory.retrieval import Answer, Query, check_query
from clara_memory.store import Store
from clara_memory.tally import Figures, Tally, figures_of, measured_in, tally_of
from clara_memory.under_way import fitting


class Recall:
    """The half of EpisodicMemory that answers; the other half says what was committed."""

    def __init__(
        self, store: Store, robot: str, pairing: Pairing, bounds: Bounds, meaning: Embedder | None
    ) -> None:
        self.robot = robot
        self.bounds = bounds
        self._store = store
        self._pairing = pairing
        self._uses = Uses(bounds.use_half_life_s)
        self._index = threading.Lock()
        self._columns = Columns(meaning)
        self._columns.load(store)
        self._begun = pairing.begun()  # as of the last commit

    def __len__(self) -> int:
        return len(self._columns)

    def query(
        self,
        text: str = "",
        *,
        ask: Sequence[str] = (),
        top_k: int = 0,
        max_episodes: int = 0,
        since_ns: int = 0,
        until_ns: int = 0,
        outcomes: Sequence[Outcome] = (),
        robots: Sequence[str] = (),
        subjects: Sequence[str] = (),
        ranges: Sequence[RoleRange] = (),
        recency_half_life_s: float = 0.0,
        guess: bool = False,
        **cue: Filler,
    ) -> Answer:
        """Ask by roles (as keywords), free text, or both. No cue at all lists the latest episodes.

        Raises:
            InvalidRequest: a field is not valid.
            StorageFailed: the episodes found could not be read.
        """
        return self.ask(
            Query(
                cue=tuple(as_filler(role, filler) for role, filler in cue.items()),
                text=text,
                ask=tuple(ask),
                top_k=top_k,
                max_episodes=max_episodes,
                since_ns=since_ns,
                until_ns=until_ns,
                outcomes=tuple(outcomes),
                robots=tuple(robots),
                subjects=tuple(subjects),
                ranges=tuple(ranges),
                recency_half_life_s=recency_half_life_s,
                guess=guess,
            )
        )

    def ask(self, query: Query, *, now_ns: int | None = None) -> Answer:
        """Answer a query; raises as `query`. `now_ns` is what "yesterday" in its text is before.

        None means the time of this machine.
        """
        check_query(query)
        moment = time.time_ns() if now_ns is None else now_ns
        with self._index:
            placed = self._placed(query, moment)
            asked = placed.asked()
            ranking = rank(
                self._columns,
                asked.query,
                asked.recognised,
                asked.unread,
                moment,
                reason=asked.reason,
                first=asked.first,
            )
            begun = self._begun
        if self.bounds.forgetting_policy == "least_used":
            self._uses.count((int(seq) for seq in ranking.seqs), time.time_ns())
        answer = resolve(ranking, asked.understood, self._store)
        since_ns = moment - int(self._pairing.settings.result_timeout_s * 1e9)
        lasting = [
            one.episode
            for one in begun
            if one.received_ns > since_ns and one.episode.start_ns >= placed.began_ns
        ]
        if placed.unread:
            return answer
        asked_now = replace(placed.query, but=())  # which are rows of the store
        bounded = bool(placed.listener.relative)
        under_way = fitting(lasting, asked_now, self.robot, moment, bounded=bounded)
        return replace(answer, under_way=under_way)

    def tally(self, role: str, query: Query | None = None, *, now_ns: int | None = None) -> Tally:
        """Return how often each filler of a role is in the episodes that fit a query, exactly.

        Without a query all episodes fit. What it asks for and how many it wants are of no
        account. Beside the roles of episodes, `robot` and `day` can be tallied.

        >>> from clara_memory import EpisodicMemory
        >>> memory = EpisodicMemory()
        >>> for room in ("KITCHEN", "BATH", "KITCHEN"):
        ...     _ = memory.store_memory(action="CLEAN", place=room)
        >>> [count.filler.spoken for count in memory.tally("place").most]
        ['KITCHEN']

        Raises:
            InvalidRequest: the role or a field of the query is not valid.
        """
        check_role("role", role)
        with self._found(query or Query(), now_ns) as (understood, found):
            return tally_of(self._columns, role, found, understood)

    def figures(
        self, role: str, query: Query | None = None, *, now_ns: int | None = None
    ) -> Figures:
        """Return total, mean and extremes of a role's numbers in the episodes that fit a query.

        As `tally`; the role `duration` is how long episodes took, in seconds.

        Raises:
            InvalidRequest: the role or a field of the query is not valid.
            StorageFailed: the episodes could not be read.
        """
        check_role("role", role)
        with self._found(query or Query(), now_ns) as (understood, found):
            measured = measured_in(self._columns, role, found, understood)
        return figures_of(measured, self._store)

    def tally_asked(
        self, text: str, query: Query | None = None, *, now_ns: int | None = None
    ) -> Tallied | None:
        """Return the tally or the figures that a question in plain words asks for.

        Only over what the filters of a `query` let through: of it nothing else is of account.
        None where it asks for none, and where it is not read to the last word: ask it as `query`.

        >>> from clara_memory import EpisodicMemory
        >>> memory = EpisodicMemory()
        >>> _ = memory.store_memory(action="CLEAN", place="BATH")
        >>> asked = memory.tally_asked("Where did you clean most often?")
        >>> asked.wish, asked.count.most[0].filler.spoken
        (<Wish.MOST: 'most'>, 'BATH')

        Raises:
            InvalidRequest: the text or a filter is not valid.
            StorageFailed: the episodes could not be read.
        """
        filters = (query or Query()).filters
        check_query(replace(filters, text=text))
        moment = time.time_ns() if now_ns is None else now_ns
        with self._index:
            placed = self._placed(replace(filters, text=text), moment)
            plain = placed.plain or placed.unread
            found = None if plain else tally_asked(placed.text, placed.listener)
        if found is None:
            return None
        tallied, measured = found
        count = tallied.count if measured is None else figures_of(measured, self._store)
        understood = (*count.understood, *told(filters))
        return replace(tallied, count=replace(count, understood=understood))

    @contextlib.contextmanager
    def _found(
        self, query: Query, now_ns: int | None
    ) -> Iterator[tuple[tuple[RoleFiller, ...], Fit]]:
        """Give what was understood of a query, and the episodes that fit, while they stay so."""
        check_query(query)
        moment = time.time_ns() if now_ns is None else now_ns
        with self._index:
            asked = self._placed(query, moment).asked()
            found = find(
                self._columns, asked.query, asked.recognised, asked.unread, reason=asked.reason
            )
            kept = (one for one in asked.understood if one not in found.set_aside)
            yield tuple(kept), found

    def _placed(self, query: Query, moment: int) -> Placed:
        """Return what a query asks, and relative to what; `_index` must be held."""
        listener = Listener(self._columns, self.robot, self._store.robots_not_merged, moment)
        return whole_of(query, listener, self._store)

    def _take_up(self, changes: Sequence[Change], gone: Sequence[int]) -> None:
        """Know of what was committed; `_index` must be held."""
        added = [change for change in changes if change.added]
        self._columns.extend([one.seq for one in added], [one.episode for one in added])
        for change in changes:
            if not change.added:
                self._respell(self._columns.update(change.seq, change.episode))
        if gone:
            self._respell(self._columns.remove(gone))
        self._begun = self._pairing.begun()

    def _respell(self, varied: Iterable[Spelling]) -> None:
        """Have fillers told as the first episode left spells them, as after a restart."""
        for spelling in varied:
            seq = self._columns.first_seq(spelling)
            if seq is not None:
                # A damaged episode is named by whoever asks for it.
                with contextlib.suppress(StorageFailed):
                    for first in self._store.fetch([seq]).values():
                        self._columns.respell(spelling, first)
