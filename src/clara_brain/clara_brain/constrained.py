# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Sampling under a grammar, as llama.cpp's own server does it.

A grammar is slow to hold against every token of a vocabulary and quick to hold against one. So the
token is chosen freely first; only when the grammar does not allow it, it is chosen again from what
the grammar leaves. Greedily that is the same token as with the grammar in front.
"""

from __future__ import annotations

import ctypes
import re

import llama_cpp
import numpy as np

from clara_brain.errors import BackendError, InvalidRequest

_GIVEN, _MADE = "sampling.grammar", "the grammar of sampling.json_schema"
DEEPEST = 1100
MOST_REPEATS = 1100
MOST_ELEMENTS = 1_000_000
# llama.cpp refuses a grammar that counts further, or takes it for a repetition without end.
_HIGHEST_COUNT = 2000.0
# As llama.cpp reads it: what is quoted, a set, a token by name and a comment hold no operators.
# Each of them may lack its end, so that the search never goes back.
_QUIET = re.compile(r'"(?:[^"\\]|\\.)*"?|\[(?:[^\]\\]|\\.)*\]?|<[^>]*>?|#[^\r\n]*', re.DOTALL)
# A grammar piece by piece: what is quiet, a name, the counts of a repetition, any other sign.
_PIECE = re.compile(rf"{_QUIET.pattern}|[\w-]+|\{{[^}}]*\}}?|\S", re.DOTALL)
_COUNT = re.compile(r"\d+")
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Grammar:
    """One grammar, in the state after the tokens that were chosen.

    `of_schema`: it was made of the request's JSON schema. Raises InvalidRequest.
    """

    def __init__(self, vocab: object, text: str, of_schema: bool = False) -> None:
        check(text, _MADE if of_schema else _GIVEN)
        self._sampler = llama_cpp.llama_sampler_init_grammar(vocab, text.encode(), b"root")
        if not self._sampler and of_schema:
            raise InvalidRequest(f"{_MADE} cannot be read by llama.cpp; ask for something simpler")
        if not self._sampler:
            raise InvalidRequest(f"{_GIVEN} is not valid GBNF, or has no rule named root")
        self._size = llama_cpp.llama_vocab_n_tokens(vocab)
        self._candidates = np.zeros(self._size, _CANDIDATE)

    def choose(self, chain: object, context: object, output: int) -> int:
        """Choose a token with `chain` from the logits at place `output` of the last batch.

        Raises BackendError where the grammar allows no token that the chain leaves.
        """
        logits = llama_cpp.llama_get_logits_ith(context, output)
        token = self._sample(chain, logits, constrained=False)
        if not self._allows(token):
            token = self._sample(chain, logits, constrained=True)
            if not self._allows(token):
                # llama.cpp would end the process for taking it.
                raise BackendError("the grammar allows none of the tokens that are left to choose")
        llama_cpp.llama_sampler_accept(self._sampler, token)
        llama_cpp.llama_sampler_accept(chain, token)
        return token

    def close(self) -> None:
        """Free the grammar."""
        llama_cpp.llama_sampler_free(self._sampler)

    def _sample(self, chain: object, logits: object, constrained: bool) -> int:
        # Samplers sort and cut the candidates in place.
        self._candidates["id"] = np.arange(self._size, dtype=np.int32)
        self._candidates["logit"] = np.ctypeslib.as_array(logits, (self._size,))
        array = _array(self._candidates)
        if constrained:
            llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))
        llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _allows(self, token: int) -> bool:
        one = np.array([(token, 0.0, 0.0)], _CANDIDATE)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(_array(one)))
        return bool(np.isfinite(one["logit"][0]))


def check(grammar: str, name: str = _GIVEN) -> None:
    """Raise InvalidRequest for a grammar that llama.cpp might not survive, or not finish.

    Its parser calls itself for each parenthesis until the stack is full and the process dies, and
    what may be left out costs time by the cube of its number (measured: 1,000 in 1.4 s, 2,000 in
    more than 7 s). It writes out what is repeated: a long word a thousand times takes gigabytes.
    """
    loud = _QUIET.sub("", grammar)
    depth = deepest = 0
    for letter in loud:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise InvalidRequest(
            f"{name} nests parentheses {deepest:,} deep; at most {DEEPEST:,} are allowed"
        )
    repeats = sum(map(loud.count, "?*+{"))
    if repeats > MOST_REPEATS:
        raise InvalidRequest(
            f"{name} has {repeats:,} of ?, *, + and {{}}; at most {MOST_REPEATS:,} are allowed"
        )
    if _elements(grammar) > MOST_ELEMENTS:
        raise InvalidRequest(
            f"{name} repeats too much too often: written out, what is repeated must have"
            f" at most {MOST_ELEMENTS:,} characters"
        )


def _elements(grammar: str) -> float:
    """Return how many elements llama.cpp writes out for the repetitions of a grammar, at most.

    A group and a name are one element each. What was repeated may be repeated again.
    """
    written, size = 0.0, 1.0
    for found in _PIECE.finditer(grammar):
        piece = found[0]
        if piece[0] in "?*+{":
            # By way of floats, for a count may have any number of digits.
            counts = [min(float(count), _HIGHEST_COUNT) for count in _COUNT.findall(piece)]
            least, most = (counts[0], counts[-1]) if counts else (1.0, 1.0)
            written += size * max(1.0, most)
            if written > MOST_ELEMENTS:
                break
            size = size * least + 1
        elif piece[0] != "#":
            size = len(piece) if piece[0] in '"[' else 1.0
    return written


def _array(candidates: np.ndarray) -> llama_cpp.llama_token_data_array:
    data = candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
    return llama_cpp.llama_token_data_array(data, len(candidates), -1, False)
