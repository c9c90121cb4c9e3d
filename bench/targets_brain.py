# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figures count of the benchmarks of the brain, against whom, and their targets."""

from __future__ import annotations

from figures import Figure, Result, at, count, ms, over, percent, plain, ratio, small, times


def _engine(weights: str) -> tuple[Figure, ...]:
    return (
        Figure(
            f"one stream, {weights}",
            at(weights, "stream_ratio"),
            ratio,
            "bare llama-cpp-python",
            0.97,
        ),
        Figure(
            f"four at once, {weights}",
            at(weights, "batch_ratio"),
            ratio,
            "a bare batch of llama.cpp",
            0.95,
        ),
        Figure(
            f"slowest of the four, of their mean, {weights}",
            at(weights, "engine_batch_slowest", "median"),
            plain,
            "",
            0.6,
        ),
    )


def _wrong_actions(result: Result) -> float:
    return sum(len(each["wrong"]) for each in result.values() if "wrong" in each)


def _obeyed(result: Result) -> float:
    sets = [each for each in result.values() if "obeyed" in each]
    return sum(each["obeyed"] for each in sets) / sum(each["orders"] for each in sets)


# Benchmark: its figures.
BRAIN: dict[str, tuple[Figure, ...]] = {
    "chat_overhead": (
        Figure(
            "`chat` over ROS, tokens/s",
            at("ratio_of_medians"),
            ratio,
            "bare llama-cpp-python",
            0.95,
        ),
        Figure(
            "time to first token that ROS adds",
            at("added_time_to_first_token_s", "median"),
            ms,
            "bare llama-cpp-python",
            0.015,
            most=True,
        ),
    ),
    "engine_speed": (*_engine("Q4_1"), *_engine("Q8_0"), *_engine("F16")),
    "busy_cores": tuple(
        Figure(
            f"writing, {said}",
            at(name, "ratio"),
            ratio,
            "llama-cpp-python as it comes",
        )
        for name, said in (
            ("idle", "idle cores"),
            ("one busy", "one core busy"),
            ("all busy", "all cores busy"),
        )
    ),
    "chat_server": (
        Figure(
            "one stream",
            at("ratio_to_server", "engine_1"),
            ratio,
            "llama.cpp's own server",
            0.95,
        ),
        Figure("four at once", at("ratio_to_server", "engine_4"), ratio, "llama.cpp's own server"),
        Figure(
            "one stream, backend `openai`",
            at("ratio_to_server", "backend_1"),
            ratio,
            "the server that it talks to",
        ),
    ),
    "prefix_cache": tuple(
        Figure(what, at("times_as_fast", key), times, "the same prompt, cold", target)
        for key, what, target in (
            ("same", "first token, 3,500 tokens seen before", 50.0),
            ("new_tail", "the same with a new tail", 5.0),
            ("restart", "the same after a restart", 20.0),
        )
    ),
    "chat_streaming": (
        Figure(
            "pieces of text lost, three clients at once",
            lambda result: result["chunks"]["sent"] - result["chunks"]["received"],
            count,
            "",
            0,
            most=True,
        ),
        Figure("cancel to result", at("cancel_s", "p99"), ms, "", 0.1, most=True),
        Figure(
            "a service while every slot generates, p99",
            at("service_s", "p99"),
            ms,
            "",
            0.05,
            most=True,
        ),
    ),
    "sentences": (
        Figure("from `say` to the first sentence", at("first_s", "median"), ms),
        Figure("from `say` to the whole reply", at("whole_s", "median"), ms),
        Figure(
            "the first sentence, of the time to the whole reply",
            over(at("first_s", "median"), at("whole_s", "median")),
            ratio,
            "`reply`",
            0.5,
            most=True,
        ),
        Figure("sentences lost", at("lost"), count, "", 0, most=True),
    ),
    "chat_soak": (
        Figure("turns", at("turns"), count),
        Figure(
            "memory at the end, of that after a tenth of them",
            over(at("at_the_end", "rss_mb"), at("after_a_tenth", "rss_mb")),
            ratio,
        ),
    ),
    "personality": tuple(
        Figure(
            f"{trait} by the prompt, 0 to 1, nats a token",
            at("curves", "prompt", trait, "gain"),
            plain,
        )
        for trait in ("warmth", "playful", "formal", "encouragement")
    ),
    "skills": (
        Figure(
            "wrong actions, 317 utterances for three robots",
            _wrong_actions,
            count,
            "",
            0,
            True,
        ),
        Figure("orders obeyed", _obeyed, percent),
    ),
    "skills_robots": (
        Figure(
            "wrong actions, 2,267 utterances for eight robots",
            at("all", "wrong"),
            count,
            "",
            0,
            True,
        ),
        Figure("stops missed, of 216", at("all", "stops_missed"), count, "", 0, True),
        Figure(
            "orders obeyed, of 750",
            over(at("all", "obeyed"), at("all", "orders")),
            percent,
        ),
    ),
    "plans": (
        Figure(
            "wrong, 542 utterances of several steps, or like it",
            at("all", "wrong"),
            count,
            "",
            0,
            True,
        ),
        Figure(
            "plans obeyed, of 120",
            over(at("all", "obeyed"), at("all", "plans")),
            percent,
        ),
    ),
    "promises": (
        Figure(
            "promises of what no skill does, 30 orders",
            at("orders after three obeyed orders", "promised_held"),
            count,
            "",
            1,
            True,
        ),
        Figure(
            "the same by the model alone",
            at("orders after three obeyed orders", "promised"),
            count,
        ),
        Figure(
            "talk taken for a promise, 15 sentences",
            at("talk after three obeyed orders", "replaced"),
            count,
            "",
            1,
            True,
        ),
    ),
    "sliders": (
        Figure(
            "live adapters, KL",
            at("kl_live"),
            small,
            "the offline merge",
            1e-5,
            most=True,
        ),
        Figure(
            "setting eight sliders",
            over(at("reload_seconds"), at("set_seconds")),
            times,
            "loading a merged model",
        ),
    ),
}
