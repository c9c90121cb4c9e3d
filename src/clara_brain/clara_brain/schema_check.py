# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
r"""Hold a reply against the JSON schema of its request.

The grammar lets nothing else through, but it cannot express every schema, and a reply may have
been cut off. Python may go back and forth for hours over a pattern as ^(\w+\s?)+$, and lets no
other thread run meanwhile, so a schema with patterns is looked at by a child process with a
limit of CPU time. `python -m clara_brain.schema_check` is that child.
"""

from __future__ import annotations

import json
import logging
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable

from clara_brain.errors import SchemaMismatch

_log = logging.getLogger(__name__)

_LIMIT_S = 5  # of a CPU
_PATIENCE_S = 60.0  # with a machine that has no CPU for it
_PATTERNS = ("pattern", "patternProperties")


def hold_against(text: str, schema: str, on_done: Callable[[SchemaMismatch | None], None]) -> None:
    """Check a reply without holding up the caller.

    `on_done` is given what is wrong, or None, on a thread of its own.
    """
    check = _by_child if _has_patterns(json.loads(schema)) else mismatch

    def hold() -> None:
        try:
            found = check(text, schema)
        except Exception as error:  # whatever it is: the turn waits for a word
            _log.exception("a reply could not be held against its schema")
            found = SchemaMismatch(f"the reply could not be held against json_schema: {error}")
        on_done(found)

    threading.Thread(target=hold, name="schema", daemon=True).start()


def mismatch(text: str, schema: str) -> SchemaMismatch | None:
    """Return what keeps a reply from being JSON of a (valid) schema; None where nothing does."""
    parsed = json.loads(schema)
    # An empty registry: what a schema refers to is never fetched from a network.
    validator = jsonschema.validators.validator_for(parsed)(parsed, registry=Registry())
    try:
        validator.validate(json.loads(text))
    except json.JSONDecodeError as error:
        return SchemaMismatch(
            f"the reply is no whole JSON document of json_schema (it ends after {len(text)}"
            f" characters: {error.msg}); give it more max_tokens"
        )
    except jsonschema.ValidationError as error:
        return SchemaMismatch(
            f"the reply does not follow json_schema: {error.json_path}: {error.message}"
        )
    except (Unresolvable, RecursionError, ValueError, re.error) as error:
        return SchemaMismatch(f"the reply cannot be held against json_schema: {error}")
    return None


def _has_patterns(part: object) -> bool:
    if isinstance(part, dict):
        return any(name in part for name in _PATTERNS) or any(map(_has_patterns, part.values()))
    return isinstance(part, list) and any(map(_has_patterns, part))


def _by_child(text: str, schema: str) -> SchemaMismatch | None:
    try:
        child = subprocess.run(
            [sys.executable, "-m", "clara_brain.schema_check", str(_LIMIT_S)],
            input=json.dumps([text, schema]),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        if child.returncode == -signal.SIGXCPU:
            return SchemaMismatch(
                f"the reply could not be held against json_schema's patterns within {_LIMIT_S} s;"
                " write them without a repetition inside of another"
            )
        found = json.loads(child.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return SchemaMismatch(f"the reply could not be held against json_schema: {error}")
    return SchemaMismatch(found) if found else None


def main() -> int:
    """Check the reply and the schema on stdin; print what is wrong. The argument: CPU seconds."""
    limit = int(sys.argv[1])  # its own, so that it ends where the node was killed, too
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    found = mismatch(*json.load(sys.stdin))
    print(json.dumps(str(found or "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
