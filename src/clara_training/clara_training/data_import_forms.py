# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What other tools train on, read as an example: a question and its answer, or a pair of replies.

- Two fields: Alpaca's instruction, input and output, TRL's prompt and completion, question and
  answer, and their like.
- A conversation: `messages` (OpenAI, TRL), `conversations` (ShareGPT), or a bare list of messages
  (nanochat).
- Preferences: prompt, chosen and rejected, as texts or as messages (TRL).

An example has one question and no system message. What it has no place for is refused, with the
option that leaves it out, and never left out unasked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from clara_training.errors import DataError
from clara_training.examples import Example, knowledge_example, normalised, trait_example

SYSTEM, LATER_TURNS = "system", "later-turns"  # what can be left out beside fields
_ASKED = ("question", "prompt", "instruction")
_ASKED_ABOUT = ("input", "context")
_ANSWERED = ("answer", "completion", "output", "response", "chosen")
_CONVERSATIONS = ("messages", "conversations")
_SYSTEMS = ("system", "system_prompt")
_PAIR = ("chosen", "rejected")
_WITH_TRAIT = ("prompt", "neutral", "low", "high")
_SPEAKERS = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
_WHO, _WHAT = ("role", "from"), ("content", "value")
_EMPTY: tuple[object, ...] = (None, "", [], {})
Turn = tuple[str, str]  # who speaks, and what is said
Fields = dict[str, Any]


@dataclass
class Forms:
    """How entries become examples of a dimension.

    `omit` names what is left out: SYSTEM, LATER_TURNS and fields; `omitted` is what of it the
    last entry had.
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
        question, answer = self._question_and_answer(self._turns(fields))
        texts = {"question": question, "answer": answer}
        return knowledge_example({**texts, "difficulty": difficulty, "domain": self.dimension})

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
        (question, high), (other, low) = (
            self._question_and_answer(self._turns({**asked, name: fields[name]}, _PAIR))
            for name in _PAIR
        )
        if question != other:
            raise DataError("chosen and rejected do not answer the same question")
        if normalised(high) == normalised(low):
            first = " in their first reply" * (LATER_TURNS in self.omitted)
            raise DataError(f"chosen and rejected say the same{first}")
        texts = {"prompt": question, "low": low, "high": high}
        return trait_example({**texts, "dimension": self.dimension})

    def _turns(self, fields: Fields, answers: Collection[str] = _ANSWERED) -> list[Turn]:
        """Return who says what, whichever of the forms it is."""
        begun = self._system(fields)
        for name in _CONVERSATIONS:
            if name in fields:
                self._check_fields(fields, (name,))
                return [*begun, *self._said(fields[name], "user", name)]
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
        answer = self._said(fields[answered[0]], "assistant", answered[0])
        if answer and answer[0][0] != "assistant":
            spoken = [turn for turn in answer if turn[0] != "system"]
            if question and spoken[: len(question)] != question:
                raise DataError(f"{answered[0]} does not begin with {asked[0]}")
            return [*begun, *answer]
        return [*begun, *question, *answer]

    def _asked(self, fields: Fields, name: str) -> list[Turn]:
        said = [fields[each] for each in dict.fromkeys((name, *_ASKED_ABOUT)) if fields.get(each)]
        if len(said) == 1:
            return self._said(said[0], "user", name)
        if not all(isinstance(each, str) for each in said):
            raise DataError(f"{name} and what stands beside it must be texts")
        return [("user", "\n\n".join(said))] if said else []

    def _said(self, value: object, who: str, name: str) -> list[Turn]:
        """Return the turns of a list of messages, or a text as one."""
        if isinstance(value, str):
            return [(who, value)]
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise DataError(f"{name} must be a text or a list of messages")
        return [self._turn(number, turn) for number, turn in enumerate(value, 1)]

    def _turn(self, number: int, turn: Mapping[str, Any]) -> Turn:
        fields = self._without_omitted(turn)
        speaker = next((fields.pop(name) for name in _WHO if name in fields), None)
        said = next((fields.pop(name) for name in _WHAT if name in fields), "")
        if not isinstance(speaker, str) or speaker not in _SPEAKERS:
            raise DataError(
                f"turn {number} is of {speaker}, where an example has but a user and an assistant"
            )
        self._check_fields(fields, (), f"turn {number}")
        if isinstance(said, list):  # parts, as of those who can be shown pictures
            texts = [part["text"] for part in said if isinstance(part, dict) and "text" in part]
            said = "".join(map(str, texts)) if len(texts) == len(said) else None
        if not isinstance(said, str):
            raise DataError(f"turn {number} is not all text")
        return _SPEAKERS[speaker], said

    def _system(self, fields: Fields) -> list[Turn]:
        return [("system", str(fields.pop(name))) for name in _SYSTEMS if fields.get(name)]

    def _question_and_answer(self, turns: list[Turn]) -> tuple[str, str]:
        """Return what one exchange comes to, with the system message where it shall be."""
        system = [said for who, said in turns if who == "system" and said.strip()]
        turns = [(who, said) for who, said in turns if who != "system"]
        speakers = [who for who, _ in turns]
        if speakers[:2] != ["user", "assistant"]:
            raise DataError(
                "it must be a question of a user and an assistant's answer, but is of"
                f" {', '.join(speakers) or 'nobody'}"
            )
        question, answer = turns[0][1], turns[1][1]
        if len(turns) > 2 and not self._omits(LATER_TURNS):
            raise DataError(
                f"it has {len(turns)} turns, and an example one question and its answer:"
                f" --leave-out {LATER_TURNS} takes the first two"
            )
        if system and self.system_in_question:
            question = "\n\n".join([*system, question])
        elif system and not self._omits(SYSTEM):
            raise DataError(
                "it has a system message, for which an example has no place: --leave-out"
                f" {SYSTEM} leaves it out, --system-in-question puts it before the question"
                " (clara-train lora --system trains all examples under one)"
            )
        return question, answer

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


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(str, names)) or "nothing"
