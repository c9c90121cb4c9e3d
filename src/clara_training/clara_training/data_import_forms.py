# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What other tools train on, read as an example: a conversation, or a pair of replies to one.

- Two fields: Alpaca's instruction, input and output, TRL's prompt and completion, question and
  answer, and their like, with `system` and `history` (LLaMA-Factory) beside them.
- A conversation: `messages` (OpenAI, TRL), `conversations` (ShareGPT), or a bare list of messages
  (nanochat).
- Preferences: prompt, chosen and rejected, as texts or as messages (TRL).

All that was said comes in, with a system message. What an example has no place for is refused,
with the option that leaves it out, and never left out unasked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import filterfalse, takewhile
from typing import Any

from clara_training.errors import DataError
from clara_training.examples import (
    MESSAGES,
    Example,
    knowledge_example,
    normalised,
    trait_example,
)
from clara_training.turns import (
    ASSISTANT,
    SYSTEM,
    USER,
    Turn,
    as_messages,
    check_order,
    has_system,
)

LATER_TURNS, UNANSWERED = "later-turns", "unanswered"  # can be left out, as SYSTEM and fields can
_ASKED = ("question", "prompt", "instruction")
_ASKED_ABOUT = ("input", "context")
_ANSWERED = ("answer", "completion", "output", "response", "chosen")
_CONVERSATIONS = (MESSAGES, "conversations")
_SYSTEMS = ("system", "system_prompt")
_HISTORY = "history"
_PAIR = ("chosen", "rejected")
_WITH_TRAIT = ("prompt", MESSAGES, "neutral", "low", "high")
_SPEAKERS = {
    **dict.fromkeys(("user", "human"), USER),
    **dict.fromkeys(("assistant", "gpt", "model"), ASSISTANT),
    **dict.fromkeys(("system", "developer"), SYSTEM),
}
_WHO, _WHAT = ("role", "from"), ("content", "value")
_EMPTY: tuple[object, ...] = (None, "", [], {})
Fields = dict[str, Any]


@dataclass
class Forms:
    """How entries become examples of a dimension.

    `omit` names what is left out: SYSTEM, LATER_TURNS, UNANSWERED and fields; `omitted` is what of
    it the last entry had.
    """

    dimension: str
    trait: bool
    difficulty: str
    omit: Collection[str] = ()
    system_in_question: bool = False
    omitted: set[str] = field(default_factory=set)

    def example(self, entry: object) -> Example:
        """Return an entry as an example. Raises DataError with a part of a sentence."""
        self.omitted = set()
        if isinstance(entry, DataError):
            raise entry
        if isinstance(entry, list):
            entry = {_CONVERSATIONS[0]: entry}
        if not isinstance(entry, dict):
            raise DataError("it must be an object, or a list of messages")
        fields = self._without_omitted({k: v for k, v in entry.items() if k != "id"})
        self._check_tag(fields)
        return self._of_trait(fields) if self.trait else self._of_domain(fields)

    def _check_tag(self, fields: Fields) -> None:
        name = "dimension" if self.trait else "domain"
        tag = fields.pop(name, None) or self.dimension
        if tag != self.dimension:
            raise DataError(
                f"its {name} is {tag!r}, not {self.dimension!r}; --leave-out {name} takes it all"
                " the same"
            )

    def _of_domain(self, fields: Fields) -> Example:
        difficulty = fields.pop("difficulty", None) or self.difficulty
        if fields.keys() >= set(_PAIR):
            raise DataError(
                "it has chosen and rejected, and a pair of replies is for a trait;"
                " --leave-out rejected takes chosen as the answer"
            )
        if isinstance(fields.get("label"), bool) and not fields.pop("label"):
            # TRL's, where good and bad answers are not paired.
            raise DataError("its label is false: the answer is not as it should be")
        turns = self._conversation(self._turns(fields))
        tags = {"difficulty": difficulty, "domain": self.dimension}
        if len(turns) == 2:
            return knowledge_example({"question": turns[0][1], "answer": turns[1][1], **tags})
        return knowledge_example({MESSAGES: as_messages(turns), **tags})

    def _of_trait(self, fields: Fields) -> Example:
        if fields.keys() >= {"low", "high"}:
            self._check_fields(fields, _WITH_TRAIT)
            texts = {name: text for name, text in fields.items() if text}
            return trait_example({**texts, "dimension": self.dimension})
        if not fields.keys() >= set(_PAIR):
            raise DataError(
                f"it has {_listed(fields)}, and a trait must have a reply with much of it and one"
                " with little: prompt, chosen and rejected, or prompt, low and high"
            )
        asked = {name: value for name, value in fields.items() if name not in _PAIR}
        (*said, (_, high)), (*other, (_, low)) = (
            self._conversation(self._turns({**asked, name: fields[name]}, _PAIR)) for name in _PAIR
        )
        if said != other:
            raise DataError("chosen and rejected do not answer the same question")
        if normalised(high) == normalised(low):
            first = " in their first reply" * (LATER_TURNS in self.omitted)
            raise DataError(f"chosen and rejected say the same{first}")
        asked = {"prompt": said[0][1]} if len(said) == 1 else {MESSAGES: as_messages(said)}
        return trait_example({**asked, "low": low, "high": high, "dimension": self.dimension})

    def _turns(self, fields: Fields, answers: Collection[str] = _ANSWERED) -> list[Turn]:
        """Return who says what, whichever of the forms it is."""
        begun = [*self._system(fields), *self._history(fields)]
        for name in _CONVERSATIONS:
            if name in fields:
                self._check_fields(fields, (name,))
                return [*begun, *self._said(fields[name], USER, name)]
        asked = [name for name in _ASKED if name in fields] or ["input"]
        answered = [name for name in answers if name in fields]
        # Where a reply is a whole conversation, the question is in it.
        if len(answered) != 1 or len(asked) != 1:
            raise DataError(
                f"it has {_listed(fields)}, and must have a question and its answer (instruction,"
                " perhaps input, and output; prompt and completion; question and answer) or"
                " messages or conversations"
            )
        self._check_fields(fields, (*asked, *_ASKED_ABOUT, *answered))
        question = self._asked(fields, asked[0])
        answer = self._said(fields[answered[0]], ASSISTANT, answered[0])
        if answer and answer[0][0] != ASSISTANT:
            under, spoken = _by_system(answer)
            asked_under, asked_what = _by_system(question)
            if spoken[: len(asked_what)] != asked_what or (
                under and asked_under and under != asked_under
            ):
                raise DataError(f"{answered[0]} does not begin with {asked[0]}")
            return [*begun, *(() if under else asked_under), *answer]
        return [*begun, *question, *answer]

    def _asked(self, fields: Fields, name: str) -> list[Turn]:
        said = [fields[each] for each in dict.fromkeys((name, *_ASKED_ABOUT)) if fields.get(each)]
        if len(said) == 1:
            return self._said(said[0], USER, name)
        if not all(isinstance(each, str) for each in said):
            raise DataError(f"{name} and what stands beside it must be texts")
        return [(USER, "\n\n".join(said))] if said else []

    def _said(self, value: object, who: str, name: str) -> list[Turn]:
        """Return the turns of a list of messages, or a text as one."""
        if isinstance(value, str):
            return [(who, value)]
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise DataError(f"{name} must be a text or a list of messages")
        return [self._turn(f"message {number}", turn) for number, turn in enumerate(value, 1)]

    def _turn(self, called: str, turn: Mapping[str, Any]) -> Turn:
        fields = self._without_omitted(turn)
        speaker = next((fields.pop(name) for name in _WHO if name in fields), None)
        said = next((fields.pop(name) for name in _WHAT if name in fields), "")
        if not isinstance(speaker, str) or speaker not in _SPEAKERS:
            raise DataError(
                f"{called} is of {speaker}, where an example has but a user, an assistant and a"
                " system"
            )
        self._check_fields(fields, (), called)
        if isinstance(said, list):  # parts, as of those who can be shown pictures
            texts = [part["text"] for part in said if isinstance(part, dict) and "text" in part]
            said = "".join(map(str, texts)) if len(texts) == len(said) else None
        if not isinstance(said, str):
            raise DataError(f"{called} is not all text")
        return _SPEAKERS[speaker], said

    def _system(self, fields: Fields) -> list[Turn]:
        return [(SYSTEM, str(fields.pop(name))) for name in _SYSTEMS if fields.get(name)]

    def _history(self, fields: Fields) -> list[Turn]:
        pairs = fields.pop(_HISTORY, None) or []
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in pairs
        ):
            raise DataError(f"{_HISTORY} must be a list of questions, each with its answer")
        speakers = (USER, ASSISTANT)
        return [turn for pair in pairs for turn in zip(speakers, pair, strict=True)]

    def _conversation(self, turns: list[Turn]) -> list[Turn]:
        """Return what was said, from question to answer, the system message where it shall be."""
        turns = [(who, said) for who, said in turns if who != SYSTEM or said.strip()]
        if SYSTEM in (who for who, _ in turns):
            turns = self._with_system(turns)
        begin = len([*takewhile(_is_system, turns)])
        if len(turns) > begin + 2 and self._omits(LATER_TURNS):
            turns = [*turns[:begin], *_by_system(turns)[1][:2]]
        if len(turns) > begin + 1 and turns[-1][0] == USER and self._omits(UNANSWERED):
            del turns[-1]
        try:
            check_order(turns, ASSISTANT)
        except DataError as error:
            raise DataError(f"{error}{self._way(turns)}") from None
        return turns

    def _with_system(self, turns: list[Turn]) -> list[Turn]:
        """Return turns with what a system says where it shall be, if anywhere."""
        if self.system_in_question:
            return _in_questions(turns)
        if self._omits(SYSTEM):
            return _by_system(turns)[1]
        # Several at the beginning, of a field and of a message say, are one.
        begun = [*takewhile(_is_system, turns)]
        together = "\n\n".join(dict.fromkeys(said for _, said in begun))
        return [*([(SYSTEM, together)] if begun else []), *turns[len(begun) :]]

    def _way(self, turns: list[Turn]) -> str:
        """Return what goes on with a conversation that is in no order, if anything does."""
        speakers = [who for who, _ in turns]
        if SYSTEM in speakers[1:]:
            return (
                f"; --leave-out {SYSTEM} goes on without, --system-in-question puts each before"
                " the question that follows"
            )
        if speakers[has_system(turns) :][:2] != [USER, ASSISTANT]:
            return ""
        if speakers[-1] == USER and UNANSWERED not in self.omit:
            return f"; --leave-out {UNANSWERED} goes on without the last question"
        return f"; --leave-out {LATER_TURNS} takes the first question and its answer"

    def _omits(self, name: str) -> bool:
        if name in self.omit:
            self.omitted.add(name)
        return name in self.omit

    def _without_omitted(self, fields: Mapping[str, Any]) -> Fields:
        left_out = {name: value for name, value in fields.items() if name in self.omit}
        self.omitted |= {name for name, value in left_out.items() if value not in _EMPTY}
        return {name: value for name, value in fields.items() if name not in self.omit}

    def _check_fields(self, fields: Fields, known: Collection[str], called: str = "it") -> None:
        # What is empty is no loss.
        if unknown := [k for k, value in fields.items() if k not in known and value not in _EMPTY]:
            raise DataError(
                f"{called} has {_listed(unknown)}, for which an example has no place;"
                f" {' '.join(f'--leave-out {name}' for name in unknown)} goes on without"
            )


def _is_system(turn: Turn) -> bool:
    return turn[0] == SYSTEM


def _by_system(turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Return what a system says, and the rest."""
    return [*filter(_is_system, turns)], [*filterfalse(_is_system, turns)]


def _in_questions(turns: list[Turn]) -> list[Turn]:
    """Put what a system says before the question that follows it, or else before the last."""
    found: list[Turn] = []
    waiting: list[str] = []
    for who, said in turns:
        if who == SYSTEM:
            waiting.append(said)
        elif who == USER:
            found.append((who, "\n\n".join([*waiting, said])))
            waiting = []
        else:
            found.append((who, said))
    last = max((at for at, (who, _) in enumerate(found) if who == USER), default=None)
    if waiting and last is not None:
        found[last] = (USER, "\n\n".join([*waiting, found[last][1]]))
    return found


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(str, names)) or "nothing"
