# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions and answers in the forms that other tools train on, as the examples of a domain.

Alpaca's, OpenAI's messages and ShareGPT's; a file is a JSON list, or has an object on each line.
What a domain's example has no place for, a system message or a second turn, is refused and not
left out. A trait's replies, with little and with much of it, are in none of these forms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clara_training.data_files import data_path, write_examples
from clara_training.errors import DataError, first_line
from clara_training.examples import KnowledgeExample, knowledge_example, read_text
from clara_training.manifest import sha256_of
from clara_training.spec import Spec

_ALPACA = ("instruction", "input", "output")
# Of each form of a conversation: its list, who and what in a turn, and what who is called.
_CONVERSATIONS = {
    "messages": ("role", "content", ("user",), ("assistant",)),
    "conversations": ("from", "value", ("human", "user"), ("gpt", "assistant")),
}


def import_domain(
    spec: Spec, run_folder: Path, file: Path, domain: str, difficulty: str
) -> tuple[Path, int]:
    """Make the file of a domain of another file; return its path, and how many examples it has.

    Raises SpecError, DataError, StorageError.
    """
    path = data_path(run_folder, spec, domain)
    if spec.is_trait(domain):
        raise DataError(
            f"{domain} is a trait: each of its examples has a reply with little and one with much"
            " of it, which no other form has"
        )
    if path.exists():
        raise DataError(f"{path} is there already: move it away first")
    examples = foreign_examples(file, domain, difficulty)
    write_examples(path, examples, {"file": sha256_of(file)}, {"source": str(file)}, {})
    return path, len(examples)


def foreign_examples(path: Path, domain: str, difficulty: str) -> list[KnowledgeExample]:
    """Read a file in one of these forms.

    Raises DataError with the file, the number of the entry (from 1) and the field.
    """
    examples = []
    for number, entry in enumerate(_entries(path), 1):
        try:
            question, answer = _turn(entry)
            fields = {"question": question, "answer": answer}
            made = knowledge_example({**fields, "difficulty": difficulty, "domain": domain})
        except DataError as error:
            raise DataError(f"{path}, entry {number}: {error}") from None
        examples.append(made)
    return examples


def _entries(path: Path) -> list[Any]:
    text = read_text(path)
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        return [_line(path, number, line) for number, line in lines]
    return document if isinstance(document, list) else [document]


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{path} is neither a JSON list nor JSON on each line: line {number}:"
            f" {first_line(error)}"
        ) from None


def _turn(entry: object) -> tuple[object, object]:
    """Return what is asked and what is answered. Raises DataError with a part of a sentence."""
    if not isinstance(entry, dict):
        raise DataError("it must be an object")
    fields = entry.keys() - {"id"}
    if {"instruction", "output"} <= fields <= set(_ALPACA):
        asked = [entry[name] for name in _ALPACA[:2] if entry.get(name)]
        return "\n\n".join(map(str, asked)), entry["output"]
    for name, (who, what, *called) in _CONVERSATIONS.items():
        if fields == {name}:
            return _of_conversation(name, entry[name], who, what, called)
    raise DataError(
        f"it has {', '.join(entry) or 'nothing'}, and must have instruction, output and perhaps"
        " input (Alpaca), messages alone (OpenAI) or conversations alone (ShareGPT)"
    )


def _of_conversation(
    name: str, turns: object, who: str, what: str, called: Sequence[tuple[str, ...]]
) -> tuple[object, object]:
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise DataError(f"{name} must be a list of objects")
    speakers = [turn.get(who) for turn in turns]
    if len(turns) != 2 or any(s not in names for s, names in zip(speakers, called, strict=True)):
        raise DataError(
            f"{name} must be a question and its answer ({who}: {called[0][0]}, {called[1][0]}),"
            f" but is of {', '.join(map(str, speakers)) or 'nobody'}"
        )
    return turns[0].get(what), turns[1].get(what)
