# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Names for the memory's benches: 1,203 things with their real synonyms, people and actions.

The things are the LVIS categories, read from the list that the `ultralytics` wheel on PyPI holds;
pip fetches that wheel once, and nothing of it is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

_WHEEL = "ultralytics==8.4.190"
_LIST = "ultralytics/cfg/datasets/lvis.yaml"
_FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "bench"

PEOPLE = [
    "James",
    "Mary",
    "Robert",
    "Patricia",
    "John",
    "Jennifer",
    "Michael",
    "Linda",
    "David",
    "Elizabeth",
    "William",
    "Barbara",
    "Richard",
    "Susan",
    "Joseph",
    "Jessica",
    "Thomas",
    "Sarah",
    "Charles",
    "Karen",
    "Christopher",
    "Lisa",
    "Daniel",
    "Nancy",
    "Matthew",
    "Betty",
    "Anthony",
    "Margaret",
    "Mark",
    "Sandra",
    "Donald",
    "Ashley",
    "Steven",
    "Kimberly",
    "Paul",
    "Emily",
    "Andrew",
    "Donna",
    "Joshua",
    "Michelle",
    "Kenneth",
    "Carol",
    "Kevin",
    "Amanda",
    "Brian",
    "Dorothy",
    "George",
    "Melissa",
    "Timothy",
    "Deborah",
]
ACTIONS = [
    f"{verb} {particle}"
    for verb in [
        "pick",
        "push",
        "pull",
        "turn",
        "move",
        "bring",
        "take",
        "put",
        "hold",
        "lift",
        "wipe",
        "wash",
        "fill",
        "empty",
        "open",
        "close",
        "fold",
        "stack",
        "sort",
        "scan",
    ]
    for particle in ["up", "down", "in", "out", "over", "away", "back", "on", "off", "around"]
]
RESULTS = [
    "SUCCEEDED",
    "SLIPPED",
    "BLOCKED",
    "MISSING",
    "BROKEN",
    "SPILLED",
    "JAMMED",
    "LOST",
    "STUCK",
    "CANCELED",
]


def things() -> list[list[str]]:
    """Return the names of each thing, the usual one first; no name belongs to two things."""
    wheels = list(_FOLDER.glob("ultralytics-*.whl"))
    if not wheels:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run([*pip, "--dest", str(_FOLDER), _WHEEL], check=False)
        wheels = list(_FOLDER.glob("ultralytics-*.whl"))
        if done.returncode or not wheels:
            sys.exit(f"pip could not fetch {_WHEEL}, which holds the list of LVIS categories")
    with zipfile.ZipFile(wheels[0]) as wheel:
        listed = yaml.safe_load(wheel.read(_LIST))["names"].values()
    seen: set[str] = set()
    found = []
    for written in listed:
        names = [re.sub(r"[\s_()\-]+", " ", name).strip().lower() for name in written.split("/")]
        fresh = [name for name in dict.fromkeys(names) if name and name not in seen]
        seen.update(fresh)
        if fresh and fresh[0] == names[0]:
            found.append(fresh)
    return found
