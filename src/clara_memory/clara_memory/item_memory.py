# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The item memory of one role: every filler known for it, and how like a cue is to each.

- The same symbol (letter case, spaces and underscores aside) is 1, the same words inflected 0.95.
- Other texts compare by spelling and, with an embedder, by meaning: decades of evidence over 8.
- Numbers compare by their distance within the range of known numbers (what a float32 loses is no
  distance), positions by exp(-metres) within one frame.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clara_memory import evidence
from clara_memory.column import Column
from clara_memory.episode import Kind, RoleFiller, fold, outcome_of_word
from clara_memory.inflection import words_of
from clara_memory.meaning import Embedder, Vectors
from clara_memory.ranges import RoleRange

SAME_WORDS = 0.95
_NUMBER_POWER = 4
_NEAR = 0.24  # of a number or a position: 1.4 m


class Reading(IntEnum):
    """How a cue was read; the numbers are those of clara_interfaces/CueMatch."""

    NOTHING = 0
    SAME = 1
    INFLECTION = 2
    SPELLING = 3
    MEANING = 4
    NUMBER = 5
    POSITION = 6


@dataclass(slots=True)
class Lookup:
    """How like a cue is to each known filler; arrays of shape (1 + known,), indexed by id.

    `decades` is the evidence that the two are one, for `looks` kinds of comparison.
    """

    similarity: NDArray[np.float32]
    decades: NDArray[np.float32]
    by: NDArray[np.uint8]
    looks: int = 1

    @property
    def certain(self) -> bool:
        """Whether the cue is known itself, as it stands or inflected; a place never is alone."""
        best = int(self.similarity.argmax())
        return bool(self.similarity[best] >= SAME_WORDS and self.by[best] != Reading.POSITION)

    @property
    def graded(self) -> bool:
        """Whether the cue is a quantity, where several fillers fit more or less."""
        kinds = self.by[self.similarity > 0]
        return bool(np.isin(kinds, (Reading.NUMBER, Reading.POSITION)).any())

    def keep(self, ids: NDArray[np.bool_]) -> None:
        """Let only these ids fit, shape (1 + known,)."""
        self.similarity[~ids] = 0.0

    def put(
        self,
        ids: list[int] | NDArray[np.int64] | int,
        similarity: float | NDArray[Any],
        decades: float,
        by: Reading,
    ) -> None:
        """Set the entries of ids where that makes them more alike."""
        better = self.similarity[ids] < similarity
        chosen = np.atleast_1d(ids)[np.atleast_1d(better)]
        self.similarity[chosen] = np.broadcast_to(similarity, np.shape(better))[better]
        self.decades[chosen] = decades
        self.by[chosen] = by


class Quantities:
    """The known numbers of a role, or its positions in one frame, with the ids of each.

    They come one by one, and become an array only once somebody compares them.
    """

    def __init__(self) -> None:
        self._added: list[tuple[int, tuple[float, ...]]] = []
        self._ids = Column("int64")
        self._values = Column("float64")

    def add(self, identity: int, values: tuple[float, ...]) -> None:
        """Add a number, or x, y, z, with its id."""
        self._added.append((identity, values))

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids, shape (n,), and the numbers, shape (n, 1 or 3)."""
        if self._added:
            self._ids.extend([identity for identity, _ in self._added])
            self._values.extend([value for _, values in self._added for value in values])
            self._added.clear()
        return self._ids.values, self._values.values.reshape(self._ids.size, -1)


def text_key(role: str, text: str) -> str:
    """Return the symbol of a text: folded; words for outcomes are one symbol each."""
    if role == "result":
        outcome = outcome_of_word(text)
        if outcome is not None:
            return fold(outcome.name)
    return fold(text)


class ItemMemory:
    """Known fillers of one role; ids count from 1, 0 means that an episode has none."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._vectors = Vectors(embedder) if embedder else None
        self.fillers: list[RoleFiller] = [RoleFiller("none")]
        self._keys: list[str] = [""]
        self._by_key: dict[Hashable, int] = {}
        self._by_text: dict[str, int] = {}
        self._by_words: dict[tuple[str, ...], list[int]] = {}
        self._lengths: set[int] = set()  # of texts, in words
        self._by_kind: dict[tuple[str, ...], list[int]] = {}
        self._dropped: set[int] = set()
        self.varied: set[int] = set()  # ids whose text was spelt in more than one way
        self._numeric: dict[tuple[Kind, str], Quantities] = {}  # by the frame of a position

    def __len__(self) -> int:
        return len(self.fillers) - 1 - len(self._dropped)

    @property
    def has_texts(self) -> bool:
        """Whether any filler is, or was, a text."""
        return bool(self._by_words)

    @property
    def has_numbers(self) -> bool:
        """Whether any filler is, or was, a number."""
        return (Kind.NUMBER, "") in self._numeric

    def has_names_of(self, words: int) -> bool:
        """Whether any text is, or was, of so many words."""
        return words in self._lengths

    def add_text(self, role: str, text: str) -> int:
        """Return the id of a text, made known if it was not."""
        identity = self._by_text.get(text)
        if identity is None:
            identity = self._by_text[text] = self.add(RoleFiller(role, text))
            if self.fillers[identity].filler != text:
                self.varied.add(identity)
        return identity

    def add_texts(self, role: str, texts: Iterable[str]) -> list[int]:
        """Return the ids of texts, made known if they were not; 0 for an empty one."""
        known = self._by_text.get
        return [(known(text) or self.add_text(role, text)) if text else 0 for text in texts]

    def add(self, filler: RoleFiller) -> int:
        """Return the id of a filler, made known if it was not."""
        key = symbol(filler)
        identity = self._by_key.get(key)
        if identity is not None:
            if identity in self._dropped:
                self._dropped.discard(identity)
                self.fillers[identity] = filler
            return identity
        identity = self._by_key[key] = len(self.fillers)
        self.fillers.append(filler)
        self._keys.append(key if isinstance(key, str) else "")
        if isinstance(key, str):
            words = words_of(key)
            self._by_words.setdefault(words, []).append(identity)
            self._lengths.add(len(words))
            for kind in _kinds(words):
                self._by_kind.setdefault(kind, []).append(identity)
        if filler.kind is not Kind.TEXT:
            frame = fold(filler.filler)
            self._numeric.setdefault((filler.kind, frame), Quantities()).add(
                identity, filler.values
            )
        return identity

    def identity(self, filler: RoleFiller) -> int:
        """Return the id of a filler, 0 where it is not known."""
        identity = self._by_key.get(symbol(filler), 0)
        return 0 if identity in self._dropped else identity

    def with_words(self, words: tuple[str, ...]) -> list[int]:
        """Return the ids of the texts with these stems of words, the first known first."""
        return [one for one in self._by_words.get(words, []) if one not in self._dropped]

    def of_kind(self, kind: tuple[str, ...]) -> list[int]:
        """Return the ids of the names with these stems for a head: row of ROW_7 and ROW_8."""
        return [one for one in self._by_kind.get(kind, []) if one not in self._dropped]

    def with_number(self, number: float) -> RoleFiller | None:
        """Return the known number that is equal but for rounding, None where there is none."""
        if not self.has_numbers:
            return None
        ids, known = self._numeric[(Kind.NUMBER, "")].arrays()
        for place in np.flatnonzero(_equal(known[:, 0], number)):
            identity = int(ids[place])
            if identity not in self._dropped:
                return self.fillers[identity]
        return None

    def quantities(self, kind: Kind, frame: str) -> list[Quantities]:
        """Return the known numbers, or the positions in a frame (in any, where it is empty)."""
        return [
            found
            for (of_kind, in_frame), found in self._numeric.items()
            if of_kind is kind and fold(frame) in ("", in_frame)
        ]

    def within(self, bounds: RoleRange) -> NDArray[np.bool_]:
        """Return which known fillers lie within bounds, shape (1 + known,)."""
        fits = np.zeros(len(self.fillers), dtype=bool)
        for found in self.quantities(bounds.kind, bounds.frame):
            ids, values = found.arrays()
            if bounds.kind is Kind.POSITION:
                inside = _metres(values, bounds.center) <= bounds.radius
            else:
                inside = (values[:, 0] >= bounds.low) & (values[:, 0] <= bounds.high)
            fits[ids[inside]] = True
        return fits

    def respell(self, identity: int, text: str) -> None:
        """Let a filler be told as this text, which is the same symbol."""
        self.fillers[identity] = replace(self.fillers[identity], filler=text)

    def drop(self, identity: int) -> None:
        """Let a text that no episode has any more be unknown; its id waits for it."""
        self._dropped.add(identity)
        self.varied.discard(identity)
        self._by_text = {text: one for text, one in self._by_text.items() if one != identity}

    def keep(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Forget all fillers but these; returns what each id has become, shape (1 + known,)."""
        became = np.zeros(len(self.fillers), dtype=np.int64)
        before, varied = self.fillers, self.varied
        self.__init__(self._embedder)  # type: ignore[misc]
        for identity in ids:
            if identity:
                became[identity] = self.add(before[identity])
        self.varied = {int(became[one]) for one in varied if became[one]}
        return became

    def look_up(self, cue: RoleFiller, *, spelling_only: bool = False) -> Lookup:
        """Return how like the cue is to each known filler; with `spelling_only` not by meaning."""
        known = len(self.fillers)
        found = Lookup(np.zeros(known, "f4"), np.zeros(known, "f4"), np.zeros(known, "u1"))
        if not len(self):
            return found
        if cue.kind is Kind.TEXT:
            self._compare_texts(cue, found, None if spelling_only else self._vectors)
        self._compare_numbers(cue, found)
        if cue.kind is Kind.POSITION and (Kind.POSITION, fold(cue.filler)) in self._numeric:
            ids, places = self._numeric[(Kind.POSITION, fold(cue.filler))].arrays()
            metres = _metres(places, cue.values)
            found.put(ids, _near(np.exp(-metres)), evidence.SAME, Reading.POSITION)
        same = self.identity(cue)
        if same and cue.kind is not Kind.POSITION:
            found.put(same, 1.0, evidence.SAME, Reading.SAME)
        dropped = list(self._dropped)
        found.similarity[dropped] = found.decades[dropped] = 0.0
        return found

    def _compare_texts(self, cue: RoleFiller, found: Lookup, vectors: Vectors | None) -> None:
        words = words_of(cue.filler)
        inflected = self.with_words(words) if words else []
        if self.identity(cue) or inflected:
            found.put(inflected, SAME_WORDS, evidence.INFLECTED, Reading.INFLECTION)
            return  # what is known as it stands needs no guess
        key = text_key(cue.role, cue.filler)
        spelling, spelt = evidence.of_spelling(key, self._keys)
        meaning = meant = np.zeros_like(spelling)
        if vectors is not None:
            meaning, meant = evidence.of_meaning(vectors.cosines(key, self._keys))
            found.looks = 2
        either = np.maximum(spelling, meaning)
        found.decades[:] = np.maximum(spelt, meant)
        found.by[:] = np.where(spelling >= meaning, Reading.SPELLING, Reading.MEANING)
        found.similarity[:] = np.minimum(
            evidence.together(spelling, meaning) / np.float32(evidence.SAME), np.float32(0.9)
        )
        either[0] = 0.0  # the empty text that stands for no filler
        found.keep(either >= evidence.FLOOR)

    def _compare_numbers(self, cue: RoleFiller, found: Lookup) -> None:
        number = _as_number(cue)
        if number is None or (Kind.NUMBER, "") not in self._numeric:
            return
        ids, known = self._numeric[(Kind.NUMBER, "")].arrays()
        values = known[:, 0]
        distances = np.abs(values - number)
        spread = max(float(distances.max()), float(np.ptp(values)))
        near = 1.0 - distances / spread if spread else np.ones(len(ids))
        alike = np.minimum(_near(near**_NUMBER_POWER), 0.999)
        alike[_equal(values, number)] = 1.0
        found.put(ids, alike, evidence.SAME, Reading.NUMBER)


def _equal(known: NDArray[np.float64], number: float) -> NDArray[np.bool_]:
    """Return which known numbers are the number; one may be what a float32 made of the other."""
    with np.errstate(over="ignore"):  # a float32 holds no 1e300
        rounded = known == np.float64(np.float32(number))
        rounded |= known.astype(np.float32).astype(np.float64) == number
    whole = (known == np.rint(known)) & number.is_integer()
    equal: NDArray[np.bool_] = (known == number) | (rounded & ~whole)
    return equal


def _metres(places: NDArray[np.float64], from_here: Sequence[float]) -> NDArray[np.float64]:
    """Return how far places are from one, shape (n,)."""
    away = places - np.asarray(from_here)
    # Twice as fast as np.linalg.norm along an axis.
    metres: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", away, away))
    return metres


def _near(similarity: NDArray[Any]) -> NDArray[Any]:
    return np.where(similarity < _NEAR, 0.0, similarity)


def symbol(filler: RoleFiller) -> Hashable:
    """Return what two fillers of one role have in common where they are equal."""
    if filler.kind is Kind.TEXT:
        return text_key(filler.role, filler.filler)
    if filler.kind is Kind.NUMBER and not filler.filler:
        return filler.values[0]  # small, for each episode may have a number of its own
    return (filler.kind, fold(filler.filler), filler.values)


def _kinds(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the heads of a name: bed of BED_7, room and server room of OLD_SERVER_ROOM."""
    *before, last = words or ("",)
    if last.isalpha() and len(last) > 1:
        yield from (words[begin:] for begin in range(1, len(words)))
    elif before and before[-1].isalpha():
        yield tuple(before)


def _as_number(cue: RoleFiller) -> float | None:
    if cue.kind is Kind.NUMBER:
        return cue.values[0]
    if cue.kind is Kind.TEXT:
        try:
            number = float(cue.filler)
        except ValueError:
            return None
        return number if np.isfinite(number) else None
    return None
