# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Turn the bytes of tokens into text that can be shown while it grows.

A delta never ends inside a UTF-8 character, and never shows part of a stop string: what could
still become one is held back until it is decided. What a model thinks before it replies is left
out, and so is half a character at the end, as where the length cuts it. U+0000, which would end a
string of ROS 2, is given as U+FFFD. A reply that promises an act gives way to another sentence.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from clara_brain.reply_guard import NoPromise, Opening
from clara_brain.thoughts import Thoughts


class TextStream:
    """Takes the bytes of tokens, gives text; `text` is all that was given so far.

    `stopped` becomes true when a stop string came; the text ends before it. With `thinks` it is a
    reply, which may begin with thoughts. `replaced` becomes true when it promised an act.
    """

    def __init__(
        self,
        stop: Sequence[str] = (),
        *,
        thinks: bool = False,
        no_promise: NoPromise | None = None,
    ) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(stop)
        self._held = ""
        self._given: list[str] = []
        self.stopped = False
        self._thoughts = Thoughts() if thinks else None
        self._opening = Opening(no_promise) if no_promise else None
        self._said = 0

    @property
    def text(self) -> str:
        """All deltas so far, joined."""
        return "".join(self._given)

    @property
    def replaced(self) -> bool:
        """Whether the text is not the model's."""
        return self._opening is not None and self._opening.broken

    @property
    def decoded(self) -> int:
        """How many characters were decoded that are no thoughts, also those that are held back."""
        return self._said + (self._thoughts.undecided if self._thoughts else 0)

    def push(self, piece: bytes) -> str:
        """Take the bytes of one token; return the text that is certain because of it."""
        return self._advance(self._decoder.decode(piece), last=False)

    def finish(self) -> str:
        """Return what was held back, without half a character."""
        self._decoder.reset()
        return self._advance("", last=True)

    def _advance(self, new: str, last: bool) -> str:
        if self.stopped:
            return ""
        if self._thoughts:
            new = self._thoughts.cut(new, last)
        self._said += len(new)
        if self._opening:
            new = self._opening.check(new, last)
        new = new.replace("\0", "\N{REPLACEMENT CHARACTER}")
        if not self._stop:
            if new:
                self._given.append(new)
            return new
        pending = self._held + new
        found = [at for at in (pending.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.stopped = True
            delta, self._held = pending[: min(found)], ""
        else:
            keep = 0 if last else self._undecided(pending)
            cut = len(pending) - keep
            delta, self._held = pending[:cut], pending[cut:]
        if delta:
            self._given.append(delta)
        return delta

    def _undecided(self, text: str) -> int:
        """Length of the longest end of `text` that is the beginning of a stop string."""
        longest = max(len(stop) for stop in self._stop) - 1
        for length in range(min(longest, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stop):
                return length
        return 0
