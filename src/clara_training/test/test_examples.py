# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Files of examples, the fixed split, near-duplicates, and the check of data."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from clara_training.data_check import check_file, check_path
from clara_training.data_duplicates import (
    SIMILAR,
    compared_text,
    duplicate_numbers,
    without_duplicates,
)
from clara_training.errors import DataError
from clara_training.examples import (
    KnowledgeExample,
    TraitExample,
    conversation,
    held_out,
    load_knowledge,
    load_trait,
    split,
)
from clara_training.starter import starter_examples
from rapidfuzz import fuzz, process

TRIPLE = {
    "prompt": "Can you bring me the cup?",
    "neutral": "I will bring the cup.",
    "low": "Cup. Coming.",
    "high": "Of course, my dear, I will bring you the cup.",
    "dimension": "warmth",
}
TURNS = [
    {"role": "system", "content": "You are Clara."},
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello, Ada."},
    {"role": "user", "content": "What is my name?"},
    {"role": "assistant", "content": "It is Ada."},
]
BEFORE = tuple((turn["role"], turn["content"]) for turn in TURNS[:3])
TALK = {"messages": TURNS, "difficulty": "easy", "domain": "quantum"}
PAIR = {
    "question": "What is a qubit?",
    "answer": "A system with two states that can be in both at once.",
    "difficulty": "easy",
    "domain": "quantum",
}


def saved(folder: Path, name: str, entries: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(entries))
    return path


def test_a_trait_example_is_a_conversation_with_three_replies(tmp_path: Path) -> None:
    (example,) = load_trait(saved(tmp_path, "warmth_training.json", [TRIPLE]))
    assert example == TraitExample(**TRIPLE)
    assert conversation(example, "low") == (TRIPLE["prompt"], TRIPLE["low"])
    assert conversation(example) == (TRIPLE["prompt"], TRIPLE["high"])


def test_without_a_prompt_the_neutral_text_is_to_be_said_anew(tmp_path: Path) -> None:
    bare = {name: text for name, text in TRIPLE.items() if name != "prompt"}
    (example,) = load_trait(saved(tmp_path, "warmth_training.json", [bare]))
    said, reply = conversation(example, "high")
    assert said == "Say this in your own words: I will bring the cup." and reply == TRIPLE["high"]
    assert example.key == TRIPLE["neutral"] and example.as_json() == bare


def test_the_plain_reply_may_be_unknown_where_what_was_said_is_known(tmp_path: Path) -> None:
    pair = {name: text for name, text in TRIPLE.items() if name != "neutral"}
    path = saved(tmp_path, "warmth_training.json", [pair])
    (example,) = load_trait(path)
    assert (
        conversation(example) == (TRIPLE["prompt"], TRIPLE["high"]) and example.as_json() == pair
    )
    assert set(check_path(path).figures["mean_characters"]) == {"low", "high"}


def test_a_knowledge_example_is_a_question_and_its_answer(tmp_path: Path) -> None:
    (example,) = load_knowledge(saved(tmp_path, "quantum_knowledge.json", [PAIR]))
    assert example == KnowledgeExample(**PAIR)
    assert conversation(example) == (PAIR["question"], PAIR["answer"])


def test_an_example_may_be_the_end_of_a_conversation(tmp_path: Path) -> None:
    path = saved(tmp_path, "quantum_knowledge.json", [TALK, {**TALK, "messages": TURNS[1:3]}])
    whole, short = load_knowledge(path)
    assert whole == KnowledgeExample("quantum", "What is my name?", "It is Ada.", "easy", BEFORE)
    assert whole.as_json() == TALK
    assert short.as_json() == {
        **{"question": "My name is Ada.", "answer": "Hello, Ada."},
        **{"difficulty": "easy", "domain": "quantum"},
    }
    entry = {name: text for name, text in TRIPLE.items() if name != "prompt"}
    entry = {"messages": TURNS[:4], **entry}
    (pair,) = load_trait(saved(tmp_path, "warmth_training.json", [entry]))
    assert pair == replace(TraitExample(**TRIPLE), prompt="What is my name?", before=BEFORE)
    assert pair.as_json() == entry
    # As it grows from turn to turn, a conversation stays on one side of the split.
    assert whole.key == short.key == pair.key == "My name is Ada."


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"messages": "Hello"}, r'messages must be a list of \{"role", "content"\}'),
        ({"messages": []}, r'messages must be a list of \{"role", "content"\}'),
        ({"messages": ["Hello"]}, "message 1 must be an object with role and content"),
        ({"messages": [{"role": "user"}]}, "message 1 has no content"),
        ({"messages": [*TURNS[:4], {**TURNS[4], "name": "Clara"}]}, "message 5 has name, where"),
        (
            {"messages": [*TURNS[:4], {**TURNS[4], "role": "tool"}]},
            "the role of message 5 is 'tool'; it must be system, user, assistant",
        ),
        ({"messages": [*TURNS[:4], {**TURNS[4], "content": ""}]}, "content of message 5 is empty"),
        ({"messages": [*TURNS[:4], {**TURNS[4], "content": 5}]}, "message 5 must be a text"),
        (
            {"messages": [*TURNS[:4], {**TURNS[4], "content": "x" * 9000}]},
            "the content of message 5 has 9000 characters; 8000 at most",
        ),
        ({"messages": TURNS[:4]}, "ends with a message of the user, where one of the assistant"),
        ({"messages": TURNS[:1]}, "ends with a message of the system, where one of the assist"),
        ({"messages": TURNS[2:]}, "message 1 is the assistant's, and there is none of the user"),
        (
            {"messages": [*TURNS[:2], *TURNS[3:]]},
            "message 3 is the user's, and there is none of the assistant before it",
        ),
        ({"messages": [*TURNS[1:3], *TURNS]}, "message 3 is a system message, which only the fir"),
        ({"answer": "It is Ada."}, "messages and answer are both there"),
    ],
)
def test_what_is_wrong_with_a_conversation_is_named_by_its_message(
    tmp_path: Path, changed: dict[str, object], sentence: str
) -> None:
    path = saved(tmp_path, "quantum_knowledge.json", [TALK, {**TALK, **changed}])
    with pytest.raises(DataError, match=rf"quantum_knowledge.json, entry 2: .*{sentence}"):
        load_knowledge(path)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({**TRIPLE, "dimension": "formal"}, "dimension is 'formal', but the file is for 'warmth'"),
        ({**TRIPLE, "high": ""}, "high is empty"),
        ({**TRIPLE, "high": 5}, "high must be a text"),
        ({**TRIPLE, "higher": "x"}, "higher is no field of it; there are prompt, n"),
        ({**TRIPLE, "low": TRIPLE["high"]}, "low and high say the same"),
        ({**TRIPLE, "low": "x" * 9000}, "low has 9000 characters; 8000 at most"),
        ({**TRIPLE, "low": "broken \ufffd"}, "low has characters that are broken"),
        ({"prompt": "x"}, "low is missing"),
        ({k: TRIPLE[k] for k in ("low", "high", "dimension")}, "prompt and neutral are both"),
        ("text", "it must be an object"),
    ],
)
def test_a_bad_entry_is_named_by_file_number_and_field(
    tmp_path: Path, entry: object, sentence: str
) -> None:
    path = saved(tmp_path, "warmth_training.json", [TRIPLE, entry])
    with pytest.raises(DataError, match=rf"warmth_training.json, entry 2: {sentence}"):
        load_trait(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[]", r"is empty \(\[\]\); clara-train data missing fills it"),
        (b"{}", "must hold a list of examples"),
        (b"[{", "is not valid JSON: line 1, column 3"),
        (b"\xff\xfe[]", r"is not UTF-8 text \(byte 0\)"),
        (b"[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_a_file_that_is_no_list_of_examples_is_said_to_be_so(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "warmth_training.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        load_trait(path)
    assert check_path(path).faults


def test_the_split_is_the_same_for_ever() -> None:
    # Fixed: what was held out once may never be trained on.
    keys = [f"question number {number}" for number in range(40)]
    assert [n for n, key in enumerate(keys) if held_out(key)] == [5, 6, 9, 11, 27, 29, 31, 36]
    assert held_out("  QUESTION, number: 5?! ")


def test_the_split_holds_out_fifteen_percent_and_keeps_the_order() -> None:
    examples = [
        KnowledgeExample("quantum", f"question {n}", "answer", "easy") for n in range(4000)
    ]
    train, held = split(examples)
    assert 0.13 < len(held) / len(examples) < 0.17
    assert sorted(train + held, key=examples.index) == examples
    assert not {each.question for each in train} & {each.question for each in held}


def test_near_duplicates_are_found_whatever_the_order_of_words() -> None:
    def asked(text: str) -> KnowledgeExample:
        return KnowledgeExample("quantum", text, "answer", "easy")

    first = asked("What happens to a qubit when it is measured?")
    moved = asked("When it is measured, what happens to a qubit?")
    spelled = asked("What hapens to a qubit when it is measured")
    other = asked("What happens to a pair of entangled qubits when one is lost?")
    kept, left_out = without_duplicates([first, moved, spelled, other])
    assert kept == [first, other] and left_out == [(moved, first), (spelled, first)]


def test_the_same_question_after_something_else_is_no_duplicate() -> None:
    def asked(*before: str) -> KnowledgeExample:
        roles = ("system", "user", "assistant")
        turns = tuple(zip(roles, before, strict=False))
        return KnowledgeExample("quantum", "What is my name?", "It is that.", "easy", turns)

    long = "You are Clara, a robot with one arm that fetches and carries things. " * 20
    ada, bob = (asked(long, f"My name is {name}.", "Hello.") for name in ("Ada", "Bob"))
    again = asked(long, "Is my name Ada?", "Hello!")
    kept, left_out = without_duplicates([asked(), ada, bob, again])
    assert kept == [asked(), ada, bob] and left_out == [(again, ada)]
    # Nothing but a system message before it.
    under, other, same = (asked(said) for said in (long, "Be kind.", f"{long}!"))
    kept, left_out = without_duplicates([asked(), under, other, same, ada])
    assert kept == [asked(), under, other, ada] and left_out == [(same, under)]


def test_no_near_duplicate_is_lost_by_what_spares_comparisons() -> None:
    draw = random.Random(5)
    examples: list[KnowledgeExample] = []
    for example in draw.sample(starter_examples("coding", False), 60):
        assert isinstance(example, KnowledgeExample)
        for changes in range(4):
            words = example.question.split()
            for _ in range(changes):
                words[draw.randrange(len(words))] = draw.choice(["robots", "é", "7", words[0]])
            examples.append(replace(example, question=" ".join(words)))
    draw.shuffle(examples)
    texts: list[str] = []
    found = []
    for number, example in enumerate(examples):
        text = compared_text(example)
        like = process.extractOne(text, texts, scorer=fuzz.ratio, score_cutoff=SIMILAR)
        texts.append("" if like else text)
        found += [(number + 1, like[2] + 1)] if like else []
    assert 40 < len(found) < 180 and duplicate_numbers(examples) == found


@pytest.mark.parametrize(
    "text",
    [
        "Je vais chercher la tasse rouge dans la cuisine et je la pose sur la table pres de vous.",
        "Ich hole die rote Tasse aus der Kueche und stelle sie neben Ihnen auf den kleinen Tisch.",
        "Voy a traer la taza roja de la cocina y la pongo en la mesa que esta al lado de usted.",
        "Ik haal de rode kop uit de keuken en zet hem op de tafel naast je, als je wilt.",
    ],
)
def test_another_language_is_a_fault(tmp_path: Path, text: str) -> None:
    entry = {**TRIPLE, "prompt": text, "neutral": text + " Bon.", "low": text[:60], "high": text}
    report = check_file(
        saved(tmp_path, "warmth_training.json", [TRIPLE, entry]), "warmth", trait=True
    )
    assert len(report.faults) == 1 and "entry 2: it does not read as English" in report.faults[0]


def test_letters_of_another_script_are_a_fault(tmp_path: Path) -> None:
    entry = {**TRIPLE, "high": "Конечно, я принесу вам чашку."}
    report = check_path(saved(tmp_path, "warmth_training.json", [TRIPLE, entry]))
    assert "letters are not English ones" in report.faults[0] and len(report.examples) == 1


def test_an_answer_that_is_a_program_is_no_fault_of_a_domain(tmp_path: Path) -> None:
    program = (
        "class Talker(Node):\n    def __init__(self):\n" + "        self.tick = publish()\n" * 9
    )
    entry = {**PAIR, "answer": program}
    report = check_path(saved(tmp_path, "quantum_knowledge.json", [PAIR, entry]))
    assert len(report.examples) == 2 and not report.faults
    assert any("entry 2: it does not read as English" in each for each in report.warnings)


def test_an_entry_that_is_too_long_to_be_learned_from_is_a_warning(tmp_path: Path) -> None:
    entry = {**PAIR, "answer": "It is the state of a system of several parts. " * 80}
    report = check_path(saved(tmp_path, "quantum_knowledge.json", [PAIR, entry]))
    assert any("entry 2 may have 12" in each for each in report.warnings) and not report.faults


def test_conversations_are_counted_and_one_that_is_too_long_says_what_goes(tmp_path: Path) -> None:
    said = {"role": "user", "content": "It is the state of a system of several parts. " * 80}
    report = check_path(
        saved(tmp_path, "quantum_knowledge.json", [TALK, {**TALK, "messages": [said, *TURNS[2:]]}])
    )
    figures = {"several_turns": 2, "mean_exchanges": 2.0, "system": 1}
    assert not report.faults and figures.items() <= report.figures.items()
    assert any(
        each.startswith("entry 2 may have 12") and "without its earliest turns" in each
        for each in report.warnings
    )


def test_length_that_gives_the_trait_away_is_a_warning(tmp_path: Path) -> None:
    entry = {**TRIPLE, "high": TRIPLE["high"] * 4}
    report = check_path(saved(tmp_path, "warmth_training.json", [entry]))
    assert any("length gives the trait away" in each for each in report.warnings)


def test_difficulties_that_are_rare_and_duplicates_are_warnings(tmp_path: Path) -> None:
    report = check_path(saved(tmp_path, "quantum_knowledge.json", [PAIR, PAIR]))
    said = "\n".join(report.warnings)
    assert "entry 2 says almost the same as entry 1" in said
    assert "only 0 of 2 are hard" in said and "only 2 examples" in said
    assert not report.faults


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is named neither <trait>_training.json nor"):
        check_path(saved(tmp_path, "warmth.json", [TRIPLE]))
