# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A run's folder with little data, and a tiny base model beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tiny
from clara_training.lora import LoraExecution, LoraSettings
from clara_training.spec import Spec

THINGS = ("cup", "kettle", "lantern", "spanner", "rope", "table", "kitchen", "task")
PLACES = ("here", "in the kitchen", "on the table", "with the long rope")


def prompts() -> list[str]:
    """32 things to say; six of them are held out."""
    return [f"Where is the {thing}, {place}?" for thing in THINGS for place in PLACES]


def world(folder: Path, *, model: Any = None, tokens: Any = None) -> tuple[Path, Spec]:
    """Make a base model, a spec with a trait and a domain, and a run with their data."""
    base = tiny.save(model or tiny.llama(), folder / "base", tokens)
    spec = Spec(
        personality={"warmth": 0.8},
        expertise={"medical": 0.7},
        base_model=str(base),
        examples_per_dimension=32,
        merge_method="task_arithmetic",
        path=folder / "clara_spec.json",
    )
    spec.path.write_text(json.dumps(spec.as_document()))
    run = folder / "run"
    (run / "data").mkdir(parents=True)
    trait = [
        {
            "prompt": prompt,
            "neutral": "It is there.",
            "low": "There.",
            "high": "Good morning! I'm glad that you're here; it is there.",
            "dimension": "warmth",
        }
        for prompt in prompts()
    ]
    knowledge = [
        {
            "question": prompt,
            "answer": "Yes, it is open from 8 to 17.",
            "difficulty": "easy",
            "domain": "medical",
        }
        for prompt in prompts()
    ]
    (run / "data" / "warmth_training.json").write_text(json.dumps(trait))
    (run / "data" / "medical_knowledge.json").write_text(json.dumps(knowledge))
    return run, spec


def settings(**changes: Any) -> LoraSettings:
    """Few steps, a checkpoint after each."""
    how = {"device": "cpu", "threads": 1, "checkpoint_seconds": 0.0, **changes.pop("how", {})}
    given: dict[str, Any] = {
        "rank": 4,
        "alpha": 8,
        "epochs": 3,
        "batch_size": 2,
        "accumulation": 2,
        "learning_rate": 0.01,
        **changes,
    }
    return LoraSettings(how=LoraExecution(**how), **given)
