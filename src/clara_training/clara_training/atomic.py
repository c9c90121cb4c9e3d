# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are there whole or not at all, whatever ends the process.

Everything is written under a hidden name beside its place, flushed to the disk, and renamed. What
a killed process left under such a name is removed by the next one that writes there.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clara_training.errors import StorageError


def atomic_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file. Raises StorageError; the old file is then as it was."""
    with atomic_file(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def atomic_json(path: str | Path, value: Any) -> None:
    """Write a value as JSON, indented, for people to read as well. Raises StorageError."""
    atomic_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; it becomes `path` when the block ends well.

    Raises StorageError when the disk refuses, inside the block as well.
    """
    path = Path(path)
    with _sentence(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(path)
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` when the block ends well.

    A folder that is there already is replaced by it, and stays as it was if the block fails.
    Raises StorageError when the disk refuses, inside the block as well.
    """
    path = Path(path)
    with _sentence(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(path)
        try:
            partial.mkdir()
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    with file.open("rb") as held:
                        os.fsync(held.fileno())
            _replace_folder(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _flush_folder(path.parent)


def disk_error(error: BaseException) -> OSError:
    """Return the error of the disk that safetensors tells of by one of its own."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def _replace_folder(new: Path, path: Path) -> None:
    if not path.exists():
        os.replace(new, path)
        return
    # A folder cannot be renamed over a full one. Between the two renames there is none: whoever
    # is killed just there makes it again, which is safe, for it is never half a folder.
    old = path.with_name(f".{path.name}.{os.getpid()}.old.partial")
    os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


def _partial(path: Path) -> Path:
    """Return the hidden name to write under, once what dead processes left there is gone."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)(\.old)?\.partial")
    for found in path.parent.iterdir():
        match = pattern.fullmatch(found.name)
        if match and not (_alive(int(match[1])) and int(match[1]) != os.getpid()):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"{path} cannot be written: the disk is full; make room and run the same command "
                "again, it goes on from here"
            ) from error
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
