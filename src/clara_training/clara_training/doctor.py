# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train doctor`: what training needs and is not there, and what to do about it.

Each check is a plain function that returns a Finding; one that breaks becomes a finding itself.
Nothing is downloaded, no server is asked, and a key is never printed.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from clara_training.environment import ANTHROPIC_KEY, WANDB_KEY, secret
from clara_training.errors import MissingPackage
from clara_training.packages import load

OLDEST_PYTHON = (3, 11)  # transformers 5 wants it
# What is needed, by what, and whether a training machine can do without.
PACKAGES = (
    ("torch", "training", True),
    ("transformers", "training", True),
    ("peft", "training", True),
    ("tokenizers", "training", True),
    ("safetensors", "training", True),
    ("numpy", "training", True),
    ("accelerate", "training", False),
    ("mergekit", "merging full models (peft merges adapters without it)", False),
    ("gguf", "export", False),
    ("llama-cpp-python", "quantising and validating what was exported", False),
    ("anthropic", "making data with Claude", False),
    ("rapidfuzz", "finding near-duplicates in data", False),
    ("matplotlib", "plots in the report", False),
    ("wandb", "metrics in W&B", False),
    ("bitsandbytes", "4-bit base models", False),
)
# TinyLlama's fp32 weights, a merge of them and the exports; the embedded base needs a tenth.
ROOM_FOR_TINYLLAMA = 25 << 30
ROOM_FOR_EMBEDDED = 4 << 30
MEMORY_FOR_TINYLLAMA = 12 << 30
MEMORY_FOR_EMBEDDED = 4 << 30


class Level(str, Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do about it (empty when all is well)."""

    name: str
    level: Level
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what JSON can hold."""
        return {**asdict(self), "level": self.level.value}


def examine(run_folder: Path) -> list[Finding]:
    """Make every check; none of them can end the others."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", python),
        *((name, _package(name, use, needed)) for name, use, needed in PACKAGES),
        ("CUDA", cuda),
        ("CPU", cpu),
        ("memory", memory),
        ("disk", lambda: disk(run_folder)),
        (ANTHROPIC_KEY, anthropic_key),
        ("W&B", wandb_mode),
    ]
    return [_guarded(name, check) for name, check in checks]


def python() -> Finding:
    """Whether the interpreter is new enough."""
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        remedy = f"use Python {'.'.join(map(str, OLDEST_PYTHON))} or later"
        return Finding("python", Level.FAULT, f"{version} is too old", remedy)
    return Finding("python", Level.OK, f"{version} at {sys.executable}")


def package(name: str, use: str, needed: bool) -> Finding:
    """Whether a Python package is installed, and which version."""
    try:
        return Finding(name, Level.OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
    remedy = f"python3 tools/set_up.py --training, or pip install {name}"
    if name == "bitsandbytes":
        remedy = "pip install bitsandbytes, if 4-bit bases are wanted"
        return Finding(name, Level.OK, f"not installed (only for {use})", remedy)
    level = Level.FAULT if needed else Level.WARNING
    return Finding(name, level, f"not installed; needed for {use}", remedy)


def cuda() -> Finding:
    """Whether there is a GPU and PyTorch can use it; the embedded base needs none."""
    try:
        torch = load("torch", "the check of CUDA")
    except MissingPackage as error:
        return Finding("CUDA", Level.WARNING, "cannot be looked at without torch", str(error))
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        listed = ", ".join(f"{card.name} ({card.total_memory / 1e9:.0f} GB)" for card in cards)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        return Finding("CUDA", Level.OK, f"{torch.version.cuda}, {bf16}: {listed}")
    built = f"torch {torch.__version__}"
    if shutil.which("nvidia-smi"):
        why = "was built without CUDA" if torch.version.cuda is None else "cannot use it"
        remedy = (
            "install a CUDA build of torch"
            if torch.version.cuda is None
            else "update the driver: nvidia-smi says what it supports"
        )
        return Finding("CUDA", Level.WARNING, f"there is an NVIDIA GPU, but {built} {why}", remedy)
    remedy = "the embedded base (--base smollm2) trains on a CPU; TinyLlama wants a GPU"
    return Finding("CUDA", Level.OK, f"no GPU; {built} runs on the CPU, in fp32", remedy)


def cpu() -> Finding:
    """How many cores this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    said = f"{usable} cores usable" + (f", OMP_NUM_THREADS={threads}" if threads else "")
    if threads and threads.isdigit() and int(threads) > (usable or 1):
        remedy = "more threads than cores stall each other: unset OMP_NUM_THREADS or lower it"
        return Finding("CPU", Level.WARNING, said, remedy)
    return Finding("CPU", Level.OK, said)


def memory() -> Finding:
    """Whether there is memory for a base model in fp32 and its gradients."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    said = f"{total / 1e9:.0f} GB, {free / 1e9:.0f} GB free"
    if total < MEMORY_FOR_EMBEDDED:
        remedy = "use a machine with 4 GB or more"
        return Finding("memory", Level.FAULT, f"{said}; too little for any base", remedy)
    if total < MEMORY_FOR_TINYLLAMA:
        remedy = "--base smollm2 fits; TinyLlama wants 12 GB"
        return Finding("memory", Level.WARNING, said, remedy)
    return Finding("memory", Level.OK, said)


def disk(folder: Path) -> Finding:
    """Whether there is room for a run, and the right to write there."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            "disk", Level.FAULT, f"{there} is not writable", "name another --run folder"
        )
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.0f} GB free at {there}"
    if free < ROOM_FOR_EMBEDDED:
        remedy = "make room: a run of the embedded base takes 4 GB"
        return Finding("disk", Level.FAULT, said, remedy)
    if free < ROOM_FOR_TINYLLAMA:
        remedy = "enough for --base smollm2; a run of TinyLlama takes 25 GB"
        return Finding("disk", Level.WARNING, said, remedy)
    return Finding("disk", Level.OK, said)


def anthropic_key() -> Finding:
    """Whether there is a key to make data with. It is never printed."""
    if not secret(ANTHROPIC_KEY):
        remedy = f"set {ANTHROPIC_KEY} (or write it into .env) to make more than the starter data"
        return Finding(ANTHROPIC_KEY, Level.OK, "not set: the starter data will be used", remedy)
    if base := os.environ.get("ANTHROPIC_BASE_URL"):
        return Finding(ANTHROPIC_KEY, Level.OK, f"is set, for {_host(base)}")
    return Finding(ANTHROPIC_KEY, Level.OK, "is set")


def wandb_mode() -> Finding:
    """Whether metrics go to W&B, and how. The key is never printed."""
    key = "key is set" if secret(WANDB_KEY) else "no key"
    mode = os.environ.get("WANDB_MODE", "").lower()
    if mode in ("offline", "disabled", "dryrun"):
        return Finding("W&B", Level.OK, f"WANDB_MODE={mode}, {key}; JSONL is always written")
    if not secret(WANDB_KEY):
        remedy = f"set {WANDB_KEY} (or WB) for online, WANDB_MODE=offline for files to sync later"
        return Finding("W&B", Level.OK, "no key: metrics go to JSONL only", remedy)
    return Finding("W&B", Level.OK, "online, key is set; JSONL is always written")


def table(findings: list[Finding]) -> Any:
    """Return the findings as a table for people."""
    from rich.table import Column, Table
    from rich.text import Text

    colours = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}
    told = (Column(header, overflow="fold") for header in ("found", "what to do"))
    drawn = Table("check", "", *told)  # folded, for a path cut short cannot be copied
    for each in findings:
        level = Text(each.level.value, colours[each.level])
        drawn.add_row(each.name, level, Text(each.detail), Text(each.remedy))
    return drawn


def _host(url: str) -> str:
    """Return what of a URL may be shown: no name and password, no query."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _package(name: str, use: str, needed: bool) -> Callable[[], Finding]:
    return lambda: package(name, use, needed)


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    # Whatever a broken installation raises, the other checks are still worth making.
    except Exception as error:
        detail = f"the check itself broke: {type(error).__name__}: {error}"
        remedy = "repair the set-up: python3 tools/set_up.py --training"
        return Finding(name, Level.FAULT, detail, remedy)
