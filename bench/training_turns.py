#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whole conversations against first turns alone: what each teaches of a second answer.

In each conversation a person says at first who they are and which cup is theirs, and then asks
for one of them: the second answer cannot be known from the second question. The file is imported
as it is and with `--leave-out later-turns`, an adapter of SmolLM2-135M is trained on each for as
many steps, and second answers of people that were held out are judged, after the whole
conversation: nats a token, and how often the right cup is the likeliest of all.

Beside it: how long the tokens and masks of 1,000 conversations of 20 turns take, and how long they
would by the definition, which renders the beginning of a conversation anew for each reply.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from clara_training.base import Base, find_base, load_model, load_tokenizer
from clara_training.chat_encoding import encode
from clara_training.chat_turns import encode_turns, one_by_one
from clara_training.data_import import ImportSettings, import_examples
from clara_training.data_import_forms import LATER_TURNS
from clara_training.examples import Example, KnowledgeExample, split
from clara_training.lora import LoraExecution, LoraSettings, load_examples, train_adapters
from clara_training.machine import use_threads
from clara_training.packing import Layout, token_losses
from clara_training.spec import Spec
from clara_training.turns import ASSISTANT, USER, as_messages
from peft import PeftModel
from report import report

DOMAIN = "people"
NAMES = (
    *("Ada", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Irene", "Jonas"),
    *("Kofi", "Lena", "Marta", "Nils", "Olga", "Paul"),
)
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey")
QUESTIONS = {
    "Which cup is mine?": "The {colour} one is yours, {name}.",
    "Please bring me my cup.": "I will bring you the {colour} one, {name}.",
    "Do you remember me?": "You are {name}, and your cup is {colour}.",
}
TURNS, CONVERSATIONS = 20, 1000  # whose encoding is timed
WAYS = {"first turns only": (LATER_TURNS,), "whole conversations": ()}


def conversation(name: str, colour: str, question: str, answer: str) -> dict[str, Any]:
    """Return an entry as OpenAI's fine-tuning and TRL have it."""
    turns = (
        (USER, f"Hello, I am {name}, and the {colour} cup is mine."),
        (ASSISTANT, f"Hello {name}, I will keep that in mind."),
        (USER, question),
        (ASSISTANT, answer.format(name=name, colour=colour)),
    )
    return {"messages": as_messages(turns)}


def conversations(count: int) -> list[dict[str, Any]]:
    """Return conversations of people of whom no two have the same name and cup."""
    draw = random.Random(0)
    people = draw.sample([*itertools.product(NAMES, COLOURS)], count)
    return [conversation(*person, *draw.choice([*QUESTIONS.items()])) for person in people]


def spec_of(base: str) -> Spec:
    """Return a spec with nothing but the domain."""
    return Spec(
        personality={},
        expertise={DOMAIN: 1.0},
        base_model=base,
        examples_per_dimension=1,
        merge_method="linear",
        path=Path("clara_spec.json"),
    )


def judged(model: Any, tokenizer: Any, asked: Sequence[KnowledgeExample]) -> dict[str, float]:
    """Return the loss of second answers, and how often the right cup is the likeliest."""
    nats, tokens, right = 0.0, 0, 0
    for example in asked:
        own = next(colour for colour in COLOURS if f" {colour}" in example.answer)
        answers = [example.answer.replace(f" {own}", f" {colour}") for colour in COLOURS]
        encoded = [
            encode(tokenizer, example.question, each, before=example.before) for each in answers
        ]
        with torch.inference_mode():
            sums = token_losses(model, encoded, Layout.PADDED, "cpu").sums(len(encoded)).tolist()
        at = COLOURS.index(own)
        nats, tokens = nats + sums[at], tokens + encoded[at].reply_tokens
        right += sums[at] == min(sums)
    return {"nats_a_token": nats / tokens, "right_cup": right / len(asked)}


def trained(
    folder: Path, base: Base, file: Path, omit: Sequence[str], settings: LoraSettings
) -> tuple[Path, list[Example]]:
    """Import the file, train on it, and return the adapter and the examples."""
    spec = spec_of(base.name)
    import_examples(spec, folder, file, DOMAIN, ImportSettings(omit=omit))
    (adapter,) = train_adapters(folder, spec, settings)
    return adapter.folder, load_examples(folder, spec, DOMAIN)[0]


def encoding_seconds(tokenizer: Any, by_definition: int = 100) -> dict[str, float]:
    """Time the tokens and masks of long conversations."""
    talks = [
        [
            (ASSISTANT, f"It is on the table by the window, where you left it at {at}.")
            if at % 2
            else (USER, f"Where is the cup that I had this morning, number {at} of {number}?")
            for at in range(TURNS)
        ]
        for number in range(CONVERSATIONS)
    ]
    start = time.perf_counter()
    found = [encode_turns(tokenizer, talk) for talk in talks]
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    defined = [one_by_one(tokenizer, talk) for talk in talks[:by_definition]]
    slow = (time.perf_counter() - start) * CONVERSATIONS / by_definition
    assert found[:by_definition] == defined
    return {"seconds": seconds, "seconds_by_definition": slow, "tokens": len(found[0][0])}


def main() -> None:
    """Train both ways, judge and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--conversations", type=int, default=120)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="smollm2")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    use_threads(options.threads)
    base = find_base(options.base)
    tokenizer = load_tokenizer(base)
    encoding = encoding_seconds(tokenizer)
    settings = LoraSettings(
        epochs=options.steps,
        max_steps=options.steps,
        patience=0,
        how=LoraExecution(device="cpu", threads=options.threads),
    )
    figures: dict[str, Any] = {"steps": options.steps, "encoding": encoding}
    rows: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "people.jsonl")
        talks = conversations(options.conversations)
        file.write_text("".join(f"{json.dumps(talk)}\n" for talk in talks))
        adapters = {}
        for way, omit in WAYS.items():
            folder = Path(place, way)
            adapters[way], examples = trained(folder, base, file, omit, settings)
        held = split(examples)[1]
        asked = [each for each in held if isinstance(each, KnowledgeExample)]
        figures["held_out"] = len(asked)
        figures["learned"] = len(examples) - len(held)
        model = load_model(base, "cpu").eval()
        figures["base"] = judged(model, tokenizer, asked)
        for way, adapter in adapters.items():
            adapted = PeftModel.from_pretrained(model, adapter).eval()
            figures[way] = judged(adapted, tokenizer, asked)
            model = adapted.unload()
    for way in ("base", *WAYS):
        found = figures[way]
        rows[way] = (
            f"{found['nats_a_token']:.3f} nats a token, the right cup {found['right_cup']:.0%}"
        )
    rows[f"{CONVERSATIONS} conversations of {TURNS} turns, encoded"] = (
        f"{encoding['seconds']:.1f} s; by definition {encoding['seconds_by_definition']:.1f} s"
    )
    report("training_turns", f"Second answers of {len(asked)} people held out", rows, figures)


if __name__ == "__main__":
    main()
