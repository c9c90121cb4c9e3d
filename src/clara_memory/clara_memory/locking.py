# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One writer for each memory file.

The lock is an OS lock on `<file>.lock`: it vanishes with the process that holds it, however that
ends. The lock file stays, and holds the process id of its latest holder.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from clara_memory.errors import FileInUse


class WriterLock:
    """Holds the right to write to one memory file until `release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            FileInUse: another memory has the file open for writing.
            OSError: the lock file cannot be made.
        """
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise FileInUse(path, int(holder) if holder.isdigit() else None) from None
        with contextlib.suppress(OSError):  # on a full disk the lock holds without a name on it
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let the next writer in."""
        os.close(self._file)
