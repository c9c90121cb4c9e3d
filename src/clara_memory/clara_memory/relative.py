# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which episode a question is relative to, and what time that leaves for what is asked.

- The other deed is read as any question is, but to the last word. Of several the latest is meant,
  unless the first is said. One that nobody is said of ("after charging") is a deed of whom the
  question is about.
- What was after a deed began when that had ended, or later; what was before it had ended when it
  began. Right after, and right before, is one episode of the same robot.
- What was between two deeds is between the latest of the one that the other followed, and the
  first that followed it.
- The question is read to the last word as well: "shortly after" is not after.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from clara_memory.asking import ASKING, is_of_you
from clara_memory.columns import Rows
from clara_memory.cue import EITHER
from clara_memory.episode import Episode, Kind, Outcome, RoleFiller, fold
from clara_memory.ordinary_words import AUXILIARIES, GREETINGS, is_ordinary, set_of
from clara_memory.past import When, when_in
from clara_memory.query_text import Asked, Listener
from clara_memory.ranking import AHEAD_NS, find
from clara_memory.recognising import recognise
from clara_memory.relations_in_text import Deed, Related, related_in
from clara_memory.retrieval import Query
from clara_memory.store import Store
from clara_memory.unread import REFERRED, Unread
from clara_memory.words_in_text import words_in

_UNREAL = set_of("can could may might must shall should will would won")
_WHERE = set_of("at by during for from in inside into near of on onto to with")
# What a question, and the deed it is relative to, may have beside what they name.
_ASKABLE = (
    (AUXILIARIES - _UNREAL)
    | (GREETINGS - {"no"})
    | _WHERE
    | set_of(
        "what which who whom where when why how often many times time first last latest recently"
        " a an any the this these those my our your his her their i you we he she it they them"
        " thing things anything something everything anyone anybody someone somebody all else"
        " happen happened happening happens get got go going gone went make made work worked and"
        " also actually exactly please so far yet already most recent tell me us show list if"
        " whether s t ve"
    )
)
_BESIDE_A_DEED = (
    (AUXILIARIES - _UNREAL)
    | _WHERE
    | set_of("a an the this my our your his her its their i you we it they already time s ve")
)
_OPENS = ASKING | AUXILIARIES | set_of("tell show list")
_SAID_OF = re.compile(
    r"\b(?:you|your|i|we|he|she|they)\b|\b(?:was|were|got|had been|has been)\b|^any(?:one|body)\b"
)
_HE = re.compile(r"\b(?:he|she)\b")
_IT = re.compile(r"\b(?:it|them)\b")
_NEXT = re.compile(r"\bnext\b")
_POLITE = re.compile(
    r"\b(?:(?:can|could) you (?:please )?(?=(?:tell|show|list)\b)"
    r"|(?:do|can) you (?:still )?(?:know|remember|recall) )"
)
_USUAL = re.compile(r"\b(?:do|does) (?:you|he|she|it|they|\w+) ")
_PAST = AUXILIARIES & set_of("did had has have was were")
_COUNTS = re.compile(r"\bhow (?:often|many)\b")
_FORGOTTEN = "the deed '{}' is not remembered"
_NOT_READ = "'{}' cannot be read in that question"
_NO_DEED = "'{}' names no deed"
_NOT_SAID = "it was not said what '{}' stands for"


class Unreadable(Exception):
    """A question cannot be answered for what was not `unread`."""

    def __init__(self, phrase: str, reason: str, role: str = "action") -> None:
        self.unread = Unread(phrase or "?", True, role, reason.replace("{}", phrase))
        super().__init__(self.unread.reason)


class Place(NamedTuple):
    """The time that a deed leaves, and that in words; as in a Query, 0 is no bound."""

    words: str
    since_ns: int = 0
    until_ns: int = 0
    but: tuple[int, ...] = ()


class Placed(NamedTuple):
    """A question without what it is relative to, and a listener who knows what that is.

    `unread`: why it cannot be answered. `began_ns`: what is under way must have begun since then.
    `plain`: it asks for episodes, and for no count of them.
    """

    text: str
    listener: Listener
    unread: tuple[Unread, ...] = ()
    began_ns: int = 0
    plain: bool = False

    @property
    def query(self) -> Query:
        """Return the question as a query."""
        return replace(self.listener.base, text=self.text)

    def asked(self) -> Asked:
        """Return how it is read."""
        asked = self.listener.reads(self.text)
        unread = self.unread
        if self.listener.relative and not unread:
            unread = tuple(_unread_beside(self.text, asked, self.listener))
        return asked._replace(unread=unread, reason="", relative="") if unread else asked


def placed_in(query: Query, listener: Listener, store: Store) -> Placed:
    """Return a query's text apart from what it is relative to; raises StorageFailed."""
    listener = listener._replace(base=replace(query, text=""))
    related = related_in(query.text, listener.now_ns)
    if related is None:
        return Placed(query.text, listener)
    try:
        return placed(related, listener, store)
    except Unreadable as unreadable:
        return Placed(related.question, listener, (unreadable.unread,))


def placed(related: Related, listener: Listener, store: Store, that: int | None = None) -> Placed:
    """Return a question in the place that it is relative to.

    `that` is the position of the episode that "that" stands for. Raises Unreadable.
    """
    related = _without_pronouns(related, listener)
    question, near = _POLITE.sub("", related.question), related.near
    words = words_in(question)
    if _USUAL.search(question) and _PAST.isdisjoint(words.words):
        raise Unreadable(question, "what is usual cannot be asked for: '{}'")
    if _OPENS.isdisjoint(words.words):
        raise Unreadable(question, "it was not said what is asked for", REFERRED)
    if _NEXT.search(question):
        names = listener.reads(_NEXT.sub("", question)).recognised
        question = _NEXT.sub("first" if names else "", question)
        near = near or not names
    if near and _COUNTS.search(question):
        raise Unreadable("right", _NOT_READ)
    main = listener.reads(question)
    when = when_in(question, listener.now_ns)
    finder = _Finder(question, main, When("") if related.since else when, listener, store, that)
    said = When("")
    if related.after and related.before:
        place = finder.between(related.after, related.before)
    else:
        deed = related.after or related.before
        assert deed is not None
        place = finder.beside(finder.row_of(deed), after=related.after is not None, near=near)
        said = when_in(deed.words, listener.now_ns) if not (near or related.since) else said
    base = listener.base
    since_ns = max(base.since_ns, place.since_ns, said.since_ns)
    bounds = [bound for bound in (base.until_ns, place.until_ns, said.until_ns) if bound]
    base = replace(
        base, since_ns=since_ns, until_ns=min(bounds, default=0), but=(*base.but, *place.but)
    )
    relative = ", ".join(filter(None, (listener.relative, place.words, said.spoken)))
    listener = listener._replace(base=base, relative=relative)
    return Placed(question, listener, began_ns=place.since_ns if related.after else 0)


def _unread_beside(text: str, asked: Asked, listener: Listener) -> Iterator[Unread]:
    """Yield what of a question was not read, all of which is missing."""
    for one in asked.unread:
        yield one._replace(missing=True, reason=one.reason or _NOT_READ.format(one.phrase))
    for word in _left_over(text, listener):
        if word not in _ASKABLE:
            yield Unread(word, True, "action", _NOT_READ.format(word))


def _left_over(text: str, listener: Listener) -> list[str]:
    """Return the words of a text that name nothing, without those of a time."""
    words = words_in(when_in(text, listener.now_ns).rest)
    found = recognise(words, listener.columns.items, listener.robot)
    read = {place for one in found for place in one.span}
    return [word for place, word in enumerate(words.words) if place not in read]


def _without_pronouns(related: Related, listener: Listener) -> Related:
    """Return the same with the names that "he" and "it" stand for, in what was said later.

    Raises Unreadable.
    """
    said = [one for one in (related.after, related.before) if one and not one.that]
    # In the order of the text, which that of before and after is for "between".
    texts = [*(one.words for one in said), related.question]
    if not related.leads:
        texts = [texts[-1], *texts[:-1]]
    for pronoun, role in ((_HE, "subject"), (_IT, "object")):
        for place, text in enumerate(texts):
            if not pronoun.search(text):
                continue
            name = _name_in(texts[:place], role, listener)
            if not name or (role == "object" and not _named(text, "action", listener)):
                continue  # what it stands for is asked for where the rest is read
            texts[place] = pronoun.sub(name, text)
    question = texts[-1] if related.leads else texts[0]
    words = iter(texts[:-1] if related.leads else texts[1:])
    after, before = (
        one._replace(words=next(words)) if one and not one.that else one
        for one in (related.after, related.before)
    )
    return related._replace(question=question, after=after, before=before)


def _name_in(texts: Sequence[str], role: str, listener: Listener) -> str:
    """Return the name of a role in the last of the texts that has one; empty without."""
    for text in reversed(texts):
        names = _named(text, role, listener)
        if names:
            name = names[0].filler.replace("_", " ").casefold()
            return name if role == "subject" else f"the {name}"
    return ""


def _named(text: str, role: str, listener: Listener) -> list[RoleFiller]:
    read = listener._replace(base=Query()).reads(text).recognised
    return [one for one in read if role in one.role.split(EITHER)]


class _Finder:
    """Finds the episodes that one question is relative to; `when` bounds them."""

    def __init__(
        self,
        question: str,
        main: Asked,
        when: When,
        listener: Listener,
        store: Store,
        that: int | None,
    ) -> None:
        given, said = (
            [one for one in known if one.role == "subject"]
            for known in (main.query.cue, main.recognised)
        )
        self._acting = [*given, *said]
        self._of_you = is_of_you(words_in(question)) and not given
        self._main = main
        self._when = when
        self._listener = listener
        self._columns = listener.columns
        self._store = store
        self._that = that

    def row_of(self, deed: Deed) -> int:
        """Return the position of the episode that is meant; raises Unreadable."""
        if deed.that:
            if self._that is None:
                raise Unreadable(deed.said, _NOT_SAID, REFERRED)
            return self._that
        rows = self._rows_of(deed)
        ends = self._columns.end_ns[rows]
        if deed.which == "first":
            return int(rows[ends.argmin()])
        return int(rows[len(rows) - 1 - ends[::-1].argmax()])

    def beside(self, row: int, *, after: bool, near: bool) -> Place:
        """Return the time after or before an episode; raises Unreadable."""
        episode = self._episode(row)
        own = (int(self._columns.seq[row]),)
        how = f"{'right ' if near else ''}{'after' if after else 'before'}"
        words = f"{how} {in_words(episode, self._listener.robot)}"
        if after:
            moment_ns = episode.end_ns
            place = Place(words, moment_ns, 0, own + tuple(self._store.going_on_at(moment_ns)))
        else:
            place = Place(words, 0, max(1, episode.start_ns), own)
        return self._nearest(row, place) if near else place

    def between(self, first: Deed, second: Deed) -> Place:
        """Return the time between two episodes; raises Unreadable."""
        one, other = (
            np.array([self.row_of(deed)]) if deed.which or deed.that else self._rows_of(deed)
            for deed in (first, second)
        )
        seqs = self._columns.seq[other].tolist()
        starts = self._store.starts_of(seqs)
        begun = np.array([starts.get(seq, 0) for seq in seqs])
        ends = self._columns.end_ns[one]
        followed = ends <= begun.max()
        if not followed.any():
            said = f"{first.said}' followed by '{second.said}"
            raise Unreadable(said, _FORGOTTEN)
        begin = int(one[followed][ends[followed].argmax()])
        after = self.beside(begin, after=True, near=False)
        later = np.flatnonzero((begun >= after.since_ns) & (other != begin))
        if not len(later):
            raise Unreadable(f"{first.said}' followed by '{second.said}", _FORGOTTEN)
        end = self.beside(int(other[later[begun[later].argmin()]]), after=False, near=False)
        words = f"between {after.words.partition(' ')[2]} and {end.words.partition(' ')[2]}"
        return Place(words, after.since_ns, end.until_ns, after.but + end.but)

    def _rows_of(self, deed: Deed) -> Rows:
        """Return the positions of all that a deed may be; raises Unreadable."""
        listener = self._listener._replace(base=Query())
        text = f"what {deed.words}"
        subjects: tuple[str, ...] = ()
        unsaid = not (_SAID_OF.search(deed.words) or _named(text, "subject", listener))
        if unsaid:
            subjects = tuple(one.filler for one in self._acting)
            text = f"what you {deed.words}" if self._of_you else text
        if unsaid or (self._of_you and is_of_you(words_in(text))):
            given = self._listener.base
            listener = listener._replace(base=Query(robots=given.robots, subjects=given.subjects))
        asked = listener.reads(text)
        for one in asked.unread:
            raise Unreadable(deed.said, one.reason or _FORGOTTEN)
        for word in _left_over(text, listener)[1:]:
            if word not in _BESIDE_A_DEED:
                known = is_ordinary(word)
                raise Unreadable(*((word, _NOT_READ) if known else (deed.said, _FORGOTTEN)))
        if {"action", "result"}.isdisjoint(one.role for one in asked.recognised):
            raise Unreadable(deed.said, _NO_DEED)
        since_ns = max(asked.query.since_ns, self._when.since_ns)
        ends = (asked.query.until_ns, self._when.until_ns, listener.now_ns + AHEAD_NS)
        query = replace(
            asked.query,
            since_ns=since_ns,
            until_ns=min(filter(None, ends)),
            subjects=subjects or asked.query.subjects,
        )
        found = find(self._columns, query, asked.recognised)
        if found.reason or found.set_aside:
            raise Unreadable(deed.said, _FORGOTTEN)
        return found.positions

    def _nearest(self, row: int, place: Place) -> Place:
        """Return the time of the one episode that is next in a place; raises Unreadable.

        Whatever it is: only whose it is was said, and what else was asked for holds of it later.
        """
        columns = self._columns
        robots, subjects = self._main.query.robots, self._main.query.subjects
        if not (robots or subjects or self._acting):
            robots = (columns.robots.fillers[int(columns.robot[row])].filler,)
        query = Query(
            since_ns=place.since_ns,
            until_ns=place.until_ns,
            robots=robots,
            subjects=subjects,
            but=place.but,
        )
        rows = find(columns, query, self._acting).positions
        if not len(rows):
            return Place(place.words, 1, 1)  # nothing ended then
        ends = columns.end_ns[rows]
        if place.since_ns:
            # What began first may end later than others, but it began no later than any of them.
            seq = int(columns.seq[rows[ends.argmin()]])
            started = self._store.starts_of([seq]).get(seq, place.since_ns)
            begun = self._store.begun(place.since_ns, started)
            there = [int(one) for one in rows if int(columns.seq[one]) in begun]
            nearest = min(there, key=lambda one: (begun[int(columns.seq[one])], one))
        else:
            nearest = int(rows[len(rows) - 1 - ends[::-1].argmax()])
        end_ns = int(columns.end_ns[nearest])
        same = np.flatnonzero(columns.end_ns == end_ns)
        others = tuple(int(columns.seq[one]) for one in same if one != nearest)
        return Place(place.words, end_ns, end_ns, others)

    def _episode(self, row: int) -> Episode:
        seq = int(self._columns.seq[row])
        episode = self._store.fetch([seq]).get(seq)
        if episode is None:
            raise Unreadable(str(seq), "the episode that is meant is damaged")
        return episode


def in_words(episode: Episode, robot: str) -> str:
    """Say what something is relative to: "I tried to open the gate (2026-06-09 09:24, failed)"."""
    who = "I" if fold(episode.subject) == fold(robot) else episode.subject
    what = _in_words(episode.action)
    if episode.object:
        what += f" the {_in_words(episode.object)}"
    roles = [
        f"{one.role}: {_in_words(one.filler)}" for one in episode.context if one.kind is Kind.TEXT
    ]
    began = datetime.fromtimestamp(episode.start_ns / 1e9).isoformat(" ", "seconds")
    told = [*roles[:2], began]
    if episode.outcome is not Outcome.UNKNOWN:
        told.append(_in_words(episode.outcome.name))
    return f"{who} tried to {what} ({', '.join(told)})"


def _in_words(symbol: str) -> str:
    return symbol.replace("_", " ").strip().casefold()
