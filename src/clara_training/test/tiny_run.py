# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A run on a tiny base model: its data, its trained adapters, its merge; made in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import tiny
from clara_training.lora import LoraExecution, LoraSettings, train_adapters
from clara_training.manifest import sha256_of, write_manifest
from clara_training.merge_config import MergeSettings
from clara_training.spec import Spec, load_spec

THINGS = (
    *("cup", "lamp", "book", "rope", "kettle", "tray", "spanner", "lantern", "chair", "table"),
    *("door", "window", "robot", "battery", "wheel", "camera", "shelf", "basket", "pencil", "map"),
    *(
        "clock",
        "towel",
        "bottle",
        "glove",
        "hammer",
        "bucket",
        "ladder",
        "candle",
        "mirror",
        "key",
    ),
)


def write_spec(folder: Path, base: Path) -> Spec:
    """A spec of one trait and one domain."""
    path = folder / "clara_spec.json"
    document = {
        "personality": {"warmth": 0.8},
        "expertise": {"coding": 0.5},
        "config": {
            "base_model": str(base),
            "examples_per_dimension": 30,
            "merge_method": "task_arithmetic",
        },
    }
    path.write_text(json.dumps(document))
    return load_spec(path)


def write_data(run: Path) -> None:
    """Thirty examples of the trait, thirty of the domain."""
    folder = run / "data"
    folder.mkdir(parents=True)
    warmth = [
        {
            "prompt": f"Where is the {thing}?",
            "neutral": f"The {thing} is on the shelf.",
            "low": f"Shelf. Look for the {thing} there.",
            "high": f"I'm so glad you ask! The {thing} is on the shelf, my dear friend.",
            "dimension": "warmth",
        }
        for thing in THINGS
    ]
    coding = [
        {
            "question": f"What does {thing}() do?",
            "answer": f"The function {thing} returns {number}.",
            "difficulty": "easy",
            "domain": "coding",
        }
        for number, thing in enumerate(THINGS)
    ]
    (folder / "warmth_training.json").write_text(json.dumps(warmth))
    (folder / "coding_knowledge.json").write_text(json.dumps(coding))


def make_run(folder: Path, *, steps: int = 40) -> tuple[Path, Spec]:
    """Make base, data, adapters and merge; return the run's folder and its spec."""
    from peft import PeftModel

    base = tiny.save(tiny.llama(), folder / "base")
    spec = write_spec(folder, base)
    run = folder / "run"
    write_data(run)
    settings = LoraSettings(
        rank=4,
        alpha=8,
        epochs=100,
        max_steps=steps,
        learning_rate=1e-2,
        patience=0,
        how=LoraExecution(device="cpu", threads=1),
    )
    train_adapters(run, spec, settings)
    model = tiny.llama()
    for name, weight in spec.weights.items():
        wrapped = PeftModel.from_pretrained(model, run / "adapters" / name)
        for layer in wrapped.modules():
            if hasattr(layer, "set_scale"):
                layer.set_scale("default", weight)
        model = wrapped.merge_and_unload()
    tiny.save(model, run / "merged")
    inputs = {f"adapter {name}": sha256_of(run / "adapters" / name) for name in spec.dimensions}
    settings_of_merge = MergeSettings("task_arithmetic").as_manifest()
    chosen = {"weights": spec.weights, **settings_of_merge}
    write_manifest(run / "merged", "merge", inputs, chosen, {})
    return run, spec
