# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Training examples: their files, their checks, and the split into what is learned and held out.

- A trait's file is `<trait>_training.json`: a list of {"prompt", "neutral", "low", "high",
  "dimension"}. `neutral` is the plain reply to `prompt`; `low` and `high` say the same with little
  and with much of the trait. Either `prompt` or `neutral` may be left out.
- A domain's file is `<domain>_knowledge.json`: a list of {"question", "answer", "difficulty",
  "domain"}.
- Where something was said before, or there is a system message, a domain's entry has `messages`
  (see `turns`) for `question` and `answer`, and a trait's for `prompt`: all up to what the replies
  answer.
- Which side of the split an example is on depends on nothing but its text, of a conversation on
  what the person says first: as it grew from turn to turn, it stays on one side.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from clara_training.errors import DataError
from clara_training.turns import (
    ASSISTANT,
    USER,
    Turn,
    as_messages,
    checked_text,
    said_first,
    turns_of,
)

TRAIT_SUFFIX = "_training.json"
KNOWLEDGE_SUFFIX = "_knowledge.json"
DIFFICULTIES = ("easy", "medium", "hard")
HELD_OUT_SHARE = 0.15
REPHRASE = "Say this in your own words: {neutral}"
MESSAGES = "messages"
Reply = Literal["high", "low"]


@dataclass(frozen=True)
class TraitExample:
    """Something said to the robot, the plain reply, and the same with little and much trait.

    What was said, or the plain reply, may be unknown: an empty text. `before` are a system message
    and what both said before `prompt`.
    """

    dimension: str
    prompt: str
    neutral: str
    low: str
    high: str
    before: tuple[Turn, ...] = ()

    @property
    def key(self) -> str:
        """Return the text that decides on which side of the split the example is."""
        return said_first(self.before) or self.prompt or self.neutral

    @property
    def user_text(self) -> str:
        """Return what the person says."""
        return self.prompt or REPHRASE.format(neutral=self.neutral)

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the file."""
        said = (*self.before, (USER, self.prompt))
        texts: dict[str, Any] = {
            **({MESSAGES: as_messages(said)} if self.before else {"prompt": self.prompt}),
            "neutral": self.neutral,
            "low": self.low,
            "high": self.high,
            "dimension": self.dimension,
        }
        return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True)
class KnowledgeExample:
    """A question of a domain and its answer.

    `before` are a system message and what both said before the question.
    """

    domain: str
    question: str
    answer: str
    difficulty: str
    before: tuple[Turn, ...] = ()

    @property
    def key(self) -> str:
        """Return the text that decides on which side of the split the example is."""
        return said_first(self.before) or self.question

    @property
    def dimension(self) -> str:
        """Return the domain, under the name that a trait's examples have for theirs."""
        return self.domain

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the file."""
        said = (*self.before, (USER, self.question), (ASSISTANT, self.answer))
        plain = {"question": self.question, "answer": self.answer}
        return {
            **({MESSAGES: as_messages(said)} if self.before else plain),
            "difficulty": self.difficulty,
            "domain": self.domain,
        }


Example = TraitExample | KnowledgeExample
AnyExample = TypeVar("AnyExample", bound=TraitExample | KnowledgeExample)


def file_name(dimension: str, trait: bool) -> str:
    """Return the name of a dimension's file."""
    return f"{dimension}{TRAIT_SUFFIX if trait else KNOWLEDGE_SUFFIX}"


def load_trait(path: str | Path) -> list[TraitExample]:
    """Read a trait's file.

    Raises DataError with the file, the number of the entry (from 1) and the field.
    """
    return _load(Path(path), TRAIT_SUFFIX, trait_example)


def load_knowledge(path: str | Path) -> list[KnowledgeExample]:
    """Read a domain's file.

    Raises DataError with the file, the number of the entry (from 1) and the field.
    """
    return _load(Path(path), KNOWLEDGE_SUFFIX, knowledge_example)


def trait_example(entry: object, dimension: str | None = None) -> TraitExample:
    """Check one entry of a trait's file; `dimension` is the tag it must have.

    Raises DataError with a part of a sentence that names the field.
    """
    entry, before = _last_turns(entry, ("prompt",), USER)
    fields = _fields(entry, ("low", "high", "dimension"), ("prompt", "neutral"))
    _tag(fields, "dimension", dimension)
    if not fields.keys() & {"prompt", "neutral"}:
        raise DataError("prompt and neutral are both missing; there must be one")
    for one, other in (("low", "high"), ("neutral", "low"), ("neutral", "high")):
        if one in fields and normalised(fields[one]) == normalised(fields[other]):
            raise DataError(f"{one} and {other} say the same")
    return TraitExample(
        dimension=fields["dimension"],
        prompt=fields.get("prompt", ""),
        neutral=fields.get("neutral", ""),
        low=fields["low"],
        high=fields["high"],
        before=before,
    )


def knowledge_example(entry: object, domain: str | None = None) -> KnowledgeExample:
    """Check one entry of a domain's file; `domain` is the tag it must have.

    Raises DataError with a part of a sentence that names the field.
    """
    entry, before = _last_turns(entry, ("question", "answer"), ASSISTANT)
    fields = _fields(entry, ("question", "answer", "difficulty", "domain"), ())
    _tag(fields, "domain", domain)
    if fields["difficulty"] not in DIFFICULTIES:
        raise DataError(
            f"difficulty is {fields['difficulty']!r}; it must be {', '.join(DIFFICULTIES)}"
        )
    return KnowledgeExample(
        domain=fields["domain"],
        question=fields["question"],
        answer=fields["answer"],
        difficulty=fields["difficulty"],
        before=before,
    )


def read_entries(path: Path) -> list[Any]:
    """Read a file of examples, entries unchecked. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path} is not there; clara-train data missing makes it")
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise DataError(f"{path} is nested too deeply to be a file of examples") from None
    if not isinstance(document, list):
        raise DataError(f"{path} must hold a list of examples")
    if not document:
        raise DataError(f"{path} is empty ([]); clara-train data missing fills it")
    return document


def read_text(path: Path) -> str:
    """Read a text. Raises DataError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None


def tag_of(path: Path, suffix: str) -> str | None:
    """Return the dimension that a file's name stands for, if it does."""
    return path.name.removesuffix(suffix) if path.name.endswith(suffix) else None


def normalised(text: str) -> str:
    """Return a text in small letters, with words and digits only, one space between them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def held_out(text_key: str, share: float = HELD_OUT_SHARE) -> bool:
    """Tell whether an example with this key is held out. The same for ever, on every machine.

    The first 8 bytes of the sha256 of the normalised text, as a fraction of 2^64, below `share`.
    """
    digest = hashlib.sha256(normalised(text_key).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def split(examples: Iterable[AnyExample]) -> tuple[list[AnyExample], list[AnyExample]]:
    """Return what is learned from and what is held out, each in the order given."""
    train: list[AnyExample] = []
    held: list[AnyExample] = []
    for example in examples:
        (held if held_out(example.key) else train).append(example)
    return train, held


def conversation(example: Example, reply: Reply = "high") -> tuple[str, str]:
    """Return what the person says last and what the robot replies; `reply` is for traits."""
    if isinstance(example, KnowledgeExample):
        return example.question, example.answer
    return example.user_text, str(getattr(example, reply))


def _load(path: Path, suffix: str, check: Callable[..., AnyExample]) -> list[AnyExample]:
    tag = tag_of(path, suffix)
    examples = []
    for number, entry in enumerate(read_entries(path), 1):
        try:
            examples.append(check(entry, tag))
        except DataError as error:
            raise DataError(f"{path}, entry {number}: {error}") from None
    tags = sorted({example.dimension for example in examples})
    if len(tags) > 1:
        raise DataError(f"{path} has examples of {', '.join(tags)}; it must have one dimension")
    return examples


def _last_turns(entry: object, names: Sequence[str], last: str) -> tuple[object, tuple[Turn, ...]]:
    """Return an entry with the end of its messages under `names`, and what was said before."""
    if not isinstance(entry, dict) or MESSAGES not in entry:
        return entry, ()
    if both := [name for name in names if name in entry]:
        raise DataError(f"{MESSAGES} and {' and '.join(both)} are both there; it is one or other")
    turns = turns_of(entry[MESSAGES], last)
    ended = {name: said for name, (_, said) in zip(names, turns[-len(names) :], strict=True)}
    rest = {name: value for name, value in entry.items() if name != MESSAGES}
    return {**rest, **ended}, turns[: -len(names)]


def _fields(entry: object, required: Sequence[str], optional: Sequence[str]) -> dict[str, str]:
    if not isinstance(entry, dict):
        raise DataError("it must be an object")
    for name in required:
        if name not in entry:
            raise DataError(f"{name} is missing")
    for name in entry:
        if name not in required and name not in optional:
            known = ", ".join((*optional, *required, MESSAGES))
            raise DataError(f"{name} is no field of it; there are {known}")
    return {name: checked_text(name, value) for name, value in entry.items()}


def _tag(fields: dict[str, str], name: str, wanted: str | None) -> None:
    if wanted is not None and fields[name] != wanted:
        raise DataError(f"{name} is {fields[name]!r}, but the file is for {wanted!r}")
