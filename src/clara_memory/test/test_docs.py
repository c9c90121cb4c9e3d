# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/memory.md followed to the letter in a fresh shell: each command prints what stands there.

Ids and times are other ones each time; a line `...` stands for any lines.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs" / "memory.md"
ID = re.compile(r"\b[0-9a-f]{16}\b")
TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")


def commands():
    """Return each command of the console blocks with the lines that it prints."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", DOCS.read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def pattern(lines):
    """Return what the lines stand for, as a regular expression."""
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*")
            continue
        same = re.escape(TIME.sub("TIME", ID.sub("IDENTITY", line)).rstrip())
        same = same.replace("TIME", TIME.pattern).replace("IDENTITY", r"[0-9a-f]{16}")
        parts.append(f"{same} *\\n")
    return "".join(parts)


@pytest.mark.skipif(not DOCS.exists(), reason="the package is here without its documents")
def test_a_new_user_stores_asks_corrects_and_exports_from_the_documents_alone(tmp_path):
    own = tmp_path / "bin"
    own.mkdir()
    script = "from clara_memory.cli import main; main()"
    for name, words in (
        ("clara-memory", f"-c {shlex.quote(script)}"),
        ("python", ""),
    ):
        made = own / name
        made.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
        made.chmod(0o755)
    environment = {**os.environ, "PATH": f"{own}:{os.environ['PATH']}", "COLUMNS": "80"}
    environment.pop("CLARA_MEMORY_FILE", None)
    known: dict[str, str] = {}
    done = []
    for command, lines in commands():
        actual = ID.sub(lambda found: known[found[0]], command)
        if command.startswith("export "):
            name, value = command.removeprefix("export ").split("=")
            environment[name] = value
            continue
        shown = subprocess.run(
            ["bash", "-c", actual], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert shown.returncode == 0, f"{command}\n{shown.stderr}"
        assert re.fullmatch(pattern(lines), shown.stdout), f"{command}\n{shown.stdout}"
        for one, other in zip(
            ID.findall("\n".join(lines)), ID.findall(shown.stdout), strict=False
        ):
            known.setdefault(one, other)
            assert known[one] == other or "..." in lines
        done.append(actual.split()[1])
    assert {"store", "ask", "query", "correct", "forget", "export", "merge"} <= set(done)
