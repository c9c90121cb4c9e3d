# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One process at a time is at work in a run's folder.

Of two, one would merge, export or judge what the other is just making. The operating system lets
go of the folder when the process ends, whatever ends it. Processes that `torchrun` started are one
at work: the first of them holds the folder.
"""

from __future__ import annotations

import fcntl
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from clara_training.errors import RunInUse, StorageError

LOCK_FILE = ".in-use"
_held: set[Path] = set()  # by this process, whose stages call each other
Given = ParamSpec("Given")
Result = TypeVar("Result")
Stage = Callable[Given, Result]


def alone(
    stage: str,
    *,
    begins: bool = False,
    folder: Callable[..., Path] = lambda run, *_, **__: run,
) -> Callable[[Stage[Given, Result]], Stage[Given, Result]]:
    """Have a stage hold the run's folder while it works.

    `folder` finds it in what the stage is given; it is the first argument if nothing is said. One
    that `begins` a run makes the folder; for others, one that is not there is theirs to complain
    of. The stage then raises RunInUse and StorageError as well.
    """

    def decorate(work: Stage[Given, Result]) -> Stage[Given, Result]:
        @functools.wraps(work)
        def alone_at_work(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            with hold(folder(*args, **kwargs), stage, begins=begins):
                return work(*args, **kwargs)

        return alone_at_work

    return decorate


@contextmanager
def hold(run: Path, stage: str, *, begins: bool = False) -> Iterator[None]:
    """Hold a run's folder; see `alone`. Raises RunInUse, StorageError."""
    folder = run.resolve()
    led = os.environ.get("RANK", "0") != "0"
    if folder in _held or led or not (begins or run.is_dir()):
        yield
        return
    path = run / LOCK_FILE
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    with file:
        with suppress(OSError):  # of a full disk, or a file system without locks: better than none
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                who = file.read().decode("utf-8", "replace").strip() or "another process"
                raise RunInUse(
                    f"{run} is in use by {who}: wait for it, or take another folder"
                ) from None
            file.truncate(0)
            file.write(f"clara-train {stage} (process {os.getpid()})\n".encode())
        _held.add(folder)
        try:
            yield
        finally:
            _held.discard(folder)
