# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch`: run a launch file, by package and name or by path."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ENDINGS = ("launch.py", ".py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the real command."""
    parser.add_argument(
        "-n",
        "--noninteractive",
        action="store_true",
        default=not sys.stdin or not sys.stdin.isatty(),
        help="Run the launch system non-interactively, with no terminal associated",
    )
    parser.add_argument("-d", "--debug", action="store_true", help="Provide more verbose output.")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        *("-p", "--print", "--print-description"),
        action="store_true",
        help="Print the launch description to the console without launching it.",
    )
    shown.add_argument(
        *("-s", "--show-args", "--show-arguments"),
        action="store_true",
        help="Show arguments that may be given to the launch file.",
    )
    parser.add_argument(
        *("-a", "--show-all-subprocesses-output"),
        action="store_true",
        help="Show all launched subprocesses' output on the screen.",
    )
    parser.add_argument("package_name", help="ROS package of the launch file, or its path")
    parser.add_argument("launch_file_name", nargs="?", help="Name of the launch file")
    parser.add_argument(
        "launch_arguments",
        nargs="*",
        help="Arguments to the launch file; '<name>:=<value>' (for duplicates, last one wins)",
    )
    parser.set_defaults(main=main)


def find(package: str, name: str | None) -> str:
    """Return the path of a launch file in a package's share folder.

    Raises:
        RuntimeError: no such package or file, or more than one.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        share = get_package_share_directory(package)
    except (PackageNotFoundError, ValueError) as error:
        raise RuntimeError(f"Package '{package}' not found: {error}") from error
    if name is None:
        raise RuntimeError("No launch file supplied")
    found = sorted(str(path) for path in Path(share).rglob(name))
    where = f"in the share directory of package '{package}' which is at '{share}'"
    if not found:
        raise RuntimeError(f"file '{name}' was not found {where}")
    if len(found) > 1:
        raise RuntimeError(f"file '{name}' was found more than once {where}: {found}")
    return found[0]


def parsed(arguments: list[str]) -> list[tuple[str, str]]:
    """Return names and values.

    Raises:
        RuntimeError: one is not of the form name:=value.
    """
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, sign, value = argument.partition(":=")
        if not sign or not name or (not value and argument.count(":=") == 1):
            raise RuntimeError(
                f"malformed launch argument '{argument}', expected format '<name>:=<value>'"
            )
        pairs[name] = value
    return list(pairs.items())


def main(args: argparse.Namespace) -> int | str | None:
    """Run, print or describe a launch file."""
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    import launch

    arguments = list(args.launch_arguments)
    if os.path.isfile(args.package_name):
        path = args.package_name
        if args.launch_file_name is not None:
            arguments.insert(0, args.launch_file_name)
    else:
        path = find(args.package_name, args.launch_file_name)
    source = AnyLaunchDescriptionSource(path)
    if args.show_args or args.print:
        description = source.get_launch_description(launch.LaunchContext())
        if args.print:
            show(description, "")
        else:
            show_arguments(description)
        return None
    if args.show_all_subprocesses_output:
        os.environ["OVERRIDE_LAUNCH_PROCESS_OUTPUT"] = "both"
    pairs = parsed(arguments)
    service = launch.LaunchService(
        argv=arguments, noninteractive=args.noninteractive, debug=args.debug
    )
    included = IncludeLaunchDescription(source, launch_arguments=pairs)
    service.include_launch_description(launch.LaunchDescription([included]))
    return service.run()


def show(entity: object, indent: str) -> None:
    """Print an entity and what it holds, a line each."""
    print(f"{indent}{type(entity).__name__} {getattr(entity, 'name', '')}".rstrip())
    for child in entity.children():  # type: ignore[attr-defined]
        show(child, indent + "    ")


def show_arguments(description: object) -> None:
    """Print every argument with its description and default."""
    print("Arguments (pass arguments as '<name>:=<value>'):")
    found = description.get_launch_arguments()  # type: ignore[attr-defined]
    for argument in found:
        print(f"\n    '{argument.name}':\n        {argument.description}")
        if argument.default_value is not None:
            print(f"        (default: {argument.shown()})")
    if not found:
        print("\n  No arguments.")
