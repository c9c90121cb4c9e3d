# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle is what was packed, or a sentence says what is wrong with it."""

from __future__ import annotations

import gzip
import io
import resource
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from clara_training.bundle import SUMS, check_bundle, write_bundle
from clara_training.cli_bundle import command
from clara_training.errors import BundleError, StorageError
from click.testing import CliRunner


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "made"
    folder.mkdir()
    weights = np.random.default_rng(0).bytes(300_000)
    found = {}
    for name, content in {"simone/simone.gguf": weights, "report.html": b"<p>fine</p>"}.items():
        found[name] = folder / name.replace("/", "-")
        found[name].write_bytes(content)
    return found


def packed(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    """Write a bundle by hand."""
    with gzip.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = kind if name != SUMS else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_bundle_unpacks_to_what_was_packed_and_sha256sum_agrees(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    told: list[int] = []
    path = tmp_path / "models.tar.gz"
    sums = write_bundle(path, files, advance=told.append)
    assert check_bundle(path) == sums and set(sums) == set(files)
    assert sum(told) == 3 * sum(each.stat().st_size for each in files.values())
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run(["tar", "xf", path, "-C", there], check=True)
    for name, file in files.items():
        assert (there / name).read_bytes() == file.read_bytes()
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=there, check=True)
    before = path.read_bytes()
    write_bundle(path, files)
    assert path.read_bytes() == before


def test_each_damage_is_a_sentence(tmp_path: Path, files: dict[str, Path]) -> None:
    path = tmp_path / "models.tar.gz"
    write_bundle(path, files)
    whole = path.read_bytes()
    for name, content, sentence in (
        ("cut", whole[: len(whole) // 2], "is damaged or cut off"),
        ("end", whole[:-4], "is damaged or cut off"),
        ("turned", whole[:99_000] + bytes([whole[99_000] ^ 1]) + whole[99_001:], "is damaged"),
        ("text", b"not a bundle at all", "is damaged or cut off"),
        ("empty", b"", "is damaged or cut off"),
    ):
        other = tmp_path / name
        other.write_bytes(content)
        with pytest.raises(BundleError, match=sentence):
            check_bundle(other)
    with pytest.raises(BundleError, match="there is no bundle"):
        check_bundle(tmp_path / "nowhere")
    said = CliRunner().invoke(command, ["--check", str(path)])
    assert said.exit_code == 0 and "2 files, all as they were packed" in said.output


def test_what_the_list_does_not_say_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.tar.gz"
    digest = "0" * 64
    line = f"{digest}  a\n".encode()
    for members, sentence in (
        ({"a": b"x", SUMS: line}, "does not begin with SHA256SUMS"),
        ({SUMS: b"nonsense\n"}, "does not begin with SHA256SUMS"),
        ({SUMS: line, "a": b"other"}, "a in .* is damaged"),
        ({SUMS: line}, "lacks a"),
        ({SUMS: line, "b": b"x"}, "b in .* is not in its list"),
        ({SUMS: line, "../a": b"x"}, "is no plain file"),
    ):
        with pytest.raises(BundleError, match=sentence):
            check_bundle(packed(path, members))
    with pytest.raises(BundleError, match="is no plain file"):
        check_bundle(packed(path, {SUMS: line, "a": b""}, tarfile.SYMTYPE))


def test_a_full_disk_leaves_the_bundle_that_was_there(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    path = tmp_path / "models.tar.gz"
    write_bundle(path, {"report.html": files["report.html"]})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # of a file
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            write_bundle(path, files)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["made", "models.tar.gz"]


def test_a_folder_without_models_is_a_sentence(tmp_path: Path) -> None:
    said = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(said.exception, BundleError)
    assert "does not hold the models mvlm and simone" in str(said.exception)
