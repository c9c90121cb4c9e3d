# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The `ros2` command: finds the verb, and imports no other."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

VERBS = {
    "action": "Various action related sub-commands",
    "interface": "Show information about ROS interfaces",
    "launch": "Run a launch file",
    "lifecycle": "Various lifecycle related sub-commands",
    "node": "Various node related sub-commands",
    "param": "Various param related sub-commands",
    "pkg": "Various package related sub-commands",
    "run": "Run a package specific executable",
    "service": "Various service related sub-commands",
    "topic": "Various topic related sub-commands",
}


def overview() -> argparse.ArgumentParser:
    """Return the parser that knows the verbs by name only."""
    parser = argparse.ArgumentParser(
        prog="ros2",
        description="ros2 is an extensible command-line tool for ROS 2 (here a small part of it).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Commands:\n"
        + "\n".join(f"  {name:<10} {text}" for name, text in VERBS.items())
        + "\n\n  Call `ros2 <command> -h` for more detailed usage.",
    )
    parser.add_argument("command", nargs="?", choices=sorted(VERBS), metavar="<command>")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run `ros2` and return the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] not in VERBS:
        overview().parse_args(words)
        overview().print_help()
        return 0
    module = importlib.import_module(f"ros2_on_pip.verbs.{words[0]}")
    parser = argparse.ArgumentParser(prog=f"ros2 {words[0]}", description=VERBS[words[0]])
    module.add_arguments(parser)
    options = parser.parse_args(words[1:])
    if not hasattr(options, "main"):
        parser.print_help()
        return 0
    try:
        result = options.main(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RuntimeError, ValueError, LookupError, OSError) as error:
        result = str(error)
    if isinstance(result, str):
        print(result, file=sys.stderr)
        return 1
    return int(result or 0)


if __name__ == "__main__":
    sys.exit(main())
