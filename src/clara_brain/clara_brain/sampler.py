# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How the next token is chosen: a chain of llama.cpp's samplers, made anew for each completion.

The order is llama.cpp's own: a bias rules out, penalties discourage, top-k, top-p and min-p cut
the tail, the temperature flattens what is left; a grammar has the last word.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import llama_cpp

from clara_brain.constrained import Grammar
from clara_brain.errors import InvalidRequest

_PENALTY_WINDOW = 64


@dataclass(frozen=True)
class SamplerSettings:
    """How tokens are chosen; the fields are those of Sampling.msg, all of them set.

    `logit_bias` are pairs of a token and what is added to its logit; -inf rules it out. Where the
    grammar is that of a JSON schema, `json_schema` is it.
    """

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    seed: int
    grammar: str = ""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    json_schema: str = ""


class Sampler:
    """Chooses the next token from the logits of the last decode.

    Raises InvalidRequest when the grammar is not valid GBNF or the bias names no token.
    """

    def __init__(self, vocab: object, settings: SamplerSettings) -> None:
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        self._grammar: Grammar | None = None
        try:
            if settings.grammar:
                self._grammar = Grammar(vocab, settings.grammar, bool(settings.json_schema))
            for link in _links(vocab, settings):
                llama_cpp.llama_sampler_chain_add(self._chain, link)
        except InvalidRequest:
            self.close()
            raise

    def choose(self, context: object, output: int) -> int:
        """Choose a token from the logits at place `output` of the last batch."""
        if self._grammar:
            return self._grammar.choose(self._chain, context, output)
        return int(llama_cpp.llama_sampler_sample(self._chain, context, output))

    def close(self) -> None:
        """Free the chain."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
        self._chain = None
        if self._grammar:
            self._grammar.close()
        self._grammar = None


def check_biases(pairs: Iterable[tuple[int, float]]) -> None:
    """Raise InvalidRequest for a bias after which the logits are no numbers."""
    for token, bias in pairs:
        if not bias < math.inf:
            raise InvalidRequest(
                f"sampling.logit_bias of token {token} must be a number or -inf, not {bias}"
            )


def _links(vocab: object, settings: SamplerSettings) -> Iterator[object]:
    size = llama_cpp.llama_vocab_n_tokens(vocab)
    if settings.logit_bias:
        yield _bias(size, settings.logit_bias)
    penalties = settings.repeat_penalty, settings.frequency_penalty, settings.presence_penalty
    if penalties != (1.0, 0.0, 0.0):
        yield llama_cpp.llama_sampler_init_penalties(size, _PENALTY_WINDOW, *penalties)
    if settings.temperature == 0.0:
        yield llama_cpp.llama_sampler_init_greedy()
        return
    if settings.top_k > 0:
        yield llama_cpp.llama_sampler_init_top_k(settings.top_k)
    if settings.top_p < 1.0:
        yield llama_cpp.llama_sampler_init_top_p(settings.top_p, 1)
    if settings.min_p > 0.0:
        yield llama_cpp.llama_sampler_init_min_p(settings.min_p, 1)
    yield llama_cpp.llama_sampler_init_temp(settings.temperature)
    yield llama_cpp.llama_sampler_init_dist(settings.seed & 0xFFFFFFFF)


def _bias(size: int, pairs: tuple[tuple[int, float], ...]) -> object:
    check_biases(pairs)
    biases = (llama_cpp.llama_logit_bias * len(pairs))()
    for place, (token, bias) in enumerate(pairs):
        if not 0 <= token < size:
            raise InvalidRequest(
                f"sampling.logit_bias names token {token}; the model has 0 to {size - 1}"
            )
        biases[place].token, biases[place].bias = token, bias
    return llama_cpp.llama_sampler_init_logit_bias(
        size, len(pairs), ctypes.cast(biases, ctypes.POINTER(llama_cpp.llama_logit_bias))
    )
