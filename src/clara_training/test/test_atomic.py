# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Files, folders and manifests are there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clara_training.atomic import atomic_file, atomic_folder, atomic_json, atomic_text
from clara_training.errors import ManifestError, StorageError
from clara_training.manifest import (
    is_done,
    manifest_path,
    product_file,
    read_manifest,
    sha256_of,
    write_manifest,
)

from clara_training import manifest

DIE_WHILE_WRITING = """
import os, sys
from clara_training.atomic import atomic_file, atomic_folder
path, kind = sys.argv[1:]
with (atomic_folder if kind == "folder" else atomic_file)(path) as partial:
    (partial / "half" if kind == "folder" else partial).write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    atomic_json(path, {"a": 1})
    atomic_json(path, {"a": "ä"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "ä"}
    assert names(path.parent) == ["a.json"]


def test_what_fails_in_the_block_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    atomic_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a.txt") as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    with atomic_folder(tmp_path / "b") as partial:
        (partial / "whole").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "b") as partial:
        (partial / "half").write_text("new")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt", "b"] and names(tmp_path / "b") == ["whole"]


def test_a_folder_replaces_a_full_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "b") as partial:
            (partial / text).write_text(text)
    assert names(tmp_path) == ["b"] and names(tmp_path / "b") == ["new"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_kill_9_leaves_nothing_that_looks_whole_and_the_next_one_clears_up(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "product"
    process = subprocess.Popen(
        [sys.executable, "-c", DIE_WHILE_WRITING, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not path.exists() and len(names(tmp_path)) == 1
    if kind == "folder":
        with atomic_folder(path) as partial:
            (partial / "whole").write_text("whole")
    else:
        atomic_text(path, "whole")
    assert names(tmp_path) == ["product"]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full; make room and run"), (errno.EIO, "cannot be written: ")],
)
def test_what_the_disk_refuses_is_a_sentence(tmp_path: Path, number: int, sentence: str) -> None:
    with pytest.raises(StorageError, match=sentence), atomic_file(tmp_path / "a") as partial:
        partial.write_text("half")
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_is_really_full_is_a_sentence(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(StorageError, match="the disk is full"), atomic_file(tmp_path / "a"):
        full.write_bytes(b"x")


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        atomic_text(tmp_path / "a" / "b", "")


def product(folder: Path) -> Path:
    path = folder / "adapter"
    (path / "inner").mkdir(parents=True)
    (path / "weights.bin").write_bytes(b"\0" * 100)
    (path / "inner" / "config.json").write_text("{}")
    return path


def test_a_manifest_tells_that_a_product_is_done(tmp_path: Path) -> None:
    path = product(tmp_path)
    inputs, settings = {"data": "ab"}, {"rank": 16, "targets": ("q", "v")}
    assert not is_done(path, "lora", inputs, settings)
    write_manifest(path, "lora", inputs, settings, {"loss": 0.5})
    assert is_done(path, "lora", inputs, settings)
    assert read_manifest(path)["sha256"] == sha256_of(path)
    assert not is_done(path, "merge", inputs, settings)
    assert not is_done(path, "lora", {"data": "cd"}, settings)
    assert not is_done(path, "lora", inputs, {**settings, "rank": 8})


def test_a_product_that_lost_a_file_or_a_part_of_one_is_not_done(tmp_path: Path) -> None:
    path = product(tmp_path)
    write_manifest(path, "lora", {}, {}, {})
    (path / "weights.bin").write_bytes(b"\0" * 50)
    assert not is_done(path, "lora", {}, {})
    (path / "weights.bin").unlink()
    assert not is_done(path, "lora", {}, {})


def test_a_files_manifest_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "clara.gguf"
    path.write_bytes(b"GGUF")
    write_manifest(path, "export", {}, {}, {})
    assert manifest_path(path).name == "clara.gguf.manifest.json"
    assert is_done(path, "export", {}, {})
    path.unlink()
    assert not is_done(path, "export", {}, {})


def test_no_manifest_vouches_for_a_file_that_was_written_after_it(tmp_path: Path) -> None:
    path = tmp_path / "clara.gguf"
    path.write_bytes(b"GGUF 1")
    write_manifest(path, "export", {"merged": "ab"}, {}, {})
    with pytest.raises(ZeroDivisionError), product_file(path) as partial:
        partial.write_bytes(b"GGUF 2")
        raise ZeroDivisionError
    assert is_done(path, "export", {"merged": "ab"}, {})
    with product_file(path) as partial:
        partial.write_bytes(b"GGUF 2")
    assert path.read_bytes() == b"GGUF 2" and not is_done(path, "export", {"merged": "ab"}, {})


def test_the_hash_of_a_folder_sees_names_and_contents_and_no_manifest(tmp_path: Path) -> None:
    path = product(tmp_path)
    before = sha256_of(path)
    write_manifest(path, "lora", {}, {}, {})
    assert sha256_of(path) == before
    (path / "weights.bin").rename(path / "other.bin")
    renamed = sha256_of(path)
    (path / "other.bin").write_bytes(b"\1" * 100)
    assert len({before, renamed, sha256_of(path)}) == 3


def test_what_has_settled_is_read_once_and_read_again_once_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = product(tmp_path)
    read: list[str] = []
    real = manifest._add_file
    monkeypatch.setattr(
        manifest, "_add_file", lambda *given: (read.append(given[1].name), real(*given))
    )
    just_written = sha256_of(path)
    assert sha256_of(path) == just_written and len(read) == 4
    monkeypatch.setattr(manifest, "_SETTLED_NS", -(10**9))  # as if it had been there for a while
    assert sha256_of(path) == sha256_of(path) == just_written and len(read) == 6
    (path / "weights.bin").write_bytes(b"\2" * (path / "weights.bin").stat().st_size)
    assert sha256_of(path) != just_written and len(read) == 8


def test_a_base_that_is_called_otherwise_is_the_same_base(tmp_path: Path) -> None:
    path = product(tmp_path)
    write_manifest(path, "lora", {"base": "ab"}, {"base_model": "../base", "rank": 4}, {})
    assert is_done(path, "lora", {"base": "ab"}, {"base_model": "/runs/base", "rank": 4})
    assert not is_done(path, "lora", {"base": "cd"}, {"base_model": "../base", "rank": 4})
    assert not is_done(path, "lora", {"base": "ab"}, {"base_model": "../base", "rank": 8})


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}'])
def test_a_damaged_manifest_is_a_sentence_and_never_done(tmp_path: Path, content: str) -> None:
    path = product(tmp_path)
    (path / "manifest.json").write_text(content)
    with pytest.raises(ManifestError, match="manifest"):
        read_manifest(path)
    assert not is_done(path, "lora", {}, {})


def test_what_is_not_there_has_no_hash_and_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        sha256_of(tmp_path / "none")
    with pytest.raises(ManifestError, match="is not there to write a manifest for"):
        write_manifest(tmp_path / "none", "lora", {}, {}, {})
