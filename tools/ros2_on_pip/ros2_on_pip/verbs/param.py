# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 param`: read and set the parameters of nodes."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from ros2_on_pip.discovery import Direct, add_discovery_arguments

TYPES = {
    1: ("Boolean", "bool_value", "boolean"),
    2: ("Integer", "integer_value", "integer"),
    3: ("Double", "double_value", "double"),
    4: ("String", "string_value", "string"),
    5: ("Byte", "byte_array_value", "byte array"),
    6: ("Boolean", "bool_array_value", "boolean array"),
    7: ("Integer", "integer_array_value", "integer array"),
    8: ("Double", "double_array_value", "double array"),
    9: ("String", "string_array_value", "string array"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of available parameters")
    listing.add_argument("node_name", nargs="?", help="Name of the ROS node")
    listing.add_argument("--filter", help="Only parameters that match this regular expression")
    listing.add_argument(
        "--param-type", action="store_true", help="Print parameter types with parameter names"
    )
    listing.set_defaults(main=main_list)
    get = verbs.add_parser("get", help="Get parameter")
    get.add_argument("node_name", help="Name of the ROS node")
    get.add_argument("parameter_name", help="Name of the parameter")
    get.add_argument("--hide-type", action="store_true", help="Hide the type information")
    get.set_defaults(main=main_get)
    put = verbs.add_parser("set", help="Set parameter")
    put.add_argument("node_name", help="Name of the ROS node")
    put.add_argument("parameter_name", help="Name of the parameter")
    put.add_argument("value", help="Value of the parameter")
    put.set_defaults(main=main_set)
    delete = verbs.add_parser("delete", help="Delete parameter")
    delete.add_argument("node_name", help="Name of the ROS node")
    delete.add_argument("parameter_name", help="Name of the parameter")
    delete.set_defaults(main=main_delete)
    describe = verbs.add_parser("describe", help="Show descriptive information about parameters")
    describe.add_argument("node_name", help="Name of the ROS node")
    describe.add_argument("parameter_names", nargs="+", help="Names of the parameters")
    describe.set_defaults(main=main_describe)
    dump = verbs.add_parser(
        "dump", help="Show all of the parameters of a node in a YAML file format"
    )
    dump.add_argument("node_name", help="Name of the ROS node")
    dump.set_defaults(main=main_dump)
    load = verbs.add_parser("load", help="Load parameter file for a node")
    load.add_argument("node_name", help="Name of the ROS node")
    load.add_argument("parameter_file", help="Parameter file")
    load.set_defaults(main=main_load)
    for one in (listing, get, put, delete, describe, dump, load):
        add_discovery_arguments(one)


class Parameters:
    """The parameter services of one node; raises LookupError when it is not there."""

    def __init__(self, direct: Direct, name: str) -> None:
        full = direct.find_node(name)
        if full is None:
            raise LookupError("Node not found")
        self.node = full
        self._direct = direct

    def _call(self, kind: str, service: str, **fields: Any) -> Any:
        from rcl_interfaces import srv

        cls = getattr(srv, kind)
        answer = self._direct.call(cls, f"{self.node}/{service}", cls.Request(**fields))
        if answer is None:
            raise LookupError("Wait for service timed out")
        return answer

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._call("ListParameters", "list_parameters").result.names)

    def get(self, names: list[str]) -> list[tuple[int, Any]]:
        """Return types and values; type 0 where a parameter is not set."""
        found = self._call("GetParameters", "get_parameters", names=names).values
        return [(value.type, plain(value)) for value in found] or [(0, None)] * len(names)

    def set(self, values: dict[str, Any]) -> list[Any]:
        """Return the result for each."""
        from rclpy.parameter import Parameter

        made = []
        for name, value in values.items():
            try:
                made.append(Parameter(name, value=value).to_parameter_msg())
            except TypeError as error:
                raise ValueError(f"Parameter {name}: {value!r} has no parameter type") from error
        return list(self._call("SetParameters", "set_parameters", parameters=made).results)

    def describe(self, names: list[str]) -> list[Any]:
        """Return the descriptors."""
        return list(
            self._call("DescribeParameters", "describe_parameters", names=names).descriptors
        )


def plain(value: Any) -> Any:
    """Return what a ParameterValue holds."""
    if value.type not in TYPES:
        return None
    held = getattr(value, TYPES[value.type][1])
    if value.type == 5:
        return [one[0] for one in held]
    return list(held) if value.type > 5 else held


def main_list(args: argparse.Namespace) -> None:
    """Print the parameter names of one node or of all."""
    with Direct(args.spin_time) as direct:
        if args.node_name:
            parameters = Parameters(direct, args.node_name)
            print("".join(f"{line}\n" for line in _lines(parameters, args)), end="")
            return
        direct.settle()
        for node in direct.nodes():
            try:
                lines = _lines(Parameters(direct, node), args)
            except LookupError:
                continue  # a node without parameter services
            if lines:
                print("\n".join([f"{node}:", *lines]))


def _lines(parameters: Parameters, args: argparse.Namespace) -> list[str]:
    try:
        wanted = re.compile(args.filter or "")
    except re.error as error:
        raise ValueError(f"--filter is not a regular expression: {error}") from error
    names = [name for name in parameters.names() if wanted.match(name)]
    if not args.param_type:
        return [f"  {name}" for name in names]
    return [
        f"  {one.name} (type: {TYPES[one.type][2] if one.type in TYPES else 'not set'})"
        for one in parameters.describe(names)
    ]


def main_get(args: argparse.Namespace) -> str | None:
    """Print a parameter's value."""
    with Direct(args.spin_time) as direct:
        kind, value = Parameters(direct, args.node_name).get([args.parameter_name])[0]
    if kind == 0:
        return "Parameter not set"
    label = TYPES[kind][0] + (" values are" if kind >= 5 else " value is")
    print(value if args.hide_type else f"{label}: {value}")
    return None


def main_set(args: argparse.Namespace) -> None:
    """Set a parameter to a YAML value."""
    with Direct(args.spin_time) as direct:
        parameters = Parameters(direct, args.node_name)
        result = parameters.set({args.parameter_name: _value(args.value)})[0]
    if result.successful:
        print("Set parameter successful" + (f": {result.reason}" if result.reason else ""))
    else:
        print(f"Setting parameter failed: {result.reason}", file=sys.stderr)


def _value(text: str) -> Any:
    # What YAML cannot read, or reads as nothing a parameter can hold, is the text itself.
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    kinds = {type(one) for one in value} if isinstance(value, list) else {type(value)}
    fits = len(kinds) <= 1 and kinds <= {bool, int, float, str}
    return value if fits else text


def main_delete(args: argparse.Namespace) -> None:
    """Delete a parameter."""
    with Direct(args.spin_time) as direct:
        result = Parameters(direct, args.node_name).set({args.parameter_name: None})[0]
    reason = f": {result.reason}" if result.reason else ""
    print(
        ("Deleted parameter successfully" if result.successful else "Deleting parameter failed")
        + reason
    )


def main_describe(args: argparse.Namespace) -> str | None:
    """Print what a node says of its parameters."""
    with Direct(args.spin_time) as direct:
        found = Parameters(direct, args.node_name).describe(args.parameter_names)
    if not found:
        return "There are no descriptions"
    for one in found:
        print(f"Parameter name: {one.name}")
        print(f"  Type: {TYPES[one.type][2] if one.type in TYPES else 'not set'}")
        if one.description:
            print(f"  Description: {one.description}")
        print("  Constraints:")
        if one.read_only:
            print("    Read only: true")
        for limits in [*one.floating_point_range, *one.integer_range]:
            print(f"    Min value: {limits.from_value}\n    Max value: {limits.to_value}")
            if limits.step:
                print(f"    Step: {limits.step}")
        if one.additional_constraints:
            print(f"    Additional constraints: {one.additional_constraints}")
    return None


def main_dump(args: argparse.Namespace) -> None:
    """Print all parameters of a node as a parameter file."""
    with Direct(args.spin_time) as direct:
        parameters = Parameters(direct, args.node_name)
        names = parameters.names()
        values = parameters.get(names)
    nested: dict[str, Any] = {}
    for name, (_, value) in zip(names, values, strict=True):
        *groups, last = name.split(".")
        level = nested
        for group in groups:
            level = level.setdefault(group, {})
        level[last] = value
    print(yaml.safe_dump({parameters.node: {"ros__parameters": nested}}, default_flow_style=False))


def main_load(args: argparse.Namespace) -> str | None:
    """Set the parameters that a file has for a node."""
    try:
        content = yaml.safe_load(Path(args.parameter_file).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return f"{args.parameter_file}: not YAML: {' '.join(str(error).split())}"
    if not isinstance(content, dict):
        return f"{args.parameter_file}: not a parameter file"
    with Direct(args.spin_time) as direct:
        parameters = Parameters(direct, args.node_name)
        values: dict[str, Any] = {}
        for key in ("/**", parameters.node, parameters.node.lstrip("/")):
            given = content.get(key)
            if given is None:
                continue
            given = given.get("ros__parameters") if isinstance(given, dict) else None
            if not isinstance(given, dict):
                return f"YAML file is not a valid ROS parameter file for node {key}"
            values.update(_flat(given))
        if not values:
            return f"Param file does not contain parameters for {parameters.node}"
        for name, result in zip(values, parameters.set(values), strict=True):
            verdict = "successful" if result.successful else f"failed: {result.reason}"
            print(f"Set parameter {name} {verdict}")
    return None


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found
