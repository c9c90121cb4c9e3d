# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How a reply appears while it grows: as it is, or with its Markdown rendered.

What is finished of a rendered reply is printed once and left alone; only its last block is drawn
anew, ten times a second at most, and of that no more than the screen holds: what has left the
screen cannot be drawn over.
"""

from __future__ import annotations

import re

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from clara_brain import cli_text

_REFRESHES_PER_S = 10
# A line that is not indented begins a new block after an empty one: what is belongs to a list.
_BLOCKS = re.compile(r"\n[ \t]*\n(?=\S)")
_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)


class Plain:
    """Prints a reply as it is."""

    def __init__(self) -> None:
        self._last = ""

    def add(self, delta: str) -> None:
        """Print the next piece."""
        self._last = delta
        click.echo(cli_text.printable(delta), nl=False)

    def end(self) -> None:
        """End the last line."""
        if self._last and not self._last.endswith("\n"):
            click.echo()


class Rendered:
    """Renders a reply's Markdown; links are shown, never made clickable."""

    def __init__(self, console: Console | None = None) -> None:
        self._growing = ""
        self._ended = False
        self._live = Live(
            console=console,
            get_renderable=lambda: self,
            refresh_per_second=_REFRESHES_PER_S,
        )
        self._live.start()

    def add(self, delta: str) -> None:
        """Take the next piece."""
        delta = cli_text.printable(delta)
        self._growing += delta
        if "\n" in self._growing[-len(delta) - 2 :]:
            self._print_finished()

    def end(self) -> None:
        """Print the rest, whole."""
        self._ended = True
        self._live.stop()

    def _print_finished(self) -> None:
        end = max((found.end() for found in _BLOCKS.finditer(self._growing)), default=0)
        finished = self._growing[:end]
        # An open fence is code, with empty lines and all.
        if finished and len(_FENCE.findall(finished)) % 2 == 0:
            self._growing = self._growing[end:]
            self._live.console.print(_markdown(finished))
            self._live.console.print()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the last block, or as much of its end as the screen holds."""
        lines = console.render_lines(_markdown(self._growing), options)
        for line in lines if self._ended else lines[1 - options.size.height :]:
            yield from line
            yield Segment.line()


def _markdown(text: str) -> Markdown:
    return Markdown(text, hyperlinks=False)
