# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""One file to download with everything that was made, and the checksums to trust it by.

A `.tar.gz` whose first member is `SHA256SUMS`, as sha256sum writes and checks it. From the same
files always the same bytes are made. It takes its name only after it was read back and found
right.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from clara_training.errors import BundleError
from clara_training.export_gguf import check_space
from clara_training.manifest import product_file, sha256_of

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_CHUNK = 1 << 20
_LEVEL = 6  # of gzip: weights hardly get smaller at a higher one
Advance = Callable[[int], object]  # is told of bytes that were read


def write_bundle(
    path: Path, files: Mapping[str, Path], *, advance: Advance = lambda size: None
) -> dict[str, str]:
    """Write files by the names they have in the bundle, and check it; return their sha256.

    `advance` is told of three times the files' bytes. Raises BundleError and StorageError; what
    was there is untouched then.
    """
    if not files:
        raise BundleError(f"there is nothing to put into {path}")
    check_space(path, sum(file.stat().st_size for file in files.values()))
    sums = {}
    for name in sorted(files):
        sums[name] = sha256_of(files[name])
        advance(files[name].stat().st_size)
    listing = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
    with product_file(path) as part:
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            _add(tar, SUMS, len(listing), io.BytesIO(listing))
            for name in sums:
                with files[name].open("rb") as file:
                    size = files[name].stat().st_size
                    _add(tar, name, size, _Watched(file, advance))
        found = check_bundle(part, advance=advance, called=path)
        if found != sums:
            raise BundleError(f"{path} could not be written rightly: files changed meanwhile")
    return sums


def check_bundle(
    path: Path, *, advance: Advance = lambda size: None, called: Path | None = None
) -> dict[str, str]:
    """Read a whole bundle; return the sha256 of its files, by name. Writes nothing.

    Raises BundleError when it is damaged, lacks a file, or has one that its list does not.
    """
    called = called or path
    wanted: dict[str, str] = {}
    found: dict[str, str] = {}
    with (
        _damage(called),
        gzip.open(path, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|") as tar,
    ):
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or _outside(member.name):
                raise BundleError(f"{called} holds {member.name!r}, which is no plain file")
            if not wanted:
                wanted = _listed(member.name, content, called)
                continue
            digest = hashlib.sha256()
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                advance(len(chunk))
            found[member.name] = digest.hexdigest()
            if wanted.get(member.name) != found[member.name]:
                why = "is not in its list" if member.name not in wanted else "is damaged"
                raise BundleError(f"{member.name} in {called} {why}: fetch the bundle again")
        while packed.read(_CHUNK):  # to its end, where gzip has a checksum of its own
            pass
    if lacking := sorted(set(wanted) - set(found)):
        raise BundleError(f"{called} lacks {lacking[0]}: fetch the bundle again")
    if not found:
        raise BundleError(f"{called} is empty")
    return found


def _listed(name: str, content: IO[bytes], called: Path) -> dict[str, str]:
    lines = content.read().decode("utf-8", "replace").splitlines() if name == SUMS else []
    matches = [_LINE.fullmatch(line) for line in lines]
    if not matches or not all(matches):
        raise BundleError(f"{called} is not a bundle of Clara: it does not begin with {SUMS}")
    return {match[2]: match[1] for match in matches if match}


def _outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def _add(tar: tarfile.TarFile, name: str, size: int, content: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)


class _Watched:
    """A file whose reading is told of."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self._file, self._advance = file, advance

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self._file.read(size)
        self._advance(len(part))
        return part


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BundleError(
            f"{path} is damaged or cut off ({error}): fetch or make the bundle again"
        ) from error
    except FileNotFoundError as error:
        raise BundleError(f"there is no bundle {path}") from error
    except OSError as error:
        raise BundleError(f"the bundle {path} cannot be read: {error.strerror}") from error
