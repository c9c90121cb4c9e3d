# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which tokens of a text are of names or numbers, by rules that need no dictionary.

A number has a digit. A name is a word with a capital that does not begin a sentence; all tokens
of the word count. That takes in LORD and God, leaves out names that begin a sentence, and means
nothing for scripts without capitals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_SENTENCE_ENDS = set("\n.?!:;\"'()[]\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u2014")
_TORN = "\ufffd"  # part of a character


class Names:
    """The rules for one vocabulary."""

    def __init__(self, texts: list[str], boundary: int = 0) -> None:
        """`texts` are the tokens' texts by id, with the spaces that are part of them."""
        letters = [(each[:1].isalpha() or each[:1] == _TORN) for each in texts]
        self._begins = np.array(letters)
        self._ends = np.array([each[-1:].isalpha() or each[-1:] == _TORN for each in texts])
        self._capital = np.array([each.strip()[:1].isupper() for each in texts])
        self._single = np.array([len(each.strip()) == 1 for each in texts])
        self._number = np.array([any(map(str.isdigit, each)) for each in texts])
        bare = [each.strip(" ") for each in texts]
        self._blank = np.array([not each for each in bare])
        self._stops = np.array([each[-1:] in _SENTENCE_ENDS for each in bare])
        # The text of a special token would look like a word.
        self._begins[boundary] = self._ends[boundary] = self._capital[boundary] = False
        self._stops[boundary] = True

    @classmethod
    def of(cls, tokenizer: Any) -> Names:
        """Return the rules for a tokenizer of `tokenizers`."""
        return cls([tokenizer.decode([each]) for each in range(tokenizer.get_vocab_size())])

    def in_rows(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Tell for rows (B, T + 1) which of the targets rows[:, 1:] are of names or numbers."""
        before, tokens = rows[:, :-1], rows[:, 1:]
        continues = self._begins[tokens] & self._ends[before]
        followed = np.zeros_like(continues)
        followed[:, :-1] = continues[:, 1:]
        stops = self._stops[before]
        # A space of its own is no word: what counts is what is before it.
        stops[:, 1:] |= self._blank[before[:, 1:]] & stops[:, :-1]
        alone = self._single[tokens] & ~followed  # I, O, A
        begins = ~continues & self._capital[tokens] & ~stops & ~alone
        places = np.arange(tokens.shape[1])
        # A word that the row begins in the middle of is taken for none.
        starts = np.maximum.accumulate(np.where(continues, -1, places[None]), axis=1)
        of_name = np.take_along_axis(begins, starts.clip(min=0), axis=1) & (starts >= 0)
        found: np.ndarray[Any, Any] = of_name | self._number[tokens]
        return found
