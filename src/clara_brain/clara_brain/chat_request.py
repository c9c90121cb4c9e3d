# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests and events of the OpenAI API: what is sent for a completion, and what comes back.

What a server takes beyond that API is sent to it alone: top-k, min-p, grammar and adapters to
llama.cpp's, top-k and min-p to vLLM. Stop strings are looked for on this side, for no server tells
whether one of them or the model ended the reply.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clara_brain.backend import Request
from clara_brain.decoding import Stop
from clara_brain.prompt import LEAST_REPLY, ChatPrompt, Exchange, RawPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.served_model import Kind, ServedModel

_STOPS = {"stop": Stop.END, "length": Stop.LENGTH}
_NEVER = -100.0
# A count is no larger than a message of the node can say.
_MOST = (1 << 31) - 1


@dataclass(frozen=True)
class Chunk:
    """What one event of a stream says; the counts are totals so far, 0 where it says none."""

    text: str = ""
    stop: Stop = Stop.NONE
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


def path_of(prompt: ChatPrompt | RawPrompt) -> str:
    """Where a prompt is sent to."""
    return "/v1/completions" if isinstance(prompt, RawPrompt) else "/v1/chat/completions"


def turns_of(prompt: ChatPrompt | RawPrompt) -> int:
    """Return how many turns of history a prompt has."""
    return len(prompt.history) if isinstance(prompt, ChatPrompt) else 0


def cleaned(prompt: ChatPrompt | RawPrompt, clean: Callable[[str], str]) -> ChatPrompt | RawPrompt:
    """Return the prompt with every text in it passed through `clean`."""
    if isinstance(prompt, RawPrompt):
        return RawPrompt(clean(prompt.text))

    def each(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
        return tuple(Exchange(clean(one.user), clean(one.assistant)) for one in exchanges)

    return ChatPrompt(
        clean(prompt.system), clean(prompt.text), each(prompt.history), each(prompt.shown)
    )


def body_of(
    request: Request, model: ServedModel, dropped: int, prompt_tokens: int
) -> dict[str, Any]:
    """Return what is sent, with the oldest `dropped` turns left out.

    `prompt_tokens` is about how long the prompt is.
    """
    sampling, max_tokens = request.sampling, request.max_tokens
    body: dict[str, Any] = {
        "model": model.name,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed & 0x7FFFFFFF,
    }
    if isinstance(request.prompt, RawPrompt):
        body["prompt"] = request.prompt.text
    else:
        body["messages"] = _messages(request.prompt, dropped)
    if sampling.json_schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": json.loads(sampling.json_schema)},
        }
    if model.kind is Kind.LLAMA_CPP:
        body |= _for_llama_cpp(request, model)
    else:
        # Others refuse a reply that may become longer than what is left of the context.
        max_tokens = min(max_tokens, max(LEAST_REPLY, model.n_ctx - prompt_tokens))
        if sampling.logit_bias:
            body["logit_bias"] = {
                str(token): max(_NEVER, bias) for token, bias in sampling.logit_bias
            }
    if model.kind is Kind.VLLM:
        body |= {
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repeat_penalty,
        }
    return {**body, "max_tokens": max_tokens}


def chunk_of(event: Mapping[str, Any]) -> Chunk:
    """Read one event of a stream. What is not understood in it is passed over."""
    choices = event.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    text = choice.get("text") or _mapping(choice.get("delta")).get("content")
    why = choice.get("finish_reason")
    usage, timings = _mapping(event.get("usage")), _mapping(event.get("timings"))
    if usage:
        details = _mapping(usage.get("prompt_tokens_details"))
        counts = (
            _count(usage, "prompt_tokens"),
            _count(details, "cached_tokens"),
            _count(usage, "completion_tokens"),
        )
    else:
        cached = _count(timings, "cache_n")
        counts = (_count(timings, "prompt_n") + cached, cached, _count(timings, "predicted_n"))
    return Chunk(
        text if isinstance(text, str) else "",
        _STOPS.get(str(why), Stop.END) if why else Stop.NONE,
        *counts,
    )


def _for_llama_cpp(request: Request, model: ServedModel) -> dict[str, Any]:
    sampling, scales = request.sampling, dict(request.adapters)
    body: dict[str, Any] = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "cache_prompt": True,
        # Each event has the counts, so that a reply that is cut off is counted as well.
        "timings_per_token": True,
        # All of them, for one that is not named has the scale that the server was started with.
        "lora": [
            {"id": each.number, "scale": scales.get(each.adapter.name, 0.0)}
            for each in model.adapters
        ],
    }
    if sampling.grammar and not sampling.json_schema:
        body["grammar"] = sampling.grammar
    if sampling.logit_bias:
        body["logit_bias"] = _biases(sampling)
    return body


def _biases(sampling: SamplerSettings) -> list[list[object]]:
    """Pairs as llama.cpp takes them: false is what JSON has no number for."""
    return [[token, False if bias == -math.inf else bias] for token, bias in sampling.logit_bias]


def _messages(prompt: ChatPrompt, dropped: int) -> list[dict[str, str]]:
    said = [("system", prompt.system)] if prompt.system else []
    for exchange in (*prompt.history[dropped:], *prompt.shown):
        said += [("user", exchange.user), ("assistant", exchange.assistant)]
    said.append(("user", prompt.text))
    return [{"role": role, "content": content} for role, content in said]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(mapping: Mapping[str, Any], key: str) -> int:
    value = mapping.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(0, value), _MOST)
