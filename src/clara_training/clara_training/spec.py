# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara_spec.json`: the personality, the expertise, and how they are to be trained.

The four traits and four domains of the research format are known by name; a spec may have others,
each with a sentence in `config.descriptions` that says what it means, for data to be made by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clara_training.errors import SpecError

TRAITS = {
    "warmth": "how much care, kindness and feeling the reply shows for the person",
    "playful": "how much humour, wordplay and lightness the reply has",
    "formal": "how formal, polite and ceremonious the wording is",
    "encouragement": "how much the reply praises effort and gives courage to go on",
}
DOMAINS = {
    "medical": "health and medicine at the level of a careful first-aider or nurse",
    "coding": "programming, software engineering and robot software",
    "teaching": "how people learn, how to explain, motivate and assess",
    "quantum": "quantum physics and quantum computing",
}
MERGE_METHODS = (
    *("linear", "ties", "dare", "dare_ties", "dare_linear"),
    *("slerp", "multislerp", "task_arithmetic"),
)
MOST_EXAMPLES = 100_000
_SECTIONS = ("personality", "expertise", "config")
_CONFIG_KEYS = ("base_model", "examples_per_dimension", "merge_method", "descriptions")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Spec:
    """A checked spec. Weights are strengths from 0 to 1, in the order of the file."""

    personality: dict[str, float]
    expertise: dict[str, float]
    base_model: str
    examples_per_dimension: int
    merge_method: str
    path: Path
    descriptions: dict[str, str] = field(default_factory=dict)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Return all names: traits, then domains."""
        return (*self.personality, *self.expertise)

    @property
    def weights(self) -> dict[str, float]:
        """Return the strength of every dimension."""
        return {**self.personality, **self.expertise}

    def is_trait(self, name: str) -> bool:
        """Tell whether a dimension is a trait (or else a domain). Raises SpecError."""
        self.require(name)
        return name in self.personality

    def require(self, name: str) -> None:
        """Raise SpecError unless the spec has this dimension."""
        if name not in self.dimensions:
            raise SpecError(
                f"{name!r} is no dimension of {self.path}; it has {', '.join(self.dimensions)}"
            )

    def description(self, name: str) -> str:
        """Return what a dimension means, for people and for making data. Raises SpecError."""
        self.require(name)
        known = self.descriptions.get(name) or {**TRAITS, **DOMAINS}.get(name)
        if not known:
            raise SpecError(
                f"{self.path} does not say what {name!r} means: add a sentence as "
                f"config.descriptions.{name}"
            )
        return known

    def as_document(self) -> dict[str, Any]:
        """Return what the file would hold."""
        config: dict[str, Any] = {
            "base_model": self.base_model,
            "examples_per_dimension": self.examples_per_dimension,
            "merge_method": self.merge_method,
        }
        if self.descriptions:
            config["descriptions"] = dict(self.descriptions)
        return {
            "personality": dict(self.personality),
            "expertise": dict(self.expertise),
            "config": config,
        }


def load_spec(path: str | Path) -> Spec:
    """Read a spec.

    Raises SpecError with a sentence that names the file, the place in it and the fault.
    """
    path = Path(path)
    document = _read(path)
    try:
        return _spec(document, path)
    except SpecError as error:
        raise SpecError(f"spec {path}: {error}") from None


def default_spec() -> Spec:
    """Return the spec of the research format, as Clara ships it."""
    return Spec(
        personality={"warmth": 0.8, "playful": 0.7, "formal": 0.3, "encouragement": 0.9},
        expertise={"medical": 0.7, "coding": 0.8, "teaching": 0.9, "quantum": 0.8},
        base_model="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        examples_per_dimension=2000,
        merge_method="ties",
        path=Path("clara_spec.json"),
    )


def _read(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(
            f"spec {path} is not there; clara-train spec --write {path} makes one"
        ) from None
    except OSError as error:
        raise SpecError(f"spec {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"spec {path} is not UTF-8 text (byte {error.start})") from None
    try:
        return json.loads(text, object_pairs_hook=_object_without_repeats)
    except SpecError as error:
        raise SpecError(f"spec {path}: {error}") from None
    except json.JSONDecodeError as error:
        raise SpecError(
            f"spec {path} is not valid JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        ) from None
    except ValueError:  # Python reads no number of more than some thousand digits
        raise SpecError(f"spec {path} has a number that is too long to be one of a spec") from None
    except RecursionError:
        raise SpecError(f"spec {path} is nested too deeply to be a spec") from None


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise SpecError(f"the key {key!r} is there twice; leave one of them out")
    return dict(pairs)


def _spec(document: object, path: Path) -> Spec:
    if not isinstance(document, dict):
        raise SpecError(f"it must hold an object, not {_kind(document)}")
    _only(document, _SECTIONS, "the file")
    for section in _SECTIONS:
        if section not in document:
            raise SpecError(f"the file lacks {section!r}")
        if not isinstance(document[section], dict):
            raise SpecError(f"{section} must be an object, not {_kind(document[section])}")
    personality = _strengths(document["personality"], "personality")
    expertise = _strengths(document["expertise"], "expertise")
    both = [name for name in personality if name in expertise]
    if both:
        raise SpecError(f"{both[0]!r} is both in personality and in expertise; name one otherwise")
    if not personality and not expertise:
        raise SpecError("personality and expertise are both empty: there is nothing to train")
    config = document["config"]
    _only(config, _CONFIG_KEYS, "config")
    return Spec(
        personality=personality,
        expertise=expertise,
        base_model=_text(config, "base_model"),
        examples_per_dimension=_count(config),
        merge_method=_merge_method(config),
        path=path,
        descriptions=_descriptions(config, (*personality, *expertise)),
    )


def _strengths(section: Mapping[str, object], where: str) -> dict[str, float]:
    strengths = {}
    for name, value in section.items():
        if not _NAME.fullmatch(name):
            raise SpecError(
                f"{where}.{name} is no name for a dimension: it must begin with a small letter "
                "and have only small letters, digits and underscores, 32 at most"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{where}.{name} must be a number from 0 to 1, not {_kind(value)}")
        if not 0.0 <= value <= 1.0:
            raise SpecError(f"{where}.{name} must be from 0 to 1, not {value}")
        strengths[name] = float(value)
    return strengths


def _text(config: Mapping[str, object], name: str) -> str:
    value = config.get(name)
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"config.{name} must be a text, not {_shown(config, name)}")
    return value.strip()


def _count(config: Mapping[str, object]) -> int:
    name = "examples_per_dimension"
    value = config.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_EXAMPLES:
        raise SpecError(
            f"config.{name} must be a whole number from 1 to {MOST_EXAMPLES}, "
            f"not {_shown(config, name)}"
        )
    return value


def _merge_method(config: Mapping[str, object]) -> str:
    value = _text(config, "merge_method")
    if value not in MERGE_METHODS:
        raise SpecError(
            f"config.merge_method {value!r} is not known; there are {', '.join(MERGE_METHODS)}"
        )
    return value


def _descriptions(config: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    section = config.get("descriptions", {})
    if not isinstance(section, dict):
        raise SpecError(f"config.descriptions must be an object, not {_kind(section)}")
    for name, text in section.items():
        if name not in names:
            raise SpecError(f"config.descriptions.{name} describes no dimension of this spec")
        if not isinstance(text, str) or not text.strip():
            raise SpecError(f"config.descriptions.{name} must be a text, not {_kind(text)}")
    return dict(section)


def _only(section: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    for name in section:
        if name not in names:
            raise SpecError(
                f"{where} has the unknown key {name!r}; it may have {', '.join(names)}"
            )


def _shown(config: Mapping[str, object], name: str) -> str:
    return repr(config[name]) if name in config else "left out"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {list: "a list", str: "a text", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")
