# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A question that goes on from the one before it: "Did you drop the cup?", "And the plate?".

- A text may have several questions, one a line. What was asked before is told by their words
  alone, and never by what memory said to them.
- The last is made whole: it asks more of the same ("when was that?", "why?"), puts another name
  or time in its place ("and the plate?", "and yesterday?"), or asks for what was beside the
  episode that the answer tells first ("what happened then?").
- Where it can be read in two ways, or in none, it is not answered.
"""

import re
from dataclasses import replace

from clara_memory.asking import is_of_you
from clara_memory.asking_tally import Counted, tally_asked
from clara_memory.episode import FAILURES, Outcome
from clara_memory.item_memory import ItemMemory
from clara_memory.ordinary_words import DETERMINERS, PLACE_PREPOSITIONS, set_of
from clara_memory.past import when_in
from clara_memory.query_text import Listener
from clara_memory.ranking import AHEAD_NS, find
from clara_memory.recognising import Find, recognise
from clara_memory.relations_in_text import Deed, Related, related_in
from clara_memory.relative import Placed, Unreadable, placed, placed_in
from clara_memory.retrieval import Query
from clara_memory.store import Store
from clara_memory.unread import REFERRED
from clara_memory.wishes import Wish
from clara_memory.words_in_text import Words, words_in

_LEADS = re.compile(r"^(?:(?:and|but|so|ok|okay|well|oh|hm|(?:what|how) about)\b,? ?)+")
_THAT = Deed("that", "that", that=True)
_THEN = re.compile(
    r"(?:(?P<question>what (?:happened|did \w+ do|have you done)) )?(?:then|next)|then what"
    r"|what (?:then|next|came next)"
)
_IT = r"(?:it|that|this|they|them|those|these)"
_SAME = re.compile(
    rf"(?:when|where|who|whom|how often|how many times)(?: exactly)?"
    rf"(?: (?:was|were|is) {_IT}| did {_IT} happen| did you do {_IT}| did {_IT})?"
    rf"|(?:did|has|have|was|were|is) {_IT} (?:all )?(?:fail|failed|succeed|succeeded|work|worked"
    r"|work out|worked out|successful|a success|a failure|go well|gone well|go wrong)"
    rf"|how did {_IT} (?:go|work out|end|turn out)"
)
_WHY = re.compile(
    rf"why|how come|why was {_IT}|why did {_IT} (?:fail|go wrong|not work|not succeed)"
)
_OF_THEM = re.compile(
    rf"(?:how (?:many|often)|how many times|which|which ones|did any)(?: of {_IT})?"
    rf"(?: did| has| have)?(?: {_IT})? (?P<how>fail|failed|succeed|succeeded|work|worked)"
)
_POINTS = re.compile(rf"\b{_IT}\b")
_DID_WHO = re.compile(r"(?:(?:did|have|had|has) )?(?P<who>you)(?: too| as well)?")
_OFTEN = re.compile(r"^how (?:often|many times)\b ?")
_BESIDE_A_NAME = (DETERMINERS | PLACE_PREPOSITIONS | set_of("for of and")) - set_of("what which")
_PREPOSITIONS = PLACE_PREPOSITIONS | {"for"}
_OF_ONE_DEED = (None, Wish.DIFFERENT, Wish.TIMES)
_NOT_WHOLE = "'{}' cannot be read as going on from the question before"
_LEFT_OUT = "'{}' is about outcomes that the filters leave out"
_NO_ONE_DEED = "'{}' stands for no one deed that was asked about before"


def whole_of(query: Query, listener: Listener, store: Store) -> Placed:
    """Return a query's text as the question that it is, in its place; raises StorageFailed."""
    lines = [line.strip() for line in query.text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line.endswith("?") for line in lines[:-1]):
        return placed_in(query, listener, store)
    standing = placed_in(replace(query, text=lines[0]), listener, store)
    text = lines[0]
    try:
        for line in lines[1:]:
            text, standing = _GoingOn(text, standing, line, listener, query, store).whole()
    except Unreadable as unreadable:
        return Placed(lines[-1], listener._replace(base=query), (unreadable.unread,))
    return standing


class _GoingOn:
    """Makes one question whole, by the one before it.

    `text` is that one with what it is relative to, `before` without; `query` has what holds of
    all.
    """

    def __init__(
        self, text: str, before: Placed, line: str, listener: Listener, query: Query, store: Store
    ) -> None:
        self._text = _tidy(text)
        self._before = before
        self._line = line
        self._said = _LEADS.sub("", _tidy(line))
        self._fresh = listener._replace(base=replace(query, text=""))
        self._items = listener.columns.items
        self._store = store

    def whole(self) -> tuple[str, Placed]:
        """Return the question with what it is relative to, and in its place; raises Unreadable."""
        if self._before.unread or (self._before.asked().unread and self._counted() is None):
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)
        return (
            self._beside_that()
            or self._of_the_same()
            or self._beside_another()
            or self._at_another_time()
            or self._of_another_name()
            or self._of_that_thing()
        )

    def _beside_that(self) -> tuple[str, Placed] | None:
        """Return a question for what was before or after what was told."""
        if then := _THEN.fullmatch(self._said):
            related: Related | None = Related(then["question"] or "", _THAT, near=True)
        else:
            related = related_in(self._said, self._fresh.now_ns)
        if related is None or not any(one and one.that for one in (related.after, related.before)):
            return None
        question = related.question or self._what_was_done()
        related = related._replace(question=question)
        whole = placed(related, self._fresh, self._store, that=self._row_told())
        return question, whole

    def _what_was_done(self) -> str:
        acting = [one for one in self._before.asked().recognised if one.role == "subject"]
        if len(acting) == 1:
            return f"what did {acting[0].spoken.casefold()} do"
        of_you = is_of_you(words_in(self._text))
        return "what did you do" if of_you else "what happened"

    def _row_told(self) -> int:
        """Return the position of the episode that the answer before tells first."""
        self._check_one_deed()
        columns = self._fresh.columns
        asked = self._before.asked()
        found = find(columns, asked.query, asked.recognised, asked.unread, reason=asked.reason)
        ends = columns.end_ns[found.positions]
        rows = found.positions[ends <= self._fresh.now_ns + AHEAD_NS]
        if not len(rows) or found.set_aside or found.scores.max() > found.scores.min():
            raise Unreadable(self._line, _NO_ONE_DEED, REFERRED)
        ends = columns.end_ns[rows]
        if asked.first:
            return int(rows[ends.argmin()])
        return int(rows[len(rows) - 1 - ends[::-1].argmax()])

    def _check_one_deed(self) -> None:
        """Raise Unreadable where what was counted before is of more than one deed."""
        counted = self._counted()
        if counted is not None and counted.tallied.wish not in _OF_ONE_DEED:
            raise Unreadable(self._line, _NO_ONE_DEED, REFERRED)

    def _counted(self) -> Counted | None:
        """Return what the question before wanted counted."""
        before = self._before
        return None if before.plain else tally_asked(before.text, before.listener)

    def _of_the_same(self) -> tuple[str, Placed] | None:
        """Return the question before, where more is asked of the same."""
        outcomes: tuple[Outcome, ...] = ()
        if found := _OF_THEM.fullmatch(self._said):
            if not _POINTS.search(self._said):
                return None  # "how many failed?" is a question of its own
            outcomes = FAILURES if found["how"].startswith("fail") else (Outcome.SUCCEEDED,)
        elif _WHY.fullmatch(self._said):
            outcomes = FAILURES
        elif not _SAME.fullmatch(self._said):
            return None
        self._check_one_deed()
        listener, let_through = self._before.listener, self._fresh.base.outcomes
        base = listener.base
        if outcomes:
            narrowed = tuple(one for one in outcomes if not let_through or one in let_through)
            if not narrowed:
                raise Unreadable(self._line, _LEFT_OUT, REFERRED)
            base = replace(base, outcomes=narrowed)
        of = ""
        if base.outcomes != let_through:
            of = f", of what {'succeeded' if Outcome.SUCCEEDED in base.outcomes else 'failed'}"
        listener = listener._replace(base=base, relative=f"as to '{self._text}'{of}")
        return self._text, self._before._replace(listener=listener, plain=True)

    def _again(self, text: str) -> tuple[str, Placed]:
        """Return another question, asked as the one before was at first."""
        listener = self._fresh._replace(relative=f"as to '{text}'")
        return text, placed_in(replace(listener.base, text=text), listener, self._store)

    def _check_told_by_its_words(self) -> None:
        """Raise Unreadable where the words before do not tell what their question is relative to.

        So it is of one that was beside "that".
        """
        base, fresh = self._before.listener.base, self._fresh.base
        bounded = (base.since_ns, base.until_ns) != (fresh.since_ns, fresh.until_ns)
        if bounded and related_in(self._text, self._fresh.now_ns) is None:
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)

    def _beside_another(self) -> tuple[str, Placed] | None:
        """Return the question before, beside another deed: "and after you charged?"."""
        now_ns = self._fresh.now_ns
        related = related_in(self._said, now_ns)
        if related is None or related.question:
            return None
        other = related_in(self._text, now_ns)
        self._check_told_by_its_words()
        return self._again(f"{other.question if other else self._text} {self._said}")

    def _at_another_time(self) -> tuple[str, Placed] | None:
        """Return the question before, of another time: "and yesterday?"."""
        said = _OFTEN.sub("", self._said)
        when = when_in(said, self._fresh.now_ns)
        if not when.read or _tidy(when.rest):
            return None
        self._check_told_by_its_words()
        if related_in(self._text, self._fresh.now_ns) is not None:
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)  # that deed's time, or the other's
        rest = _tidy(when_in(self._text, self._fresh.now_ns).rest)
        return self._again(f"{rest} {said}")

    def _of_another_name(self) -> tuple[str, Placed] | None:
        """Return the question before with another name: "and the plate?", "and in the hall?"."""
        words = words_in(self._said)
        found = recognise(words, self._items)
        read = {place for one in found for place in one.span}
        left = {word for place, word in enumerate(words.words) if place not in read}
        if who := _DID_WHO.fullmatch(self._said):
            return self._of_whom(who["who"])
        if len(found) != 1 or not found[0].fillers or left - _BESIDE_A_NAME:
            return None
        if {"action", "result"} & set(found[0].roles):
            return None
        self._check_told_by_its_words()
        text = self._with_name(words, found[0])
        if text is None and "subject" in found[0].roles and left == set():
            return self._of_whom(self._said)
        if text is None:
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)
        return self._again(text)

    def _with_name(self, words: Words, name: Find) -> str | None:
        """Return the question before with a name in place of the one that is most like it."""
        before = words_in(self._text)
        own = _known_roles(words, name, self._items)
        behind = _preposition(words, name)
        of_place = own - {"object"}
        targets = []
        for one in recognise(before, self._items):
            if not one.fillers or {"action", "result"} & set(one.roles):
                continue
            known = _known_roles(before, one, self._items)
            shared = known & (of_place if behind and of_place else own)
            if shared:
                targets.append((len(known & own) / len(known | own), one))
        chosen = [each for each in targets if bool(_preposition(before, each[1])) == bool(behind)]
        if behind and targets and not chosen:
            return None  # "clean the kitchen", "and in the hall?"
        chosen = chosen or targets
        best = max((score for score, _ in chosen), default=0.0)
        alike = [one for score, one in chosen if score == best]
        if len(alike) > 1:
            return None
        if not alike:
            named = any("object" in one.roles for one in recognise(before, self._items))
            add = behind or ("object" in own and not named)
            return f"{self._text} {self._said}" if add and "subject" not in own else None
        return _replaced(before, alike[0], self._said, keep=not behind)

    def _of_whom(self, name: str) -> tuple[str, Placed] | None:
        """Return the question before, of somebody else: "and Bob?", "and you?"."""
        self._check_told_by_its_words()
        before = words_in(self._text)
        acting = [one for one in recognise(before, self._items) if one.roles == ["subject"]]
        if len(acting) == 1 and acting[0].fillers:
            return self._again(_replaced(before, acting[0], name, keep=True))
        yours = [word for word in before.words if word in ("you", "your", "yourself")]
        if yours != ["you"] or not is_of_you(before) or name == "you" or acting:
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)
        return self._again(re.sub(r"\byou\b", name, self._text))

    def _of_that_thing(self) -> tuple[str, Placed]:
        """Return a question with the thing of the one before: "did you close it?"."""
        words, before = words_in(self._said), words_in(self._text)
        deeds = [one for one in recognise(words, self._items) if one.roles == ["action"]]
        things = [one for one in recognise(before, self._items) if "object" in one.roles]
        its = [place for place, word in enumerate(words.words) if word in ("it", "them")]
        if len(deeds) != 1 or len(things) != 1 or len(its) != 1:
            raise Unreadable(self._line, _NOT_WHOLE, REFERRED)
        thing = things[0].fillers[0].spoken.replace("_", " ").casefold()
        return self._again(re.sub(r"\b(?:it|them)\b", f"the {thing}", self._said))


def _tidy(text: str) -> str:
    folded = " ".join(text.casefold().replace("\u2019", "'").split()).rstrip(" ?!.")
    return " ".join(re.sub(r"(?: ,)+", ",", folded).strip(" ,").split())


def _known_roles(words: Words, one: Find, items: dict[str, ItemMemory]) -> set[str]:
    """Return the roles in which a name is known; those it was found in where it is a slip."""
    stems = tuple(words.stems[place] for place in one.span)
    known = {role for role, memory in items.items() if memory.with_words(stems)}
    return (known or set(one.roles)) - {"action", "result"}


def _preposition(words: Words, one: Find) -> str:
    """Return the preposition that a name stands behind, if it does."""
    place = _begin(words, one) - 1
    return words.words[place] if place >= 0 and words.words[place] in _PREPOSITIONS else ""


def _begin(words: Words, one: Find) -> int:
    """Return where a name begins, with its determiner."""
    begin = one.span[0]
    return begin - (begin > 0 and words.words[begin - 1] in DETERMINERS)


def _replaced(words: Words, one: Find, name: str, *, keep: bool) -> str:
    """Return a text with a name in place of another; its preposition is kept, or goes."""
    begin = _begin(words, one)
    if not keep and _preposition(words, one):
        begin -= 1
    before = words.spoken(0, begin) if begin else ""
    end = one.span[-1] + 1
    after = words.spoken(end, len(words)) if end < len(words) else ""
    return " ".join(filter(None, (before, name, after)))
