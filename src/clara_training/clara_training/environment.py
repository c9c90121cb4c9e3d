# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Keys: where they come from, and that they are never shown.

They are read from the environment, and from a `.env` file for what the environment lacks.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from clara_training.errors import TrainingError
from clara_training.packages import load

ANTHROPIC_KEY = "ANTHROPIC_API_KEY"
WANDB_KEY = "WANDB_API_KEY"
# Other names under which people keep a key.
OTHER_NAMES = {WANDB_KEY: ("WB",)}
SECRETS = (ANTHROPIC_KEY, WANDB_KEY, "WB", "HF_TOKEN")
_SHORTEST_SECRET = 6


def load_env_file(path: Path | None = None) -> list[str]:
    """Take into the environment what a `.env` file has and the environment lacks.

    Without a path, `.env` in the current folder, where there is one. Returns the names taken.
    Raises TrainingError when the file named is not there or is not text.
    """
    file = Path(".env") if path is None else path
    if not file.is_file():
        if path is not None:
            raise TrainingError(f"environment file {path} is not there")
        return []
    dotenv = load("dotenv", f"reading {file}")
    try:
        values = dotenv.dotenv_values(file, encoding="utf-8")
    except UnicodeDecodeError:
        raise TrainingError(f"environment file {file} is not UTF-8 text; save it anew") from None
    except OSError as error:
        raise TrainingError(f"environment file {file} cannot be read: {error.strerror}") from error
    taken = []
    for name, value in values.items():
        if value and not os.environ.get(name):
            os.environ[name] = value
            taken.append(name)
    return taken


def secret(name: str) -> str | None:
    """Return a key, under whatever name it is kept, or None."""
    for each in (name, *OTHER_NAMES.get(name, ())):
        if value := os.environ.get(each, "").strip():
            return value
    return None


def without_secrets(text: str) -> str:
    """Return a text in which no key that this process knows can be read.

    For everything that others wrote and that goes into a message or a log.
    """
    for name in SECRETS:
        value = os.environ.get(name, "").strip()
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"<{name}>")
    return re.sub(r"sk-ant-[\w-]{4,}", f"<{ANTHROPIC_KEY}>", text)
