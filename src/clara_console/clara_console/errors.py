# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that clara_console raises on purpose; each message is one sentence for people."""


class ConsoleError(Exception):
    """Base of all errors of this package."""


class SettingsError(ConsoleError):
    """The console cannot be started the way it was asked to."""


class BadRequest(ConsoleError):
    """What the browser sent is not well-formed."""


class TooLarge(ConsoleError):
    """What the browser sent is larger than anything the page would send."""


class NotUp(ConsoleError):
    """The node that would have to answer is not there, or does not answer in time."""


class Refused(ConsoleError):
    """A node answered with an error code of its own; `name` is the code's name."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name
