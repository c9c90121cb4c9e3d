# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The packages as the ROS build farm wants them, and the checker that says so."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from check_packages import NOT_RELEASED, faults, keys_of, parse_package, placeholders, unknown_keys

FOLDERS = [*sorted(path.parent for path in ROOT.glob("src/*/package.xml")), ROOT / "tests"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_package_is_what_the_build_farm_wants(folder: Path) -> None:
    assert faults(folder) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of a small package, to break."""
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    folder = tmp_path / "clara_demo"
    shutil.copytree(ROOT / "src" / "clara_demo", folder, ignore=left_out)
    assert faults(folder) == []
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("package.xml", "clara_demo</name>", "Clara__Demo</name>", "REP-144"),
        ("package.xml", "<version>0.1.0", "<version>0.2.0", "not the one in setup.py"),
        ("package.xml", "  <exec_depend>rclpy</exec_depend>\n", "", "imports rclpy"),
        ("package.xml", "  <license>Apache-2.0</license>\n", "", "license"),
        ("package.xml", "ament_python", "catkin", "build type"),
        (
            "CHANGELOG.rst",
            "Forthcoming\n-----------",
            "0.0.9 (2026-01-01)\n------------------",
            "0.1.0",
        ),
        ("CHANGELOG.rst", "package clara_demo", "package demo", "not titled"),
    ],
)
def test_what_the_build_farm_would_refuse_is_named(
    copy: Path, file: str, old: str, new: str, said: str
) -> None:
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    assert any(said in fault for fault in faults(copy)), faults(copy)


def test_a_key_that_rosdep_does_not_know_is_named_with_the_distribution(tmp_path: Path) -> None:
    package = parse_package(ROOT / "src" / "clara_demo")
    known = {one.name for one in [*package.exec_depends, *package.test_depends]}
    ours = {folder.name for folder in FOLDERS}
    ros = {name for name in known - ours if not name.startswith("python3-")}
    (tmp_path / "rosdep").mkdir()
    for name in ("base", "python"):
        keys = (
            [one for one in known - ros if one.startswith("python3-")] if name == "python" else []
        )
        lines = [f"{one}: {{ubuntu: [{one}]}}" for one in keys] or ["{}"]
        (tmp_path / "rosdep" / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    for distro in ("jazzy", "kilted", "lyrical"):
        (tmp_path / distro).mkdir()
        there = sorted(ros - ({"rclpy"} if distro == "kilted" else set()))
        text = f"repositories: {{all: {{release: {{packages: [{', '.join(there)}]}}}}}}\n"
        (tmp_path / distro / "distribution.yaml").write_text(text)
    found = unknown_keys(package, keys_of(tmp_path), ours)
    assert found == ["rclpy is no rosdep key in kilted"]


def test_what_a_first_release_still_needs_is_named() -> None:
    for folder in FOLDERS:
        package = parse_package(folder)
        if package.name in NOT_RELEASED:
            continue
        filled = not any(person.email.endswith("example.org") for person in package.maintainers)
        assert any("placeholder" in one for one in placeholders(package)) != filled
        assert any("<url>" in one for one in placeholders(package)) != bool(package.urls)
