# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The documents against what they speak of: links, code blocks, commands, figures, the site.

A test collects every fault before it fails, each with the document and the line.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

import reference
from document_commands import Checker, Fault, commands
from documents import Block, anchors, blocks, documents, links

SHELLS = ("bash", "sh", "console")
# A command or a file of this repository, named in a sentence.
IN_PASSING = re.compile(r"`((?:clara|clara-memory|clara-train|ros2|make|python|python3) [^`\n]+)`")
# What is in capitals stands for a name: src/PACKAGE/test.
NAMED_FILE = re.compile(
    r"`((?:bench|docs|docker|src|tests|tools|requirements|security)/[\w./-]+)`"
)
NOT_EXACT = re.compile(r"[|…]|\.\.\.|<")


def every_block() -> list[Block]:
    return [
        block
        for document in documents()
        for block in blocks(document)
        if not block.mark.startswith("skip")
    ]


def prose(document: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines outside code blocks, with their numbers."""
    fenced = False
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(reference.parameters())


def test_every_link_leads_to_a_file_and_a_heading_that_are_there() -> None:
    faults = []
    for document in documents():
        for link in links(document):
            if link.outside:
                continue
            path, _, anchor = link.target.partition("#")
            target = (document.parent / path).resolve() if path else document
            place = f"{document.relative_to(ROOT)}:{link.line}"
            if not target.exists():
                faults.append(f"{place}: there is no {link.target}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                faults.append(f"{place}: {path or document.name} has no heading #{anchor}")
    assert not faults, "\n".join(faults)


def test_every_file_that_a_sentence_names_is_there() -> None:
    faults = [
        f"{document.relative_to(ROOT)}:{number}: there is no {name}"
        for document in documents()
        for number, line in prose(document)
        for name in NAMED_FILE.findall(line)
        if not (re.search("[A-Z]{4}", name) or (ROOT / name).exists())
    ]
    assert not faults, "\n".join(faults)


def test_every_code_block_is_well_formed_in_its_language() -> None:
    faults = []
    for block in every_block():
        try:
            if block.language in ("bash", "sh"):
                subprocess.run(
                    ["bash", "-n"], input=block.text, text=True, check=True, capture_output=True
                )
            elif block.language == "json":
                json.loads(block.text)
            elif block.language == "yaml":
                list(yaml.safe_load_all(textwrap.dedent(block.text)))
            elif block.language == "python":
                compile(textwrap.dedent(block.text), block.place, "exec")
        except subprocess.CalledProcessError as error:
            faults.append(f"{block.place}: {error.stderr.strip()}")
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            faults.append(f"{block.place}: {error}")
    assert not faults, "\n".join(faults)


RUN = sorted({block.document for block in every_block() if block.mark == "run"})


@pytest.mark.parametrize("document", RUN, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_that_is_marked_to_run_prints_what_its_comments_say(
    document: Path, tmp_path: Path
) -> None:
    program = "".join(block.text for block in blocks(document) if block.mark == "run")
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    for said in re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE):
        assert said in ran.stdout.splitlines()


def test_every_command_in_a_code_block_would_be_understood(checker: Checker) -> None:
    faults = []
    checked = 0
    for block in every_block():
        if block.language in SHELLS:
            for command in commands(block):
                checked += 1
                try:
                    checker.check(command)
                except Fault as fault:
                    faults.append(f"{block.place}: {command}\n    {fault}")
    assert not faults, "\n".join(faults)
    assert checked > 100


def test_every_command_named_in_a_sentence_exists(checker: Checker) -> None:
    faults = []
    for document in documents():
        for number, line in prose(document):
            for command in IN_PASSING.findall(line):
                if NOT_EXACT.search(command):
                    continue
                try:
                    checker.check(command, whole=False)
                except Fault as fault:
                    faults.append(f"{document.relative_to(ROOT)}:{number}: {command}\n    {fault}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "broken",
    [
        "clara aks hello",
        "clara ask hello --sesion me",
        "clara-memory forget --objekt CUP",
        "clara-train simone --bach_size 3",
        "clara-train simone --batch_size three",
        "clara-memory correct",
        "ros2 topik list",
        "ros2 topic pub --onse /clara/say clara_interfaces/msg/Utterance '{}'",
        "ros2 topic pub /clara/say clara_interfaces/msg/Utterance '{txt: hello}'",
        "ros2 service call /clara/embed clara_interfaces/srv/Embedd '{}'",
        "ros2 action send_goal /clara/chat clara_interfaces/action/Chat '{max_tokens: many}'",
        "ros2 param set /clara/brain personality.warmpth 0.2",
        "ros2 run clara_brain brain_nod",
        "ros2 run clara_memory memory_node --ros-args -p auto_start:=true",
        "ros2 launch clara_brain clara.launch.py memory:=x",
        'make launch ARGS="demmo:=true"',
        'make train ARGS="--bases smollm2"',
        "make lunch",
        "python bench/chat_overheads.py",
        "python bench/chat_overhead.py --round 3",
        "echo one && clara persna",
        "for name in a b; do clara persna; done",
        "nosuchprogram --help",
    ],
)
def test_a_command_that_is_wrong_is_found(checker: Checker, broken: str) -> None:
    with pytest.raises(Fault):
        checker.check(broken)


def test_the_figures_in_the_documents_are_those_of_the_results() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "bench" / "table.py", "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def test_what_the_documents_say_of_the_launch_arguments_is_what_ros2_prints() -> None:
    command = "ros2 launch clara_brain clara.launch.py --show-args"
    document = ROOT / "docs" / "ros.md"
    block = next(each for each in blocks(document) if f"$ {command}" in each.text)
    shown = subprocess.run(command.split(), capture_output=True, text=True, timeout=60)
    written = block.text.split(f"$ {command}\n")[1].split("\n$ ")[0]
    assert shown.stdout.split() == written.split()


@pytest.mark.skipif(
    importlib.util.find_spec("material") is None,
    reason="mkdocs-material is not installed: python3 tools/set_up.py --docs",
)
def test_the_site_builds_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    for document in (ROOT / "docs").glob("*.md"):
        assert (tmp_path / f"{document.stem}.html").is_file()
    interfaces = (tmp_path / "reference" / "interfaces.html").read_text()
    assert "error nobody foresaw" in interfaces
    outside = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)', interfaces)
    assert not outside, f"the site wants something from the network: {outside}"
