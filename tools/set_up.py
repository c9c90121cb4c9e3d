#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Prepare this machine to build and run Clara; `make setup` runs it.

It makes `.venv` and fills it: ROS 2 from PyPI where none is sourced (Jazzy, or what
CLARA_ROS_DISTRO names), llama.cpp, the model, the build tools. Each step leaves a stamp with the
hash of what it was made from, so that a second run does nothing, an interrupted one goes on where
it stopped, and a changed version repeats the steps it concerns. Only the standard library: this
runs before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "clara"
_RECORD = "clara/ros.json"  # in a venv: the ROS 2 that it was made for
LOG = ROOT / "log" / "set_up.log"
CONSTRAINTS = ROOT / "constraints.txt"
TRAINING_PYTHON = (3, 11)  # transformers wants it
TESTED_DISTROS = ("jazzy", "kilted", "lyrical")
WHEEL_DISTROS = ("jazzy", "kilted")  # those that PyPI has
BUILT = re.compile(r"__pycache__|build|.*\.egg-info|\..*")
PIP_INSTALL: list[str | Path] = [
    *(PYTHON, "-m", "pip", "install"),
    *("--disable-pip-version-check", "--progress-bar", "off"),
]
LIST_DISTRIBUTIONS = """
import sys
from importlib.metadata import distributions
for found in distributions():
    if sys.prefix not in map(str, found.locate_file("").parents):
        print(f"{found.metadata['Name']}=={found.version}")
"""


class SetupError(Exception):
    """Set-up cannot go on; the message says what was wrong and what to do."""


@dataclass(frozen=True)
class Ros:
    """The ROS 2 to build on: one that is sourced, or the wheels (`prefix` is None)."""

    distro: str
    prefix: Path | None

    def __str__(self) -> str:
        if self.prefix:
            return f"ROS 2 {self.distro} at {self.prefix}"
        return f"ROS 2 {self.distro.capitalize()} from PyPI"

    @property
    def mode(self) -> str:
        """What goes into the stamps: a venv for one ROS 2 or Python is of no use to another."""
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"{self.distro} {self.prefix or 'wheels'} python {python}"


def sourced_ros(environ: dict[str, str]) -> Ros | None:
    """Return the ROS 2 that is sourced in `environ`.

    Prefixes of this workspace are left out, and the venvs of other checkouts of it.
    """
    for entry in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        prefix = Path(entry)
        if not entry or ROOT in prefix.resolve().parents or (prefix / _RECORD).is_file():
            continue
        if (prefix / "share" / "rclpy" / "package.xml").is_file():
            return Ros(environ.get("ROS_DISTRO", "unknown"), prefix)
    return None


def recorded_ros() -> Ros | None:
    """Return the ROS 2 that the venv was made for; None when a sourced one is gone since."""
    try:
        recorded = json.loads((VENV / _RECORD).read_text())
    except (OSError, ValueError):
        return None
    if not recorded["prefix"]:
        return Ros(recorded["distro"], None)
    prefix = Path(recorded["prefix"])
    if (prefix / "share" / "rclpy" / "package.xml").is_file():
        return Ros(recorded["distro"], prefix)
    return None


def chosen_ros(environ: dict[str, str]) -> Ros:
    """Return the ROS 2 to build on: the one sourced or asked for, or that of last time, or Jazzy.

    Raises:
        SetupError: CLARA_ROS_DISTRO names none that PyPI has, or another one is sourced.
    """
    sourced = sourced_ros(environ)
    asked = environ.get("CLARA_ROS_DISTRO", "")
    if not asked:
        return sourced or recorded_ros() or Ros("jazzy", None)
    if sourced and sourced.distro != asked:
        raise SetupError(
            f"CLARA_ROS_DISTRO is '{asked}', but ROS 2 '{sourced.distro}' is sourced from "
            f"{sourced.prefix}: unset one of them"
        )
    if not sourced and asked not in WHEEL_DISTROS:
        raise SetupError(
            f"CLARA_ROS_DISTRO is '{asked}': PyPI has {' and '.join(WHEEL_DISTROS)}; "
            "for another ROS 2, source its setup.bash instead"
        )
    return sourced or Ros(asked, None)


def missing_packages() -> list[str]:
    """Return the Debian packages whose absence would stop set-up half-way."""
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append("python3-dev")
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        missing.append("g++")
    for program in ("make", "git"):
        if shutil.which(program) is None:
            missing.append(program)
    return missing


def hash_of(*parts: str | Path) -> str:
    """Return a hash of texts, files and folders (what is built or cached in them left out)."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode() + b"\0")
            continue
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            parts = file.relative_to(part).parts[:-1]
            if file.is_file() and not any(BUILT.fullmatch(name) for name in parts):
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class Progress:
    """One line for each step: what it is, how long it takes, and what it said last."""

    def __init__(self, log: TextIO, total: int) -> None:
        self.log = log
        self.total = total
        self.number = 0

    def run(self, title: str, work: Callable[[TextIO], None]) -> None:
        """Do `work`, showing its progress; its output goes to the log."""
        self.number += 1
        head = f"[{self.number}/{self.total}] {title}"
        self.log.write(f"\n=== {head}\n")
        self.log.flush()
        start = time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(head, start, done), daemon=True)
        if sys.stdout.isatty():
            ticker.start()
        else:
            print(f"{head} ...", flush=True)
        try:
            work(self.log)
        finally:
            done.set()
            if ticker.is_alive():
                ticker.join()
        print(f"{self._clear()}{head}: done in {time.monotonic() - start:.0f} s", flush=True)

    def skip(self, title: str) -> None:
        """Count a step that an earlier run has done."""
        self.number += 1
        self.log.write(f"\n=== [{self.number}/{self.total}] {title}: already done\n")

    @staticmethod
    def _clear() -> str:
        return "\r\033[K" if sys.stdout.isatty() else ""

    def _tick(self, head: str, start: float, done: threading.Event) -> None:
        while not done.wait(0.5):
            width = shutil.get_terminal_size().columns - 1
            text = f"{head} ... {time.monotonic() - start:.0f} s  {last_line(LOG)}"
            print(f"{self._clear()}{text[:width]}", end="", flush=True)


def last_line(path: Path) -> str:
    """Return the last line of a growing log, without control characters."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return re.sub(r"[^\x20-\x7e]", "", lines[-1]).strip() if lines else ""


def run(command: list[str | Path], log: TextIO, **environ: str) -> None:
    """Run a command with its output in the log.

    Raises:
        SetupError: it failed; the message has the end of what it printed.
    """
    log.write(f"$ {' '.join(map(str, command))}\n")
    log.flush()
    begin = LOG.stat().st_size
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
        check=False,
    )
    if result.returncode != 0:
        with LOG.open("rb") as file:
            file.seek(begin)
            tail = file.read().decode(errors="replace").splitlines()[-12:]
        said = "\n".join(f"  | {line}" for line in tail)
        raise SetupError(
            f"'{' '.join(map(str, command[:6]))} ...' failed, exit code {result.returncode}:\n"
            f"{said}\nThe whole log is in {LOG.relative_to(ROOT)}. Once the cause is gone, "
            "the same command goes on from here."
        )


def says(script: str) -> str:
    """Return what a script prints in the venv's Python."""
    result = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SetupError(f"the venv's Python fails:\n{result.stderr.strip()}")
    return result.stdout.strip()


def make_venv(ros: Ros, log: TextIO) -> None:
    """Make an empty venv; under a sourced ROS 2, one that sees the system's packages."""
    options = ["--system-site-packages"] if ros.prefix else []
    # Where this is run by a venv's Python, that may be the one that was just removed.
    python = getattr(sys, "_base_executable", sys.executable)
    run([python, "-m", "venv", "--clear", *options, VENV], log)
    STAMPS.mkdir()
    (VENV / _RECORD).write_text(
        json.dumps({"mode": ros.mode, "distro": ros.distro, "prefix": str(ros.prefix or "")})
    )


def effective_constraints(ros: Ros) -> Path:
    """Return the constraints to give to pip.

    A sourced ROS 2 is compiled against the system's own numpy and the like: what is there outside
    the venv stays as it is, and what is too old for a requirement becomes no newer than the pin.
    The packages of another distribution than Jazzy have versions of their own.
    """
    path = STAMPS / "constraints.txt"
    if ros.prefix is None:
        own = distro_constraints(ros)
        if own is None:
            return CONSTRAINTS
        shared = [
            line
            for line in CONSTRAINTS.read_text().splitlines()
            if not normalized(line).startswith("ros-")
        ]
        path.write_text("\n".join(shared) + "\n" + own.read_text())
        return path
    present: dict[str, tuple[int, ...]] = {}
    for line in says(LIST_DISTRIBUTIONS).splitlines():
        name, version = line.split("==", 1)
        present.setdefault(normalized(name), release(version))
    kept = []
    for line in CONSTRAINTS.read_text().splitlines():
        name, _, pinned = line.partition(";")[0].partition("==")
        there = present.get(normalized(name.strip()))
        if there is None:
            kept.append(line)
        elif there <= release(pinned):
            kept.append(line.replace("==", "<=", 1))
    path.write_text("\n".join(kept) + "\n")
    return path


def distro_constraints(ros: Ros) -> Path | None:
    """Return the file that pins the wheels of a distribution other than Jazzy."""
    if ros.prefix is not None or ros.distro == "jazzy":
        return None
    return ROOT / f"constraints_{ros.distro}.txt"


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare it by."""
    return tuple(map(int, re.findall(r"\d+", version)))


def normalized(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pip_install(ros: Ros, *arguments: str | Path) -> Callable[[TextIO], None]:
    """Return the work of a step that installs from a requirements file under the constraints."""

    def work(log: TextIO) -> None:
        # In the environment, for pip to apply them to what it builds with as well; relative,
        # for pip splits the variable at spaces.
        constraints = str(effective_constraints(ros).relative_to(ROOT))
        run(
            [*PIP_INSTALL, *arguments],
            log,
            PIP_CONSTRAINT=constraints,
            PIP_BUILD_CONSTRAINT=constraints,
            CMAKE_BUILD_PARALLEL_LEVEL=str(os.cpu_count() or 1),
        )

    return work


def mend_wheels(log: TextIO) -> None:
    """Make the wheels' CMake files name this interpreter's headers, not those of their build."""
    numpy = says("import numpy; print(numpy.get_include())")
    headers = sysconfig.get_path("include")
    for path in VENV.glob("share/*/cmake/*.cmake"):
        old = path.read_text()
        new = re.sub(
            r"/opt/python/[^/\";]+/lib/python3\.\d+/site-packages/numpy/_core/include", numpy, old
        )
        new = re.sub(r"/opt/python/[^/\";]+/include/python3\.\d+", headers, new)
        if new != old:
            path.write_text(new)
            log.write(f"mended {path.relative_to(VENV)}\n")
    # colcon takes a prefix without this file for a broken one.
    (VENV / "local_setup.bash").write_text("# ROS 2 from wheels needs nothing from here.\n")


def path_without_venvs() -> str:
    """Return PATH without the venvs of this and other checkouts."""
    entries = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(each for each in entries if not (Path(each).parent / _RECORD).is_file())


def other_ros2() -> str:
    """Return the path of a `ros2` command that is not that of a venv; empty without one."""
    return shutil.which("ros2", path=path_without_venvs()) or ""


def install_ros2_on_pip(log: TextIO) -> None:
    """Install the `ros2` command of `tools/ros2_on_pip`, unless a real one is there."""
    package = ROOT / "tools" / "ros2_on_pip"
    check = subprocess.run(
        [PYTHON, package / "ros2_on_pip" / "check.py"],
        env={**os.environ, "PATH": path_without_venvs()},
        capture_output=True,
        text=True,
        check=False,
    )
    log.write(check.stdout + check.stderr)
    if check.returncode not in (0, 1):
        raise SetupError(f"{package.relative_to(ROOT)} cannot be checked:\n{check.stderr}")
    if check.returncode == 0:
        # setuptools would install what an earlier version left there.
        shutil.rmtree(package / "build", ignore_errors=True)
        options = ["--no-deps", "--no-build-isolation", "--force-reinstall"]
        run([*PIP_INSTALL, *options, package], log)


@dataclass(frozen=True)
class Step:
    """One step: its stamp's name, its title, the hash of what it depends on, and the work."""

    name: str
    title: str
    key: str
    work: Callable[[TextIO], None]

    @property
    def done(self) -> bool:
        """Tell whether the stamp has the hash of what the step would be made from now."""
        stamp = STAMPS / self.name
        return stamp.is_file() and stamp.read_text() == self.key


def steps(ros: Ros, lint: bool, training: bool, docs: bool, runtime: bool) -> list[Step]:
    """Return the steps in order."""
    own = distro_constraints(ros)
    constraints = CONSTRAINTS.read_text() + (own.read_text() if own else "")

    def pip_step(name: str, title: str, *options: str) -> Step:
        file = ROOT / "requirements" / f"{name}.txt"
        if name.startswith("ros") and ros.distro != "jazzy":
            file = file.with_name(f"{name}_{ros.distro}.txt")
        key = hash_of(ros.mode, constraints, file)
        return Step(name, title, key, pip_install(ros, *options, "-r", file))

    todo = []
    if ros.prefix is None:
        todo.append(pip_step("ros", f"{ros} (120 MB)"))
        todo.append(Step("mend", "headers named by the ROS 2 wheels", todo[0].key, mend_wheels))
    if not runtime:
        todo.append(pip_step("build", "colcon and pytest"))
    todo.append(pip_step("runtime", "llama.cpp (compiled here: 5 minutes on 2 cores), libraries"))
    todo.append(pip_step("console", "the web console's server (6 MB)"))
    if ros.prefix is None:
        todo.append(pip_step("meaning", "synonyms for the memory (wordllama)"))
    todo.append(pip_step("model", "the model SmolLM2-135M-Instruct (98 MB)", "--no-deps"))
    if ros.prefix is None:
        # Where there is another `ros2` now, ours is not installed; where that goes, it is.
        key = hash_of(f"{ros.mode} {other_ros2()}", ROOT / "tools" / "ros2_on_pip")
        todo.append(Step("ros2", "the ros2 command", key, install_ros2_on_pip))
    if training:
        todo.append(
            pip_step("training", "PyTorch and what training needs (0.5 GB, more for CUDA)")
        )
    if lint:
        todo.append(pip_step("lint", "linters"))
        if ros.prefix is None:
            todo.append(pip_step("ros_lint", "ROS 2's linters"))
    if docs:
        todo.append(pip_step("docs", "mkdocs, for the documentation site (20 MB)"))
    return todo


def venv_fits(ros: Ros) -> bool:
    """Tell whether the venv runs, stands where it was made, and is for this ROS 2 and Python."""
    try:
        recorded = json.loads((VENV / _RECORD).read_text())["mode"]
        prefix = says("import sys; print(sys.prefix)")
        # The interpreter is in the second line where the first would be too long, or has a space.
        shebang = (VENV / "bin" / "pip").read_text().splitlines()[:3]
    except (OSError, ValueError, KeyError, SetupError):
        return False
    here = any(str(VENV) in line for line in shebang)
    return bool(recorded == ros.mode and Path(prefix) == VENV and here)


def set_up(ros: Ros, lint: bool, training: bool, docs: bool, runtime: bool) -> None:
    """Do every step that is not done yet."""
    if training and sys.version_info < TRAINING_PYTHON:
        found = sys.version.split()[0]
        raise SetupError(
            f"training needs Python 3.11 or newer, this is {found}: name another one "
            "(make train PYTHON=python3.12)"
        )
    if not str(ROOT).isascii():
        raise SetupError(
            f"ROS 2's generators cannot build below {ROOT}: move this checkout to a path of"
            " plain ASCII letters"
        )
    missing = missing_packages()
    if missing:
        packages = " ".join(missing)
        raise SetupError(f"something is missing; install it: sudo apt install {packages}")
    if ros.distro not in TESTED_DISTROS:
        tested = ", ".join(TESTED_DISTROS)
        print(f"Note: ROS 2 '{ros.distro}' is sourced; Clara is tried on {tested}.")
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a") as log:
        if VENV.exists() and not venv_fits(ros):
            print("The .venv was made for another ROS 2, Python or place: making it anew.")
            shutil.rmtree(VENV, ignore_errors=True)
        fresh = not VENV.exists()
        built = [each for each in (ROOT / "build", ROOT / "install") if each.exists()]
        if fresh and built:
            print("Without a .venv, what was built may be of another one: building it anew.")
            for folder in built:
                shutil.rmtree(folder, ignore_errors=True)
        todo = steps(ros, lint, training, docs, runtime)
        if not fresh and all(step.done for step in todo):
            return
        print(f"Setting up for {ros}; the log is {LOG.relative_to(ROOT)}")
        progress = Progress(log, len(todo) + 1)
        if fresh:
            progress.run("Python environment .venv", lambda out: make_venv(ros, out))
        else:
            progress.skip("Python environment .venv")
        for step in todo:
            if step.done:
                progress.skip(step.title)
                continue
            progress.run(step.title, step.work)
            (STAMPS / step.name).write_text(step.key)


def main() -> int:
    """Run set-up and return the exit code."""
    parser = argparse.ArgumentParser(description="Prepare this machine to build and run Clara.")
    parser.add_argument("--lint", action="store_true", help="install the linters as well")
    parser.add_argument(
        "--training", action="store_true", help="install PyTorch and what training needs as well"
    )
    parser.add_argument(
        "--docs", action="store_true", help="install what the documentation is built with as well"
    )
    parser.add_argument(
        "--runtime", action="store_true", help="leave out colcon and pytest: ROS 2 brings colcon"
    )
    options = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036 - this is what tells people so
        found = sys.version.split()[0]
        print(f"set-up: Python 3.10 or newer is needed, this is {found}.", file=sys.stderr)
        return 1
    try:
        with CONSTRAINTS.open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("set-up: another set-up runs in this checkout; waiting for it.")
                fcntl.flock(held, fcntl.LOCK_EX)
            ros = chosen_ros(dict(os.environ))
            set_up(ros, options.lint, options.training, options.docs, options.runtime)
    except SetupError as error:
        print(f"\nset-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nset-up: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the same command goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
