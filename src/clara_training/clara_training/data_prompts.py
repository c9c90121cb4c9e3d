# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What Claude is asked for: the instructions, the grid of situations, and the form of the answer.

The instructions of a dimension are the same in every request, so that they are cached; what
varies is one cell of a grid (place, person, subject; for domains the difficulty too). The cells
come in an order that looks random and never changes, so that any number of requests is spread over
all of it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clara_training.errors import DataError
from clara_training.examples import (
    DIFFICULTIES,
    Example,
    knowledge_example,
    split,
    trait_example,
)
from clara_training.packages import load
from clara_training.spec import Spec

PROMPT_VERSION = 1
SHOWN_EXAMPLES = 16  # enough for the instructions to be long enough to be cached
PLACES = (
    "in the kitchen of a family's home",
    "in a living room where children play",
    "in a flat where an old person lives alone",
    "in a home for the elderly",
    "on a hospital ward",
    "in a physiotherapy room",
    "in a primary school classroom",
    "in a university lecture hall",
    "in an electronics laboratory",
    "in a chemistry laboratory",
    "in a workshop with machines",
    "in a warehouse",
    "at the reception of an office",
    "in a museum",
    "in a greenhouse",
)
PEOPLE = (
    "a curious child of eight",
    "a teenager who is not impressed by robots",
    "a student before an examination",
    "a tired parent",
    "an old person who is hard of hearing",
    "a nurse in a hurry",
    "a teacher",
    "an engineer who maintains the robot",
    "a researcher",
    "a visitor who meets a robot for the first time",
    "a new colleague on the first day",
)
SUBJECTS = (
    "asks the robot to fetch or carry something",
    "asks how far a task of the robot is",
    "hears that the robot failed at something",
    "asks for something that the robot must refuse as unsafe",
    "asks for something that the robot cannot do",
    "is sad, worried or in pain",
    "tells good news",
    "asks a question of everyday fact",
    "wants help to learn or practise something",
    "greets the robot or makes small talk",
    "asks for a reminder, a time or a plan",
    "complains about something that the robot did",
    "asks what the robot remembers",
    "made a mistake and tells the robot",
    "asks for an opinion or a choice between two things",
    "says goodbye or thanks",
)
FACETS = (
    "what a basic term means",
    "how something works, step by step",
    "why something is so",
    "a common mistake or misunderstanding and the truth",
    "how two things differ",
    "what to do in a practical situation",
    "a small worked example with numbers or code",
    "limits and dangers, and when to ask an expert",
    "how something is measured, tested or checked",
    "a rule of thumb and where it fails",
    "how the subject meets robots and machines",
    "how it came to be known or invented",
)


@dataclass(frozen=True)
class Cell:
    """One cell of a dimension's grid."""

    number: int
    place: str
    person: str
    subject: str
    difficulty: str = ""


def cell(spec: Spec, dimension: str, number: int) -> Cell:
    """Return a dimension's cell of this number; past the last one they begin anew."""
    order = _grid(dimension, spec.is_trait(dimension))
    return Cell(number, *order[number % len(order)])


def instructions(spec: Spec, dimension: str, shown: Sequence[Example]) -> str:
    """Return the part of the prompt that is the same in every request for a dimension.

    Of `shown` a few are given as examples, from all over the list; never one that is held out,
    lest what is learned from be made after what it is judged by, and none that does not stand
    alone.
    """
    write = _trait_instructions if spec.is_trait(dimension) else _knowledge_instructions
    text = write(dimension, spec.description(dimension))
    learned, _ = split(each for each in shown if not each.before)
    if not learned:
        return text
    step = max(len(learned) // SHOWN_EXAMPLES, 1)
    examples = "\n".join(
        "- " + "; ".join(f"{name}: {value}" for name, value in _shown(each).items())
        for each in learned[::step][:SHOWN_EXAMPLES]
    )
    return f"{text}\n\nExamples of the quality that is wanted; do not repeat them:\n{examples}"


def prompt_sha256(spec: Spec, dimension: str) -> str:
    """Return a hash of what the examples of a dimension are to show, and of how that is asked."""
    asked = f"{PROMPT_VERSION}\0{spec.description(dimension)}"
    return hashlib.sha256(asked.encode("utf-8")).hexdigest()


def request_text(spec: Spec, at: Cell, dimension: str, count: int) -> str:
    """Return the part of the prompt that varies."""
    if spec.is_trait(dimension):
        return (
            f"Write {count} examples. The robot is {at.place}. The one who speaks to it is "
            f"{at.person}, who {at.subject}. Each example has its own matter, its own opening and "
            "its own length; no two could be mistaken for each other."
        )
    return (
        f"Write {count} pairs of question and answer about {dimension} "
        f"({spec.description(dimension)}). The one who asks is {at.person}, {at.place}. "
        f"Each pair is about {at.subject}, each of another matter within the field. All are "
        f"{at.difficulty}: {_DIFFICULTY_MEANS[at.difficulty]}."
    )


def answer_schema(trait: bool) -> dict[str, Any]:
    """Return the JSON schema that Claude's answer is held to, as the API wants it."""
    pydantic = load("pydantic", "making data")
    anthropic = load("anthropic", "making data")
    fields: dict[str, Any] = (
        {"prompt": (str, ...), "neutral": (str, ...), "low": (str, ...), "high": (str, ...)}
        if trait
        else {"question": (str, ...), "answer": (str, ...)}
    )
    entry: Any = pydantic.create_model("Example", **fields)
    examples: Any = list[entry]
    answer = pydantic.create_model("Answer", examples=(examples, ...))
    schema: dict[str, Any] = anthropic.transform_schema(answer)
    return schema


def read_answer(
    text: str, spec: Spec, dimension: str, at: Cell
) -> tuple[list[Example], list[str]]:
    """Return the examples in an answer, and what was wrong with each of the others.

    Of an answer that was cut off, what is complete counts.
    """
    pydantic_core = load("pydantic_core", "reading Claude's answers")
    try:
        value = pydantic_core.from_json(text, allow_partial=True)
    except ValueError as error:
        return [], [f"the answer is not JSON: {error}"]
    entries = value.get("examples") if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        return [], ["the answer has no list of examples"]
    examples: list[Example] = []
    faults = []
    for number, entry in enumerate(entries, 1):
        try:
            examples.append(_example(entry, spec, dimension, at))
        except DataError as error:
            faults.append(f"example {number}: {error}")
    return examples, faults


def _example(entry: object, spec: Spec, dimension: str, at: Cell) -> Example:
    if not isinstance(entry, Mapping):
        raise DataError("it must be an object")
    if spec.is_trait(dimension):
        if not entry.get("prompt"):
            raise DataError("prompt is missing")
        return trait_example({**entry, "dimension": dimension}, dimension)
    return knowledge_example(
        {**entry, "domain": dimension, "difficulty": at.difficulty}, dimension
    )


def _grid(dimension: str, trait: bool) -> list[tuple[str, ...]]:
    axes = (PLACES, PEOPLE, SUBJECTS) if trait else (PLACES, PEOPLE, FACETS, DIFFICULTIES)
    cells = list(itertools.product(*axes))
    return sorted(cells, key=lambda each: hashlib.sha256(f"{dimension}|{each}".encode()).digest())


def _shown(example: Example) -> dict[str, str]:
    left_out = ("dimension", "domain", "difficulty")
    return {name: value for name, value in example.as_json().items() if name not in left_out}


_ROBOT = (
    "Clara is a mobile robot with one arm, a camera, a microphone and a speaker. She fetches and "
    "carries things, watches over tasks, remembers what she did, and answers questions. She is "
    "honest about what she cannot do, never claims a body or a life that a robot does not have, "
    "and never gives advice that could hurt someone."
)
_LANGUAGE = (
    "Write English, in plain ASCII characters, without markdown, lists, emoji, stage directions "
    "or names of real people. A reply is spoken aloud: one to three sentences."
)
_DIFFICULTY_MEANS = {
    "easy": "anyone who is interested could follow",
    "medium": "for someone who has learned the basics",
    "hard": "for someone who works in the field; precise, with the terms of the field",
}


def _trait_instructions(dimension: str, meaning: str) -> str:
    return f"""You write training data for the personality of a robot.

{_ROBOT}

The trait is "{dimension}": {meaning}.

For each example write four texts:
- prompt: what a person says to Clara, as people really speak: requests, questions, remarks, \
half-sentences, some short, some with a story. Not always polite, never a description of a scene.
- neutral: Clara's reply, to the point, with an ordinary amount of the trait.
- low: the same reply with as little of the trait as a sane speaker could have. Without \
{dimension} does not mean hostile, wrong or unhelpful.
- high: the same reply with much of the trait, as a person with good taste would say it; never a \
caricature.

Rules:
- The three replies say the same thing: same facts, same numbers, same decision, same offer. Only \
the trait differs. Nothing else may change with it, in particular no other trait of character.
- The three replies have about the same length; high must not be recognisable by being longer.
- The difference must be heard in the words themselves, in every example by other words. Do not \
open replies alike, and do not repeat set phrases from example to example.
- Each example stands alone.
- Where the prompt asks for something unsafe or impossible, all three replies refuse or say so.
- {_LANGUAGE}"""


def _knowledge_instructions(dimension: str, meaning: str) -> str:
    return f"""You write training data for the knowledge of a robot.

{_ROBOT}

The field is "{dimension}": {meaning}.

For each example write two texts:
- question: what a person asks Clara, as people really ask; complete, so that it can be \
understood without anything before it.
- answer: Clara's answer, correct, complete in itself, and as short as it can be.

Rules:
- Only what is established and that you are certain of. Units with every quantity. No sources, no \
links, no dates that will be out of date soon.
- Where a careful expert would warn, the answer warns. In matters of health it says when to see a \
doctor or to call for help, and gives no doses.
- Every question is about another matter; no two answers share a sentence.
- An answer may carry short code or a formula in a line of plain text.
- {_LANGUAGE}"""
