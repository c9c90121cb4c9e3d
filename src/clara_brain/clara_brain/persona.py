# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The personality: read `clara_spec.json`, check it, and turn the sliders into a system prompt.

The prompt is short, for it goes to small models too, and depends on the sliders and two sentences
of the robot's developer. A slider near its middle says nothing. A personality file may have traits
and domains of its own, each with a sentence in `config.descriptions`, so that a misspelt name is
still a fault.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_brain.errors import SpecError

TRAITS = ("warmth", "playful", "formal", "encouragement")
DOMAINS = ("medical", "coding", "teaching", "quantum")
SLIDERS = (*TRAITS, *DOMAINS)

# How the prompt begins and ends, where the robot's developer says nothing else.
IDENTITY = "You are Clara, the voice and mind of a robot."
STYLE = "Answer briefly, in one to three sentences."

# What is said at the lowest fifth, the second, the middle, the fourth and the highest.
_MANNERS = {
    "warmth": ("cold and matter-of-fact", "reserved", "", "warm", "very warm and caring"),
    "playful": ("always serious", "serious", "", "playful", "very playful and fond of jokes"),
    "formal": ("very casual", "casual", "", "formal", "very formal and polite"),
    "encouragement": ("critical", "sparing with praise", "", "encouraging", "very encouraging"),
}
_SUBJECTS = {
    "medical": "medicine",
    "coding": "programming",
    "teaching": "teaching",
    "quantum": "quantum physics",
}
_AMOUNTS = ("no", "little", "", "much", "very much")  # of a trait that only the file knows
_KNOWS, _KNOWS_LITTLE = 0.6, 0.3
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Spec:
    """A checked personality file.

    `values` has every slider, 0 to 1, traits first; `domains` says which of them are domains;
    `config` is for training.
    """

    values: Mapping[str, float]
    config: Mapping[str, Any]
    domains: tuple[str, ...] = DOMAINS


def load_spec(path: str | Path) -> Spec:
    """Read a personality file.

    Raises SpecError with a sentence that names the file and the fault.
    """
    path = Path(path)
    document = _read(path, "personality file")
    try:
        return _spec(document)
    except SpecError as error:
        raise SpecError(f"personality file {path}: {error}") from None


def load_presets(
    path: str | Path, sliders: Collection[str] = SLIDERS
) -> dict[str, dict[str, float]]:
    """Read a file of presets: an object of names, each with some sliders and their values.

    Raises SpecError with a sentence that names the file and the fault.
    """
    path = Path(path)
    document = _read(path, "file of presets")
    if not isinstance(document, dict):
        raise SpecError(f"file of presets {path} must hold an object, not {_kind(document)}")
    presets = {}
    for name, values in document.items():
        try:
            if not isinstance(values, dict) or not name:
                raise SpecError("it must have a name and be an object of sliders")
            presets[name] = {
                slider: check_value(slider, value, sliders) for slider, value in values.items()
            }
        except SpecError as error:
            raise SpecError(f"file of presets {path}: preset {name!r}: {error}") from None
    return presets


def check_value(name: str, value: object, sliders: Collection[str] = SLIDERS) -> float:
    """Return the value of a slider as a float. Raises SpecError."""
    if name not in sliders:
        raise SpecError(f"{name!r} is not a slider; there are {', '.join(sliders)}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{name} must be a number from 0 to 1, not {value!r}")
    if not math.isfinite(value) or not 0.0 <= value <= 1.0:
        raise SpecError(f"{name} must be from 0 to 1, not {value}")
    return float(value)


def system_prompt(
    values: Mapping[str, float],
    silent: Collection[str] = (),
    domains: Collection[str] = DOMAINS,
    identity: str = IDENTITY,
    style: str = STYLE,
) -> str:
    """Say the sliders in words, but for those that something else expresses.

    `values` has every slider, 0 to 1; those in `domains` are domains, the others traits. What the
    robot is stands before them, how it shall talk behind; either may be empty.
    """
    spoken = [name for name in values if name not in silent]
    traits = [name for name in spoken if name not in domains]
    manners = [phrase for name in traits if (phrase := _manner(name, values[name]))]
    amounts = [phrase for name in traits if (phrase := _amount(name, values[name]))]
    subjects = [name for name in spoken if name in domains]
    known = [_subject(name) for name in subjects if values[name] >= _KNOWS]
    unknown = [_subject(name) for name in subjects if values[name] <= _KNOWS_LITTLE]
    sentences = [identity.strip()]
    if manners:
        sentences.append(f"You are {_list(manners)}.")
    if amounts:
        sentences.append(f"You show {_list(amounts)}.")
    if known:
        sentences.append(f"You know a lot about {_list(known)}.")
    if unknown:
        sentences.append(f"You know little about {_list(unknown)}.")
    sentences.append(style.strip())
    return " ".join(filter(None, sentences))


def _read(path: Path, kind: str) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{kind} {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{kind} {path} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{kind} {path} is not valid JSON: line {error.lineno}, column {error.colno}:"
            f" {error.msg}"
        ) from error


def _manner(name: str, value: float) -> str:
    return _fifth(_MANNERS[name], value) if name in _MANNERS else ""


def _amount(name: str, value: float) -> str:
    amount = "" if name in _MANNERS else _fifth(_AMOUNTS, value)
    return f"{amount} {_words(name)}" if amount else ""


def _subject(name: str) -> str:
    return _SUBJECTS.get(name) or _words(name)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _fifth(phrases: tuple[str, ...], value: float) -> str:
    return phrases[min(int(value * len(phrases)), len(phrases) - 1)]


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _spec(document: object) -> Spec:
    if not isinstance(document, dict):
        raise SpecError(f"it must hold an object, not {_kind(document)}")
    _only(document, ("personality", "expertise", "config"), "the file")
    config = _config(document["config"])
    own = config.get("descriptions", {})
    traits = _sliders(document["personality"], "personality", TRAITS, own)
    domains = _sliders(document["expertise"], "expertise", DOMAINS, own)
    if both := [name for name in traits if name in domains]:
        raise SpecError(f"{both[0]} is a trait and a domain")
    return Spec({**traits, **domains}, config, tuple(domains))


def _sliders(
    section: object, where: str, known: tuple[str, ...], own: Mapping[str, str]
) -> dict[str, float]:
    if not isinstance(section, dict):
        raise SpecError(f"{where} must be an object, not {_kind(section)}")
    names = (*known, *(name for name in section if name in own and name not in known))
    try:
        _only(section, names, where)
    except SpecError as error:
        hint = "; one of your own needs a sentence in config.descriptions"
        raise SpecError(f"{error}{hint if 'unknown' in str(error) else ''}") from None
    for name in names:
        if not _NAME.fullmatch(name):
            raise SpecError(
                f"{where}.{name}: a name has small letters, digits and _, 32 at most, and begins"
                " with a letter"
            )
    try:
        return {name: check_value(name, section[name], names) for name in names}
    except SpecError as error:
        raise SpecError(f"{where}.{error}") from None


def _config(section: object) -> dict[str, Any]:
    if not isinstance(section, dict):
        raise SpecError(f"config must be an object, not {_kind(section)}")
    for name in ("base_model", "merge_method"):
        if not isinstance(section.get(name), str) or not section[name]:
            raise SpecError(f"config.{name} must be a text, not {section.get(name)!r}")
    count = section.get("examples_per_dimension")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SpecError(
            f"config.examples_per_dimension must be a whole number from 1, not {count!r}"
        )
    own = section.get("descriptions", {})
    if not isinstance(own, dict) or not all(isinstance(text, str) for text in own.values()):
        raise SpecError("config.descriptions must be an object of sentences")
    return dict(section)


def _only(section: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    unknown = [name for name in section if name not in names]
    if unknown:
        raise SpecError(
            f"{where} has the unknown key {unknown[0]!r}; it may have {', '.join(names)}"
        )
    missing = [name for name in names if name not in section]
    if missing:
        raise SpecError(f"{where} lacks {', '.join(missing)}")


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
