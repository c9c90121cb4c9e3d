# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The references that `tools/reference.py` makes: nothing that can be set or sent is left out."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reference

KINDS = ("action", "msg", "srv")
FILES = sorted(
    path
    for kind in KINDS
    for path in (ROOT / "src" / "clara_interfaces" / kind).iterdir()
    if path.suffix == f".{kind}"
)


@pytest.fixture(scope="module")
def interfaces() -> dict[str, str]:
    """Give the text of each interface's part of the reference."""
    parts = re.split(r"^### (\w+)$", reference.interfaces(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def parameters() -> dict[str, list[reference.Described]]:
    return reference.parameters()


def parts_of(path: Path) -> list[Any]:
    """Return the generated classes of an interface, as every program uses them."""
    kind = path.suffix[1:]
    loaded = getattr(importlib.import_module(f"clara_interfaces.{kind}"), path.stem)
    names = {"action": ("Goal", "Result", "Feedback"), "srv": ("Request", "Response"), "msg": ()}
    return [getattr(loaded, name) for name in names[kind]] or [loaded]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_constant_and_comment_of_an_interface_is_in_the_reference(
    interfaces: dict[str, str], path: Path
) -> None:
    text = interfaces[path.stem]
    for part in parts_of(path):
        for name in part.get_fields_and_field_types():
            assert f"| `{name}` |" in text
    definition = path.read_text()
    for name, value in re.findall(r"^u?int\d+ ([A-Z_0-9]+)=(\d+)", definition, re.MULTILINE):
        assert f"| `{name}` | {value} |" in text
    words = re.findall(r"\w+", " ".join(re.findall(r"#(.*)", definition)))
    said = set(re.findall(r"\w+", text.replace("\\", "")))
    assert set(words) <= said, set(words) - said


def test_the_error_codes_of_all_servers_stand_in_one_table(interfaces: dict[str, str]) -> None:
    table = reference.interfaces().partition("## Actions")[0]
    assert len(re.findall(r"^\| \d+ \| `", table, re.MULTILINE)) > 40
    for path in FILES:
        if "uint16 error_code" in path.read_text() and path.suffix != ".msg":
            for value in re.findall(r"uint16 [A-Z_]+=(\d+)", path.read_text()):
                assert f"| {value} | `" in table


def test_every_parameter_that_a_package_declares_is_in_the_reference(
    parameters: dict[str, list[reference.Described]],
) -> None:
    declaring = {
        path.relative_to(ROOT / "src").parts[0]
        for path in (ROOT / "src").glob("*/*/*.py")
        if "declare_parameter(" in path.read_text()
    }
    assert declaring == {package for package, *_ in reference.NODES}
    page = reference.parameter_page(parameters)
    for package, module in (("clara_brain", "parameters"), ("clara_memory", "parameters")):
        for name in importlib.import_module(f"{package}.{module}")._TABLE:
            assert f"| `{name}` |" in page
    for path in ("clara_console/clara_console/node.py", "clara_demo/clara_demo/robot_node.py"):
        for name in re.findall(r'\bdeclare\(\s*"(\w+)"', (ROOT / "src" / path).read_text()):
            assert f"| `{name}` |" in page
    for slider in ("personality.warmth", "expertise.quantum"):
        assert f"| `{slider}` | double |" in page


def test_every_parameter_says_what_it_is(
    parameters: dict[str, list[reference.Described]],
) -> None:
    silent = [
        f"{node} {each.name}"
        for node, found in parameters.items()
        for each in found
        if not each.description
    ]
    assert not silent


def test_ranges_and_defaults_are_those_that_the_node_keeps(
    parameters: dict[str, list[reference.Described]],
) -> None:
    brain = {each.name: each for each in parameters["/clara/brain"]}
    assert (brain["slots"].type, brain["slots"].default) == ("integer", "4")
    assert brain["slots"].range == "1 to 64"
    assert brain["autostart"].default == "false"
    memory = {each.name: each for each in parameters["/clara/memory"]}
    assert (memory["watched_actions"].type, memory["watched_actions"].default) == (
        "string[]",
        "[]",
    )


def test_every_command_and_option_is_in_the_reference() -> None:
    page = reference.commands()
    for name, module in reference.COMMANDS:
        group = importlib.import_module(module).commands
        context = click.Context(group, info_name=name)
        assert group.list_commands(context)
        for sub in group.list_commands(context):
            found = group.get_command(context, sub)
            text = page.partition(f"### {name} {sub}\n")[2].partition("\n### ")[0]
            for parameter in found.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    assert parameter.opts[0] in text, f"{name} {sub} {parameter.opts[0]}"
