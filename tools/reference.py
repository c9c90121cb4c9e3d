#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The references of interfaces, parameters and commands, as Markdown, from the code itself.

Interfaces are read from the .msg, .srv and .action files by ROS 2's own parser (rosidl_adapter),
comments included; parameters are asked of each node, constructed in this process; commands are
asked for their help. `make docs` puts all into the site; nothing of it is committed:

    python tools/reference.py interfaces | parameters | commands
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rosidl_adapter.parser import (
    MessageSpecification,
    parse_action_file,
    parse_message_file,
    parse_service_file,
)

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "clara_interfaces"
INTERFACES = ROOT / "src" / PACKAGE

# Every node with parameters: package, executable, module, class, its name in the launch file.
NODES = (
    ("clara_brain", "brain_node", "clara_brain.node", "BrainNode", "/clara/brain"),
    ("clara_memory", "memory_node", "clara_memory.node", "MemoryNode", "/clara/memory"),
    ("clara_console", "console", "clara_console.node", "ConsoleNode", "/clara/console"),
    ("clara_demo", "robot_node", "clara_demo.robot_node", "RobotNode", "/clara/robot"),
)
# Every command, and the module with its click group.
COMMANDS = (
    ("clara", "clara_brain.cli"),
    ("clara-memory", "clara_memory.cli"),
    ("clara-train", "clara_training.cli"),
)
# What rclpy gives to every node.
_EVERY_NODES = ("use_sim_time", "start_type_description_service", "qos_overrides.")


@dataclass(frozen=True)
class Described:
    """One parameter as its node declares it."""

    name: str
    type: str
    default: str
    range: str
    description: str
    read_only: bool


def interfaces() -> str:
    """Return the interface reference."""
    kinds = {
        "action": ("Actions", _action_parts),
        "srv": ("Services", _service_parts),
        "msg": ("Messages", _message_parts),
    }
    read = {
        kind: [(path.stem, parts(path)) for path in sorted((INTERFACES / kind).glob(f"*.{kind}"))]
        for kind, (_, parts) in kinds.items()
    }
    lines = [
        "# Interface reference",
        "",
        f"Every interface of `{PACKAGE}`, read from its `.msg`, `.srv` and `.action` files.",
        f"`ros2 interface show {PACKAGE}/srv/QueryMemory` prints the same in a terminal.",
        "",
        "## Error codes",
        "",
        "Each result and response has `error_code` and `error_msg`; 0 is no error. Each server has"
        " numbers of its own.",
        "",
        "| code | name | in | meaning |",
        "|---|---|---|---|",
        *_error_codes(read),
    ]
    for kind, (title, _) in kinds.items():
        lines += ["", f"## {title}"]
        for name, parts in read[kind]:
            lines += ["", f"### {name}", "", f"`{PACKAGE}/{kind}/{name}`"]
            for title_of_part, specification in parts:
                lines += _part(title_of_part, specification)
    return "\n".join(lines) + "\n"


def _message_parts(path: Path) -> list[tuple[str, MessageSpecification]]:
    return [("", parse_message_file(PACKAGE, path))]


def _service_parts(path: Path) -> list[tuple[str, MessageSpecification]]:
    service = parse_service_file(PACKAGE, path)
    return [("Request", service.request), ("Response", service.response)]


def _action_parts(path: Path) -> list[tuple[str, MessageSpecification]]:
    action = parse_action_file(PACKAGE, path)
    return [
        ("Goal", action.goal),
        ("Result", action.result),
        ("Feedback", action.feedback),
    ]


def _error_codes(read: dict[str, Any]) -> Iterator[str]:
    codes: dict[tuple[int, str], tuple[list[str], list[str]]] = {}
    for named in read.values():
        for name, parts in named:
            for _, specification in parts:
                if any(field.name == "error_code" for field in specification.fields):
                    for constant in specification.constants:
                        if constant.type == "uint16":
                            key = (constant.value, constant.name)
                            places, meanings = codes.setdefault(key, ([], []))
                            places.append(f"[{name}](#{name.lower()})")
                            comment = _comment(constant)
                            if comment and comment not in meanings:
                                meanings.append(comment)
    for (code, name), (places, meanings) in sorted(codes.items()):
        where = "all" if code == 0 else ", ".join(places)
        meanings = ["no error"] if code == 0 else meanings
        yield f"| {code} | `{name}` | {where} | {'; '.join(meanings)} |"


def _part(title: str, specification: MessageSpecification) -> list[str]:
    lines = ["", f"**{title}**"] if title else []
    comment = specification.annotations.get("comment", [])
    if comment:
        lines += ["", _cell(" ".join(line.strip() for line in comment))]
    if specification.fields:
        lines += ["", "| field | type | default | |", "|---|---|---|---|"]
        lines += [
            f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {_comment(field)} |"
            for field in specification.fields
        ]
    elif title:
        lines += ["", "No fields."]
    if specification.constants:
        lines += ["", "| constant | value | |", "|---|---|---|"]
        lines += [
            f"| `{constant.name}` | {constant.value} | {_comment(constant)} |"
            for constant in specification.constants
        ]
    return lines


def _type(kind: Any) -> str:
    written = str(kind).removeprefix(f"{PACKAGE}/")
    if kind.pkg_name == PACKAGE:
        return f"[{written.replace('[', chr(92) + '[')}](#{kind.type.lower()})"
    return f"`{written}`"


def _default(field: Any) -> str:
    return "" if field.default_value is None else f"`{field.default_value}`"


def _comment(element: Any) -> str:
    text = " ".join(line.strip() for line in element.annotations.get("comment", []))
    unit = element.annotations.get("unit")
    return _cell(f"{text} [{unit}]" if unit else text)


def _cell(text: str) -> str:
    """Return text that stays one cell of a table, and that no Markdown or HTML is read from."""
    for sign in ("|", "<", "*", "[", "_"):
        text = "`".join(
            part if odd % 2 else part.replace(sign, f"\\{sign}")
            for odd, part in enumerate(text.split("`"))
        )
    return text.strip()


def parameters() -> dict[str, list[Described]]:
    """Return the parameters of each node, by the node's name, in the order of declaration.

    The nodes are made in a domain of their own and never spun.
    """
    import rclpy
    from domain_coordinator import domain_id

    found = {}
    with domain_id() as domain:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        rclpy.init(args=[])
        try:
            for _, _, module, class_name, name in NODES:
                node = getattr(importlib.import_module(module), class_name)()
                try:
                    found[name] = list(_declared(node))
                finally:
                    node.destroy_node()
        finally:
            rclpy.try_shutdown()
    return found


def _declared(node: Any) -> Iterator[Described]:
    from rclpy.parameter import Parameter

    for name, parameter in node._parameters.items():
        if name.startswith(_EVERY_NODES):
            continue
        descriptor = node.describe_parameter(name)
        spans = [*descriptor.integer_range, *descriptor.floating_point_range]
        # An array that nobody has set has no value, and only its descriptor knows its type.
        default = [] if parameter.type_ == Parameter.Type.NOT_SET else parameter.value
        yield Described(
            name,
            Parameter.Type(descriptor.type).name.lower().replace("_array", "[]"),
            str(default).lower() if isinstance(default, bool) else str(default),
            ", ".join(f"{span.from_value:,} to {span.to_value:,}" for span in spans),
            descriptor.description,
            descriptor.read_only,
        )


def parameter_page(found: dict[str, list[Described]]) -> str:
    """Return the parameter reference."""
    lines = [
        "# Parameters",
        "",
        "Every parameter of every node, as the nodes declare them: `ros2 param describe"
        " /clara/brain slots` prints the same. The sliders `personality.*` and `expertise.*` are"
        " those of the personality file that ships. Set them at the start by a file"
        " (`params_file:=`) or while the node runs (`ros2 param set`); read-only ones can be set"
        " at the start alone. `use_sim_time` is there as on every node, and `qos_overrides.*`"
        " of its topics ([QoS](../robot.md)).",
    ]
    for package, executable, _, _, name in NODES:
        lines += [
            "",
            f"## {name}",
            "",
            f"`ros2 run {package} {executable}`",
            "",
            "| parameter | type | default | range | |",
            "|---|---|---|---|---|",
        ]
        for one in found[name]:
            text = _cell(one.description) + (" Read-only." if one.read_only else "")
            default = f"`{one.default}`" if one.default else "empty"
            lines.append(f"| `{one.name}` | {one.type} | {default} | {one.range} | {text} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Return the command reference: what `--help` says of each command and sub-command."""
    lines = [
        "# Commands",
        "",
        "What each command prints with `--help`, after `source setup.bash`. Whatever goes wrong is"
        " one sentence on stderr and an exit code that is not 0.",
    ]
    for name, module in COMMANDS:
        group = importlib.import_module(module).commands
        lines += _help(group, None, name, "##")
    return "\n".join(lines) + "\n"


def _help(
    command: click.Command, parent: click.Context | None, name: str, level: str
) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": 88}
    with click.Context(command, parent, info_name=name, **settings) as context:
        yield from ["", f"{level} {context.command_path}", "", "```text"]
        yield from command.get_help(context).rstrip().splitlines()
        yield "```"
        if isinstance(command, click.Group):
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                if found is not None and not found.hidden:
                    yield from _help(found, context, each, "###")


def main() -> int:
    """Print the page that is asked for."""
    pages = {
        "interfaces": interfaces,
        "parameters": lambda: parameter_page(parameters()),
        "commands": commands,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in pages:
        print(f"reference: say which one: {', '.join(pages)}", file=sys.stderr)
        return 2
    print(pages[sys.argv[1]](), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
