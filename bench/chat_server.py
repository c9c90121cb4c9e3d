#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine in this process against llama.cpp's own server, and Clara's backend on that server.

All have the same llama.cpp, model, threads, context and batch, the same prompts and greedy
sampling, and the end of the text ruled out, so that all write the same number of tokens. The
server is timed by its own clock, without streaming, so no HTTP is held against it; the backend
`openai` streams over HTTP and is timed where the text arrives. Times are from the first token to
the last. Turn about.
"""

from __future__ import annotations

import argparse
import json
import statistics
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llama_cpp
from clara_brain.engine import Engine
from clara_brain.model_info import default_model
from clara_brain.openai_backend import OpenAIBackend
from clara_brain.settings import EngineSettings, ServerSettings
from engine_speed import PROMPTS, engine_speed
from native_server import server_binary, serving
from report import report, summary


def server_speed(url: str, texts: tuple[str, ...], tokens: int, ruled_out: list) -> dict:
    """Return total tokens/s of completions at once, as the server's own clock has it."""
    body = {
        "max_tokens": tokens,
        "temperature": 0.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "logit_bias": [[token, False] for token, _ in ruled_out],
    }

    def ask(text: str) -> float:
        data = json.dumps({**body, "prompt": text}).encode()
        request = urllib.request.Request(f"{url}/v1/completions", data)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=300) as answer:
            timings = json.load(answer)["timings"]
        if timings["predicted_n"] != tokens:
            raise RuntimeError(f"a completion was cut short: {timings}")
        return float(timings["predicted_ms"]) / 1e3

    with ThreadPoolExecutor(len(texts)) as pool:
        seconds = list(pool.map(ask, texts))
    return {
        "total": len(texts) * (tokens - 1) / statistics.mean(seconds),
        "slowest_of_mean": statistics.mean(seconds) / max(seconds),
    }


def ends_of_text(path: Path) -> list[tuple[int, float]]:
    """Return the bias that rules out every token that ends a text."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    vocab = llama_cpp.llama_model_get_vocab(model)
    size = llama_cpp.llama_vocab_n_tokens(vocab)
    ends = [token for token in range(size) if llama_cpp.llama_vocab_is_eog(vocab, token)]
    llama_cpp.llama_model_free(model)
    return [(token, float("-inf")) for token in ends]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--width", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0, help="0: the physical cores")
    parser.add_argument("--server", type=Path, help="llama-server; default: built here, once")
    options = parser.parse_args()
    width, tokens = options.width, options.tokens
    path, settings = default_model(), EngineSettings(512, width, n_threads=options.threads)
    speed: dict[str, list[float]] = {}
    slowest: dict[str, list[float]] = {}
    engine = Engine(path, settings)
    ends = ends_of_text(path)
    with serving(options.server or server_binary(), path, settings) as url:
        backend = OpenAIBackend(ServerSettings(url), settings)
        sides = {
            "engine": lambda texts: engine_speed(engine, texts, tokens, ends),
            "server": lambda texts: server_speed(url, texts, tokens, ends),
            "backend": lambda texts: engine_speed(backend, texts, tokens, ends),
        }
        try:
            for number in range(-1, options.rounds):
                texts = tuple(PROMPTS[(number + place) % len(PROMPTS)] for place in range(width))
                for count in (1, width):
                    for side in list(sides) if number % 2 else reversed(list(sides)):
                        found = sides[side](texts[:count])
                        if number >= 0:  # the first is a warm-up
                            speed.setdefault(f"{side}_{count}", []).append(found["total"])
                            slowest.setdefault(f"{side}_{count}", []).append(
                                found["slowest_of_mean"]
                            )
        finally:
            backend.close()
            engine.close()
    median = {name: statistics.median(values) for name, values in speed.items()}
    rows, ratios = {}, {}
    for count, title in ((1, "one stream"), (width, f"{width} at once")):
        server = median[f"server_{count}"]
        rows[f"{title}: llama.cpp's server"] = f"{server:.1f} tokens/s by its own clock"
        for side, name in (("engine", "engine in process"), ("backend", "backend openai")):
            ratios[f"{side}_{count}"] = median[f"{side}_{count}"] / server
            rows[f"{title}: {name}"] = (
                f"{median[f'{side}_{count}']:.1f} tokens/s,"
                f" {ratios[f'{side}_{count}']:.3f} of the server"
            )
    figures = {
        "tokens": tokens,
        "width": width,
        "tokens_per_second": {name: summary(values) for name, values in speed.items()},
        "slowest_of_mean": {name: summary(values) for name, values in slowest.items()},
        "ratio_to_server": ratios,
    }
    report("chat_server", "Clara against llama.cpp's own server", rows, figures)


if __name__ == "__main__":
    main()
