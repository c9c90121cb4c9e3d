# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The starter data: examples written for Clara that ship with her, for runs without a key."""

from __future__ import annotations

from pathlib import Path

from clara_training.examples import (
    Example,
    file_name,
    load_knowledge,
    load_trait,
)
from clara_training.spec import DOMAINS, TRAITS, Spec

FOLDER = Path(__file__).parent / "starter"


def starter_names() -> list[str]:
    """Return the dimensions that there is starter data for: traits, then domains."""
    wanted = [*((name, True) for name in TRAITS), *((name, False) for name in DOMAINS)]
    return [name for name, trait in wanted if (FOLDER / file_name(name, trait)).is_file()]


def starter_examples(dimension: str, trait: bool) -> list[Example]:
    """Return the starter data of a dimension; none for a dimension that Clara does not know."""
    path = FOLDER / file_name(dimension, trait)
    if not path.is_file():
        return []
    return [*(load_trait(path) if trait else load_knowledge(path))]


def no_starter(spec: Spec, name: str) -> str:
    """Return the sentence that says what to do for a dimension without starter data."""
    return (
        f"there is no starter data for {name!r} (there is for {', '.join(starter_names())}): set "
        "ANTHROPIC_API_KEY and run clara-train data generate, or write "
        f"{file_name(name, spec.is_trait(name))} into the run's data folder"
    )
