# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 run`: replace this process by a package's executable."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys

from .pkg import executables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the real command."""
    parser.add_argument("--prefix", help="Prefix command, which should go before the executable.")
    parser.add_argument("package_name", help="Name of the ROS package")
    parser.add_argument("executable_name", help="Name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="Arguments to the executable")
    parser.set_defaults(main=main)


def main(args: argparse.Namespace) -> int | str | None:
    """Run the executable; signals and the exit code are its own."""
    from ament_index_python.packages import PackageNotFoundError

    try:
        found = executables(args.package_name)
    except (PackageNotFoundError, ValueError):
        return f"Package '{args.package_name}' not found"
    path = next((path for path in found if os.path.basename(path) == args.executable_name), None)
    if path is None:
        return "No executable found"
    command = [*shlex.split(args.prefix or ""), path, *args.argv]
    program = shutil.which(command[0])
    if program is None:
        return f"'{command[0]}' not found"
    sys.stdout.flush()
    os.execv(program, command)
