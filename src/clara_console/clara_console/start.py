# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the node, so that what comes before it is a sentence: no such package yet, or Ctrl-C."""

from __future__ import annotations

import importlib
import os
import signal
import sys

# What pip installs, and colcon does not: by the name that is imported.
FROM_PIP = {"starlette": "starlette", "uvicorn": "uvicorn"}
REQUIREMENTS = "requirements/console.txt"


def start(name: str, module: str) -> int:
    """Run `main` of a module and return its exit code; `name` is the command that people typed."""
    # An interrupt would be lost in some places of an import. There is nothing yet to put in order.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    try:
        run = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        package = FROM_PIP.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        print(
            f"{name}: {package} is not installed: pip install -r {REQUIREMENTS} in Clara's folder"
            " (make setup there does it)",
            file=sys.stderr,
        )
        return 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(run())
    except KeyboardInterrupt:  # before the node waits for signals itself
        # A second one is on its way from a terminal: it sends one too, beside launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 0


def main() -> int:
    """Run the node `console`."""
    return start("console", "clara_console.node")
