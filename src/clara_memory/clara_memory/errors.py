# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the memory; each error's text is a sentence fit for people."""

from pathlib import Path

_LONGEST = 900


def sentence(text: str) -> str:
    """Return a text as one line for logs and terminals: nothing that it quotes can forge another.

    Control characters are escaped, and what is too long is cut.
    """
    line = text if text.isprintable() else "".join(map(_visible, text))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class MemoryFault(Exception):
    """Base of all errors of this package."""

    def __init__(self, text: str) -> None:
        super().__init__(sentence(text))


class InvalidRequest(MemoryFault):
    """A field is missing, too long, not finite or given twice.

    `field` names it, as `context[2].filler`.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = sentence(field)


class StorageFailed(MemoryFault):
    """The disk or the database refused; nothing of the request was stored."""


class FileInUse(StorageFailed):
    """Another process has the memory open for writing."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{path} is in use by {who}: stop it, or give this memory another path "
            "(reading works meanwhile, as clara-memory query --file does)"
        )
        self.pid = pid


class NotAMemory(StorageFailed):
    """The file exists, but this version of Clara cannot use it as a memory."""


class MeaningUnavailable(MemoryFault):
    """There is no embedder, or it does not do what an embedder must."""
