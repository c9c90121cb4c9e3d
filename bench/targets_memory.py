# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figures count of the benchmarks of memory, against whom, and their targets."""

from __future__ import annotations

from collections.abc import Callable

from figures import Figure, Result, at, count, mb, ms, over, percent, plain, ratio, seconds, times


def _peers(kind: str) -> tuple[Figure, ...]:
    names = {
        "clara_memory": "",
        "emem": "emem",
        "robotmem": "robotmem",
        "hipercampo": "hipercampo",
    }
    return tuple(
        Figure(
            f"{kind}: right" + (f", {peer}" if peer else ""),
            over(at("systems", name, kind, "right"), at("systems", name, kind, "asked")),
            percent,
        )
        for name, peer in names.items()
    )


def _best_sql(kind: str) -> Callable[[Result], float]:
    def best(result: Result) -> float:
        return max(each["right"] for name, each in result[kind].items() if name.startswith("SQL"))

    return best


def _ahead(kind: str, way: str) -> Callable[[Result], float]:
    return lambda result: float(result[kind][way]["right"]) - _best_sql(kind)(result)


def _encoding(kind: str, *peers: str) -> tuple[Figure, ...]:
    target = 15.0 if kind == "one" else 100.0
    what = "a record of four pairs" if kind == "one" else "a batch of 256 records"
    return tuple(
        Figure(what, at("times_clara", f"{peer}, {kind}"), times, peer, target) for peer in peers
    )


def _million(name: str) -> Callable[[Result], float]:
    return at("1000000", "seconds", name, "median")


def _same_answers(result: Result) -> float:
    sizes = [each for each in result.values() if "same" in each]
    return sum(each["same"] for each in sizes) / sum(each["queries"] for each in sizes)


# Benchmark: its figures.
MEMORY: dict[str, tuple[Figure, ...]] = {
    "memory_scale": (
        *(
            Figure(
                f"{name}, share of the time",
                over(_million(name), _million("read")),
                plain,
                "reading a million vectors of 1,250 bytes",
                target,
                most=True,
            )
            for name, target in (("role query", 0.15), ("selective cue", 0.03))
        ),
        *(
            Figure(
                "role query, 1,000,000 episodes",
                over(_million(peer), _million("role query")),
                times,
                peer,
                10,
            )
            for peer in ("faiss IndexBinaryFlat", "usearch exact")
        ),
        Figure(
            "exact cue, 1,000,000 episodes",
            over(_million("SQLite, indexed"), _million("role query")),
            ratio,
            "SQLite with a fitting index",
        ),
        Figure("RAM, 1,000,000 episodes", at("1000000", "rss_bytes"), mb, "", 250e6, most=True),
        Figure("opening, 1,000,000 episodes", at("1000000", "open_s"), seconds, "", 5, most=True),
    ),
    "memory_own_values": tuple(
        Figure(f"bytes of RAM an episode, {name}", at("bytes_an_episode", name), count)
        for name in ("a number of its own", "a position of its own", "a text of its own")
    ),
    "memory_accuracy": (
        Figure(
            "one edit in two roles",
            at("one edit in two roles", "memory, forced", "right"),
            percent,
            "",
            0.97,
        ),
        Figure(
            "two edits in two roles, points ahead",
            _ahead("two edits in two roles", "memory, forced"),
            percent,
            "the best of SQL, rapidfuzz, wordllama",
            0,
        ),
        Figure(
            "synonyms, points ahead",
            _ahead("synonym", "memory + meaning, forced"),
            percent,
            "the best of SQL, rapidfuzz, wordllama",
            0.10,
        ),
        Figure(
            "a slip against a thing never seen, AUROC",
            at("abstention, memory", "auroc_slip_against_unseen"),
            plain,
            "",
            0.93,
        ),
        Figure(
            "things never seen taken for known ones",
            at("abstention, memory", "false_answers"),
            percent,
            "",
            0.05,
            most=True,
        ),
    ),
    "memory_exact": (
        Figure("exact cues with the very same answer", _same_answers, percent, "SQL", 1.0),
    ),
    "memory_ranges": tuple(
        Figure(f"{kind}, {door}", at(kind, key, "median"), ms)
        for kind in (
            "no bounds (an object)",
            "a battery of a tenth of the range",
            "within 5 m",
        )
        for door, key in (("memory", "memory"), ("numpy", "numpy"), ("SQL, indexed", "sql"))
    ),
    "memory_query": (
        Figure("what DDS adds to a query, median", at("added_s", "median"), ms, "the library"),
        Figure("what DDS adds to a query, p99", at("added_s", "p99"), ms, "the library"),
    ),
    "memory_under_load": (
        Figure(
            "a query while 100 actions a second come, p99",
            at("under load", "p99"),
            ms,
            "",
            0.020,
            most=True,
        ),
        Figure("actions lost meanwhile", at("dropped"), count, "", 0, most=True),
    ),
    "durability": (
        Figure("acknowledged episodes lost, 200 × `kill -9`", at("lost"), count, "", 0, most=True),
        Figure(
            "appends of 100, each on disk",
            at("speed_against_sqlite"),
            ratio,
            "bare SQLite, same rows and settings",
            0.7,
        ),
    ),
    "memory_peers": (
        *_peers("exact"),
        *_peers("one letter wrong"),
        *_peers("never seen"),
        Figure(
            "append of 100",
            over(
                at("systems", "hipercampo", "append_of_100_s", "median"),
                at("systems", "clara_memory", "append_of_100_s", "median"),
            ),
            times,
            "hipercampo",
            30,
        ),
    ),
    "hdc_encode": (
        *_encoding("one", "torchhd MAP", "torchhd BSC", "holovec BSC", "hdlib"),
        *_encoding("batch", "torchhd MAP", "torchhd BSC"),
    ),
    "gist_capacity": (
        Figure("right from a gist's block of 100 records", at("100", "sums"), percent),
        Figure("the same of 500 records", at("500", "sums"), percent),
    ),
    "memory_design": (),
    "memory_kitchen": tuple(
        Figure(f"{words}, right, {way}", at(f"{kind}: {way}", "right"), percent)
        for kind, words in (
            ("all", "narrated kitchen actions, the verb asked"),
            ("paraphrased", "those named by another word than the one stored"),
        )
        for way in ("memory + meaning", "SQL + wordllama", "SQL + rapidfuzz")
    ),
    "memory_curves": (),
    "chance_resemblance": (),
}
