# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What other tools train on becomes examples; what has no place there is refused, or counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clara_training.data_import import ImportSettings, foreign_examples
from clara_training.errors import DataError
from clara_training.examples import KnowledgeExample, TraitExample

Q, A = "Why is it so?", "Because."
USER, REPLY = {"role": "user", "content": Q}, {"role": "assistant", "content": A}
SYSTEM = {"role": "system", "content": "Be kind."}
HUMAN, GPT = {"from": "human", "value": Q}, {"from": "gpt", "value": A}
MORE = [USER, REPLY, {"role": "user", "content": "Why?"}, REPLY]


def read(path: Path, dimension: str = "medical", **settings: Any) -> tuple[list[Any], dict]:
    trait = dimension == "warmth"
    examples, left_out = foreign_examples(path, dimension, trait, ImportSettings(**settings))
    return list(examples), dict(left_out)


def lines(folder: Path, *entries: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in entries))
    return path


@pytest.mark.parametrize(
    "entry",
    [
        {"instruction": Q, "input": "", "output": A},
        {"instruction": "Why is it", "context": "so?", "response": A},
        {"prompt": Q, "completion": A},
        {"prompt": [USER], "completion": [REPLY], "label": True},
        {"id": 7, "question": Q, "answer": A, "difficulty": "medium", "domain": "medical"},
        {"input": Q, "output": A, "history": [], "system": None},
        {"messages": [USER, REPLY]},
        {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": A}]}]},
        {"conversations": [HUMAN, GPT]},
        [USER, REPLY],
    ],
)
def test_a_question_and_its_answer_are_read_whichever_tool_they_are_of(
    tmp_path: Path, entry: object
) -> None:
    path = lines(tmp_path, entry)
    ((example,), left_out) = read(path)
    assert "".join(example.question.split()) == "Whyisitso?" and example.answer == A
    assert example.difficulty == "medium" and left_out == {}
    path.write_text(f"[{json.dumps(entry)},\n{json.dumps(entry)}]")
    assert read(path) == ([example] * 2, {})


def test_a_table_is_read_by_its_header(tmp_path: Path) -> None:
    wanted = [KnowledgeExample("medical", 'Why, "so"?\nWhy?', A, "hard")]
    for mark, name in ((",", "own.csv"), (";", "own.csv"), ("\t", "own.csv"), ("\t", "own.tsv")):
        path = tmp_path / name
        row = mark.join(('"Why, ""so""?\nWhy?"', A, "hard"))
        path.write_text(f"\ufeffquestion{mark}answer{mark}difficulty\n{row}\n\n")
        assert read(path) == (wanted, {})
    path = tmp_path / "own.csv"
    path.write_text('question,answer\n"a\nb",c\nWhy?\n')
    with pytest.raises(DataError, match=r"own.csv, line 4: it has 1 cells for 2 columns"):
        read(path)
    path.write_text("question,\nWhy?,Because.\n")
    with pytest.raises(DataError, match="must begin with a line of the names of its columns"):
        read(path)


def test_a_system_message_goes_where_it_is_told_to_and_is_never_lost_unasked(
    tmp_path: Path,
) -> None:
    path = lines(
        tmp_path,
        {"messages": [SYSTEM, USER, REPLY]},
        {"system": "Be kind.", "conversations": [HUMAN, GPT]},
        {"prompt": [SYSTEM, USER], "completion": [REPLY]},
        [USER, REPLY],
    )
    under = ((("system", "Be kind."),),) * 3
    assert [each.before for each in read(path)[0]] == [*under, ()]
    examples, left_out = read(path, omit=("system",))
    assert {each.question for each in examples} == {Q} and left_out == {"system": 3}
    examples, left_out = read(path, system_in_question=True)
    assert [each.question for each in examples] == [f"Be kind.\n\n{Q}"] * 3 + [Q]
    assert left_out == {} and not any(each.before for each in examples)
    path = lines(
        tmp_path,
        {"system": "Be brief.", "messages": [SYSTEM, USER, REPLY]},
        {"system": "Be kind.", "messages": [SYSTEM, USER, REPLY]},
        {"messages": [{**SYSTEM, "content": " "}, USER, REPLY]},
    )
    together, once, none = (each.before for each in read(path)[0])
    assert together == (("system", "Be brief.\n\nBe kind."),)
    assert once == (("system", "Be kind."),) and none == ()
    path = lines(tmp_path, [USER, REPLY, SYSTEM, *MORE[2:]])
    with pytest.raises(DataError) as error:
        read(path)
    said = "line 1: message 3 is a system message, which only the first can be; --leave-out system"
    assert said in str(error.value) and "--system-in-question puts each before" in str(error.value)
    assert read(path, omit=("system",))[0] == [
        KnowledgeExample("medical", "Why?", A, "medium", BEFORE)
    ]
    assert read(path, system_in_question=True)[0][0].question == "Be kind.\n\nWhy?"
    path = lines(tmp_path, [USER, SYSTEM, REPLY])  # no question follows
    assert read(path, system_in_question=True)[0][0].question == f"Be kind.\n\n{Q}"


BEFORE = (("user", Q), ("assistant", A))


@pytest.mark.parametrize(
    "entry",
    [
        {"messages": MORE},
        {"conversations": [HUMAN, GPT, {"from": "human", "value": "Why?"}, GPT]},
        {"prompt": MORE[:3], "completion": [REPLY]},
        {"prompt": [USER], "completion": MORE[1:]},
        {"instruction": "Why?", "input": "", "output": A, "history": [[Q, A]]},
        MORE,
    ],
)
def test_a_whole_conversation_comes_in_whichever_tool_it_is_of(
    tmp_path: Path, entry: object
) -> None:
    whole = KnowledgeExample("medical", "Why?", A, "medium", BEFORE)
    path = lines(tmp_path, entry, [USER, REPLY])
    assert read(path) == ([whole, KnowledgeExample("medical", Q, A, "medium")], {})


def test_of_several_turns_the_first_two_are_taken_when_that_is_asked_for(tmp_path: Path) -> None:
    path = lines(tmp_path, {"messages": [SYSTEM, *MORE]}, [USER, REPLY])
    examples, left_out = read(path, omit=("later-turns", "system"))
    assert examples == [KnowledgeExample("medical", Q, A, "medium")] * 2
    assert left_out == {"later-turns": 1, "system": 1}
    under, plain = read(path, omit=("later-turns",))[0]
    assert under == replace(plain, before=(("system", "Be kind."),))


def test_a_question_that_nothing_answers_is_left_out_when_that_is_asked_for(
    tmp_path: Path,
) -> None:
    path = lines(tmp_path, MORE[:3], [*MORE, USER])
    with pytest.raises(DataError, match=r"ends with a message of the user, .*--leave-out unans"):
        read(path)
    examples, left_out = read(path, omit=("unanswered",))
    assert [each.before for each in examples] == [(), BEFORE] and left_out == {"unanswered": 2}
    path = lines(tmp_path, [*MORE, USER, USER])  # two that nothing answers
    with pytest.raises(DataError, match=r"ends with a message of the user, .*later-turns takes"):
        read(path, omit=("unanswered",))


def test_a_pair_of_replies_may_be_to_a_conversation(tmp_path: Path) -> None:
    warm = {**REPLY, "content": "Dear, because!"}
    wanted = TraitExample("warmth", "Why?", "", A, "Dear, because!", BEFORE)
    under = (("system", "Be kind."), *BEFORE)
    for prompt, before in ((MORE[:3], BEFORE), ([SYSTEM, *MORE[:3]], under)):
        for pair in (
            {"prompt": prompt, "chosen": [warm], "rejected": [REPLY]},
            {"prompt": prompt, "chosen": [*MORE[:3], warm], "rejected": [*prompt, REPLY]},
            {"chosen": [*prompt, warm], "rejected": [*prompt, REPLY]},
            {"messages": prompt, "low": A, "high": "Dear, because!"},
        ):
            (example,) = read(lines(tmp_path, pair), "warmth")[0]
            assert example == replace(wanted, before=before)
    unlike = {"chosen": [*MORE[:3], warm], "rejected": [USER, warm, MORE[2], REPLY]}
    with pytest.raises(DataError, match="do not answer the same question"):
        read(lines(tmp_path, unlike), "warmth")
    same = {"chosen": [*MORE[:3], warm], "rejected": MORE}
    with pytest.raises(DataError, match="chosen and rejected say the same in their first reply"):
        read(lines(tmp_path, same), "warmth", omit=("later-turns",))
    other = [{**SYSTEM, "content": "Be brief."}, *MORE]
    with pytest.raises(DataError, match="completion does not begin with prompt"):
        read(lines(tmp_path, {"prompt": [SYSTEM, USER], "completion": other}))
    (example,) = read(lines(tmp_path, unlike | {"rejected": MORE}), "warmth", omit=("score",))[0]
    assert example == wanted


@pytest.mark.parametrize(
    "entry",
    [
        {"prompt": Q, "chosen": "Dear, because!", "rejected": A},
        {
            "prompt": [USER],
            "chosen": [{**REPLY, "content": "Dear, because!"}],
            "rejected": [REPLY],
        },
        {
            "prompt": Q,
            "chosen": [USER, {**REPLY, "content": "Dear, because!"}],
            "rejected": [USER, REPLY],
        },
        {"chosen": [USER, {**REPLY, "content": "Dear, because!"}], "rejected": [USER, REPLY]},
        {"prompt": Q, "low": A, "high": "Dear, because!", "dimension": "warmth"},
    ],
)
def test_a_pair_of_replies_is_much_and_little_of_a_trait(tmp_path: Path, entry: object) -> None:
    wanted = TraitExample("warmth", prompt=Q, neutral="", low=A, high="Dear, because!")
    assert read(lines(tmp_path, entry), "warmth") == ([wanted], {})


PAIR = {"prompt": Q, "chosen": "Dear, because!", "rejected": A}


@pytest.mark.parametrize(
    ("dimension", "entry", "sentence"),
    [
        ("medical", {"question": "Why?"}, "it has question, and must have a question and its"),
        ("medical", {"question": Q, "answer": ""}, "answer is empty"),
        ("medical", {"prompt": Q, "question": Q, "answer": A}, "it has prompt, question, answer,"),
        ("medical", {"text": Q}, "it has text, and must have"),
        ("medical", "Why?", "it must be an object, or a list of messages"),
        ("medical", {"messages": "Why?", "x": 1}, "it has x, .*; --leave-out x goes on"),
        ("medical", {"prompt": Q, "completion": A, "label": False}, "its label is false"),
        ("medical", {"prompt": Q, "completion": A, "label": "false"}, "it has label, for which"),
        ("medical", {"prompt": Q, "completion": A, "score": 0}, "it has score, for which"),
        ("medical", {"prompt": {"text": Q}, "completion": A}, "prompt must be a text or"),
        ("medical", {"prompt": [USER], "input": Q, "completion": A}, "must be texts"),
        ("medical", {"messages": [SYSTEM]}, "ends with a message of the system, where"),
        (
            "medical",
            {"messages": [REPLY, USER]},
            "message 1 is the assistant's, and there is none",
        ),
        ("medical", [USER, {"role": "tool", "content": A}], "message 2 is of tool, where"),
        ("medical", [USER, {**REPLY, "tool_calls": [1]}], "message 2 has tool_calls, for which"),
        (
            "medical",
            [{**USER, "content": [{"type": "image"}]}, REPLY],
            "message 1 is not all text",
        ),
        (
            "medical",
            [*MORE, USER, USER],
            "message 6 is the user's, and there is none of the assis",
        ),
        ("medical", [*MORE[:2], REPLY], "take turns, .*; --leave-out later-turns takes the first"),
        ("medical", [*MORE[:3], {**REPLY, "content": " "}], "the content of message 4 is empty"),
        ("medical", {"prompt": Q, "output": A, "history": "none"}, "history must be a list of"),
        ("medical", {"prompt": Q, "output": A, "history": [[Q]]}, "history must be a list of"),
        ("medical", {"prompt": Q, "output": A, "history": [[Q, 5]]}, "history must be a list of"),
        ("medical", {"messages": []}, "the conversation is empty, where one of the assistant"),
        ("medical", {"question": Q, "answer": A, "domain": "coding"}, "its domain is 'coding'"),
        ("medical", PAIR, "a pair of replies is for a trait; --leave-out rejected takes chosen"),
        ("warmth", {"prompt": Q, "completion": A}, "it has prompt, completion, and a trait must"),
        ("warmth", {**PAIR, "rejected": PAIR["chosen"]}, "chosen and rejected say the same"),
        ("warmth", {**PAIR, "chosen": MORE[2:]}, "chosen does not begin with prompt"),
        ("warmth", {"chosen": MORE[:2], "rejected": MORE[2:]}, "do not answer the same question"),
        ("warmth", {**PAIR, "score": 3}, "it has score, for which an example has no place"),
        ("warmth", {"low": A, "high": "Dear!"}, "prompt and neutral are both missing"),
    ],
)
def test_what_is_no_example_is_named_by_its_line_and_can_be_skipped(
    tmp_path: Path, dimension: str, entry: object, sentence: str
) -> None:
    good: object = PAIR if dimension == "warmth" else [USER, REPLY]
    path = lines(tmp_path, good, entry, good)
    with pytest.raises(DataError, match=rf"own.jsonl, line 2: .*{sentence}"):
        read(path, dimension)
    examples, left_out = read(path, dimension, skip_bad=True)
    assert len(examples) == 2 and left_out == {"bad entries": 1}
    path.write_text(json.dumps([good, entry], indent=1))  # a list over many lines has them too
    begins = path.read_text().splitlines()
    depth_one = [at for at, line in enumerate(begins, 1) if line[:2] in (" {", " [", ' "')]
    with pytest.raises(DataError, match=rf"own.jsonl, line {depth_one[1]}: .*{sentence}"):
        read(path, dimension)


def test_fields_are_left_out_by_name_and_counted(tmp_path: Path) -> None:
    path = lines(tmp_path, {**PAIR, "score": 3}, {**PAIR, "score": None}, {**PAIR, "source": "x"})
    with pytest.raises(DataError, match=r"^3 of 3 entries cannot be examples:\n"):
        read(path)
    examples, left_out = read(path, omit=("rejected", "score", "source"))
    assert {each.answer for each in examples} == {"Dear, because!"}
    assert left_out == {"rejected": 3, "score": 1, "source": 1}


def test_a_file_that_is_of_none_of_the_forms_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('[\n{"question": "Why?"\n]')
    with pytest.raises(
        DataError, match=r"neither a JSON list \(.*\) nor JSON on each line \(line 1"
    ):
        read(path)
    path.write_text(f"{json.dumps([USER, REPLY])}\n{{")
    with pytest.raises(DataError, match=r"own.jsonl, line 2: it is not valid JSON"):
        read(path)
    with pytest.raises(DataError, match=r"is Parquet, .* pandas.read_parquet\('own.parquet'\)"):
        read(Path("own.parquet"))
