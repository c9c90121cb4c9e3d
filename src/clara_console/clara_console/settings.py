# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What can be set, and the rule that nobody but this machine gets in without a token.

The token comes from a file or from the environment, never as a parameter: everybody in the ROS
domain can read parameters.
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clara_console.errors import SettingsError

TOKEN_VARIABLE = "CLARA_CONSOLE_TOKEN"
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class ConsoleSettings:
    """Defaults of the node's parameters."""

    host: str = "127.0.0.1"
    port: int = 8470
    token_file: str = ""
    service_timeout: float = 5.0
    requests_per_second: float = 50.0


def is_loopback(host: str) -> bool:
    """Tell whether a host is one that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token(settings: ConsoleSettings, environ: Mapping[str, str]) -> str:
    """Return the token that browsers must show; empty: none, on loopback only.

    Raises:
        SettingsError: there is none where one is needed, it is too short, or its file cannot be
            read.
    """
    if settings.token_file:
        path = Path(settings.token_file).expanduser()
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text"
            raise SettingsError(f"token_file: cannot read {path}: {reason}") from error
        source = str(path)
        if not found:
            raise SettingsError(f"token_file: {path} is empty")
    else:
        found = environ.get(TOKEN_VARIABLE, "").strip()
        source = TOKEN_VARIABLE
    if not found:
        if is_loopback(settings.host):
            return ""
        raise SettingsError(
            f"host {settings.host} can be reached from other machines, so a token is needed:"
            f" set {TOKEN_VARIABLE} or the parameter token_file"
        )
    if len(found) < SHORTEST_TOKEN:
        raise SettingsError(
            f"the token in {source} has {len(found)} characters; at least {SHORTEST_TOKEN} are"
            " needed (openssl rand -hex 16 makes one)"
        )
    if not (found.isascii() and found.isprintable() and " " not in found):
        raise SettingsError(f"the token in {source} may have ASCII letters, digits and signs only")
    return found


def is_open_to_others(path: Path) -> bool:
    """Tell whether other users of this machine may read or change a file."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
