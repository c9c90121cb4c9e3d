#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine against bare llama.cpp: one stream, and several conversations at once.

One stream is compared with `llama_cpp.Llama.generate`; several at once with a hand-written loop
over llama.cpp's batch API that has nothing but the decode and a greedy sampler in it. Both sides
get the same tokens, threads and context; the end of the text is ruled out, or ignored, so that all
write the same number of tokens. Times are from the first token to the last, so no prefill is in
them. Turn about, on the SmolLM2 that ships and on the same weights as Q8_0 and f16.

Each side has a process of its own, as it would have in use: OpenMP gives every thread that calls
llama.cpp a pool, and with more pools in a process than cores it makes all of them slower.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import llama_cpp
from clara_brain.decoding import Completion
from clara_brain.engine import Engine, Request
from clara_brain.model_info import default_model
from clara_brain.prompt import RawPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings
from report import report, summary

PROMPTS = (
    "Tell me a long story about the sea.",
    "How does a bicycle stay upright?",
    "List everything that grows in a garden.",
    "What happens in a harbour all day?",
    "Describe a long walk through snow.",
    "Why do people keep clocks?",
    "How is bread made, step by step?",
    "What would a robot do on the moon?",
)
TYPES = {"Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16}


class BareBatch:
    """llama.cpp with a sequence for each prompt and nothing around it."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = settings.n_ctx * settings.slots
        params.n_seq_max = settings.slots
        params.kv_unified = False
        params.n_batch = params.n_ubatch = settings.n_batch
        params.n_threads = params.n_threads_batch = settings.threads()
        self._model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._batch = llama_cpp.llama_batch_init(settings.n_batch, 0, 1)

    def tokens_per_second(self, prompts: list[list[int]], tokens: int, ruled_out: list) -> float:
        """Decode the prompts, then `tokens` for each in one batch a step."""
        memory = llama_cpp.llama_get_memory(self._context)
        llama_cpp.llama_memory_clear(memory, True)
        samplers = [_greedy(self._vocab, ruled_out) for _ in prompts]
        last = []
        for sequence, prompt in enumerate(prompts):
            rows = [(token, place, sequence) for place, token in enumerate(prompt)]
            self._decode(rows, logits_last=True)
            last.append(llama_cpp.llama_sampler_sample(samplers[sequence], self._context, -1))
        began = time.perf_counter()
        for step in range(tokens - 1):
            rows = [(last[s], len(prompts[s]) + step, s) for s in range(len(prompts))]
            self._decode(rows, logits_last=False)
            last = [
                llama_cpp.llama_sampler_sample(samplers[s], self._context, s)
                for s in range(len(prompts))
            ]
        seconds = time.perf_counter() - began
        for sampler in samplers:
            llama_cpp.llama_sampler_free(sampler)
        return len(prompts) * (tokens - 1) / seconds

    def _decode(self, rows: list[tuple[int, int, int]], logits_last: bool) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for row, (token, place, sequence) in enumerate(rows):
            batch.token[row], batch.pos[row] = token, place
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
            batch.logits[row] = not logits_last or row == len(rows) - 1
        if llama_cpp.llama_decode(self._context, batch):
            raise RuntimeError("llama_decode failed")

    def close(self) -> None:
        """Free everything."""
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


def _greedy(vocab: object, ruled_out: list[tuple[int, float]]) -> object:
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    biases = (llama_cpp.llama_logit_bias * len(ruled_out))()
    for place, (token, bias) in enumerate(ruled_out):
        biases[place].token, biases[place].bias = token, bias
    size = llama_cpp.llama_vocab_n_tokens(vocab)
    for link in (
        llama_cpp.llama_sampler_init_logit_bias(size, len(ruled_out), biases),
        llama_cpp.llama_sampler_init_greedy(),
    ):
        llama_cpp.llama_sampler_chain_add(chain, link)
    return chain


def engine_speed(engine: Engine, texts: tuple[str, ...], tokens: int, ruled_out: list) -> dict:
    """Return total tokens/s of completions at once, and the slowest against their mean."""
    sampling = SamplerSettings(0.0, 1.0, 0, 0.0, 1.0, 0, logit_bias=tuple(ruled_out))
    first: list[float] = [0.0] * len(texts)
    last: list[float] = [0.0] * len(texts)
    got: list[Completion] = [Completion()] * len(texts)
    done = threading.Semaphore(0)

    def submit(place: int, text: str) -> None:
        def on_token(delta: str) -> None:
            last[place] = time.perf_counter()
            first[place] = first[place] or last[place]

        def on_done(completion: Completion) -> None:
            got[place] = completion
            done.release()

        engine.submit(Request(RawPrompt(text), sampling, tokens), on_token, on_done)

    for place, text in enumerate(texts):
        submit(place, text)
    for _ in texts:
        done.acquire()
    for completion in got:
        if completion.error or completion.completion_tokens != tokens:
            raise RuntimeError(f"a completion was cut short: {completion}")
    own = [each.tokens_per_second for each in got]
    # All of them run from the last first token on until the first last one.
    seconds = statistics.mean(last) - statistics.mean(first)
    return {
        "total": len(texts) * (tokens - 1) / seconds,
        "slowest_of_mean": min(own) / statistics.mean(own),
    }


def bare_stream(model: llama_cpp.Llama, prompt: list[int], tokens: int) -> float:
    """Return tokens/s of llama-cpp-python's own generator, which goes on after the text's end."""
    model.reset()
    began, count = 0.0, 0
    for _ in model.generate(prompt, temp=0.0, repeat_penalty=1.0):
        count += 1
        began = began or time.perf_counter()
        if count == tokens:
            break
    return (count - 1) / (time.perf_counter() - began)


def requantized(folder: Path, name: str) -> Path:
    """Return the shipped model with its weights as another type."""
    path = folder / f"{name}.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize = TYPES[name], True
    if llama_cpp.llama_model_quantize(str(default_model()).encode(), str(path).encode(), params):
        raise RuntimeError(f"llama.cpp could not write {path}")
    return path


def serve(
    kind: str, path: Path, width: int, tokens: int, ends: list[tuple[int, float]], pipe: Connection
) -> None:
    """Run one side in this process: take prompts from the pipe, send tokens/s back."""
    settings = EngineSettings(n_ctx=512, slots=width)
    if kind == "engine":
        engine = Engine(path, settings)

        def run(texts: tuple[str, ...], prompts: list[list[int]]) -> dict[str, float]:
            return engine_speed(engine, texts, tokens, ends)
    elif kind == "bare_batch":
        bare = BareBatch(path, settings)

        def run(texts: tuple[str, ...], prompts: list[list[int]]) -> dict[str, float]:
            return {"total": bare.tokens_per_second(prompts, tokens, ends)}
    else:
        stream = llama_cpp.Llama(
            str(path),
            n_ctx=settings.n_ctx,
            n_batch=settings.n_batch,
            n_ubatch=settings.n_batch,
            n_threads=settings.threads(),
            n_threads_batch=settings.threads(),
            verbose=False,
        )

        def run(texts: tuple[str, ...], prompts: list[list[int]]) -> dict[str, float]:
            return {"total": bare_stream(stream, prompts[0], tokens)}

    pipe.send("ready")
    while work := pipe.recv():
        pipe.send(run(*work))
    if kind == "engine":
        engine.close()


def measure(path: Path, width: int, rounds: int, tokens: int) -> dict[str, dict[str, object]]:
    """Return the speeds of one model."""
    spawn = multiprocessing.get_context("spawn")
    vocab = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    ends = [(token, float("-inf")) for token in _ends(vocab)]
    pipes: dict[str, Connection] = {}
    for kind in ("bare_stream", "bare_batch", "engine"):
        pipes[kind], theirs = spawn.Pipe()
        arguments = (kind, path, width, tokens, ends, theirs)
        spawn.Process(target=serve, args=arguments, daemon=True).start()
        pipes[kind].recv()
    sides = {
        "bare_stream": ("bare_stream", 1),
        "engine_stream": ("engine", 1),
        "bare_batch": ("bare_batch", width),
        "engine_batch": ("engine", width),
    }
    found: dict[str, list[float]] = {}
    for number in range(-1, rounds):
        texts = tuple(PROMPTS[(number + place) % len(PROMPTS)] for place in range(width))
        for side in list(sides) if number % 2 else reversed(list(sides)):
            kind, count = sides[side]
            prompts = [vocab.tokenize(text.encode(), add_bos=True) for text in texts[:count]]
            pipes[kind].send((texts[:count], prompts))
            value = pipes[kind].recv()
            if number < 0:
                continue  # a warm-up
            found.setdefault(side, []).append(value["total"])
            if "slowest_of_mean" in value:
                found.setdefault(f"{side}_slowest", []).append(value["slowest_of_mean"])
    for pipe in pipes.values():
        pipe.send(())
    return {name: summary(values) for name, values in found.items()}


def _ends(model: llama_cpp.Llama) -> list[int]:
    vocab = llama_cpp.llama_model_get_vocab(model.model)
    size = llama_cpp.llama_vocab_n_tokens(vocab)
    return [token for token in range(size) if llama_cpp.llama_vocab_is_eog(vocab, token)]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--width", type=int, default=4)
    options = parser.parse_args()
    rows, figures = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Q4_1", *TYPES):
            path = default_model() if name == "Q4_1" else requantized(Path(folder), name)
            found = measure(path, options.width, options.rounds, options.tokens)
            median = {side: float(values["median"]) for side, values in found.items()}
            one = median["engine_stream"] / median["bare_stream"]
            many = median["engine_batch"] / median["bare_batch"]
            rows[f"{name}: one stream"] = (
                f"{median['engine_stream']:.1f} tokens/s, {one:.3f} of bare llama-cpp-python"
            )
            rows[f"{name}: {options.width} at once"] = (
                f"{median['engine_batch']:.1f} tokens/s, {many:.3f} of a bare batch,"
                f" {median['engine_batch'] / median['engine_stream']:.2f} times one stream;"
                f" slowest {median['engine_batch_slowest']:.2f} of the mean"
            )
            figures[name] = {**found, "stream_ratio": one, "batch_ratio": many}
    report("engine_speed", "the engine against bare llama.cpp", rows, figures)


if __name__ == "__main__":
    main()
