#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Encoding episodes as codes: one record of four role-filler pairs, and batches of 256.

Everybody starts from the codes of roles and fillers at 10,000 dimensions, binds them pair by pair
and bundles the four, turn about in one process. Peers are measured where they are installed:
`pip install torch-hd holovec hdlib`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from clara_memory.hdc import Space
from report import report, summary

BATCH = 256
PAIRS = 4
Work = Callable[[], object]


def ours() -> dict[str, Work]:
    """Return our two."""
    space = Space()
    roles = space.symbols(["subject", "action", "object", "result"])
    fillers = space.random(BATCH * PAIRS, np.random.default_rng(1))
    batch = fillers.reshape(BATCH, PAIRS, space.words)
    one = batch[0]
    return {
        "clara, one": lambda: space.record(roles, one),
        "clara, batch": lambda: space.record(roles, batch),
    }


def torchhd_ways() -> dict[str, Work]:
    """Return torchhd's MAP and BSC."""
    import torch
    import torchhd

    found: dict[str, Work] = {}
    for model in ("MAP", "BSC"):
        roles = torchhd.random(PAIRS, 10_000, model)
        batch = torchhd.random(BATCH * PAIRS, 10_000, model).reshape(BATCH, PAIRS, 10_000)
        one = batch[0]

        def encode(fillers: torch.Tensor, roles: torch.Tensor = roles) -> torch.Tensor:
            return torchhd.multibundle(torchhd.bind(roles.expand_as(fillers), fillers))

        found[f"torchhd {model}, one"] = lambda one=one, encode=encode: encode(one)
        found[f"torchhd {model}, batch"] = lambda batch=batch, encode=encode: encode(batch)
    return found


def holovec_ways() -> dict[str, Work]:
    """Return holovec's BSC."""
    import holovec

    model = holovec.VSA.create("BSC", dim=10_000, seed=1)
    roles = [model.random(seed=number) for number in range(PAIRS)]
    fillers = [model.random(seed=100 + number) for number in range(PAIRS)]

    def one() -> object:
        return model.bundle([model.bind(r, f) for r, f in zip(roles, fillers, strict=True)])

    return {"holovec BSC, one": one}


def hdlib_ways() -> dict[str, Work]:
    """Return hdlib."""
    from hdlib.arithmetic import bind, bundle
    from hdlib.vector import Vector

    roles = [Vector(size=10_000, vtype="bipolar") for _ in range(PAIRS)]
    fillers = [Vector(size=10_000, vtype="bipolar") for _ in range(PAIRS)]

    def one() -> object:
        whole = bind(roles[0], fillers[0])
        for role, filler in zip(roles[1:], fillers[1:], strict=True):
            whole = bundle(whole, bind(role, filler))
        return whole

    return {"hdlib, one": one}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    options = parser.parse_args()
    ways = ours()
    for name, peer in (
        ("torchhd", torchhd_ways),
        ("holovec", holovec_ways),
        ("hdlib", hdlib_ways),
    ):
        try:
            ways |= peer()
        except ImportError as error:
            print(f"{name} is not installed ({error})")
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-3, options.rounds):
        for name, work in ways.items():
            if name.endswith("batch") and turn >= max(10, options.rounds // 50):
                continue
            began = time.perf_counter()
            work()
            if turn >= 0:
                taken[name].append(time.perf_counter() - began)
    median = {name: statistics.median(values) for name, values in taken.items()}
    rows = {}
    for name, value in median.items():
        kind = name.rsplit(", ", 1)[1]
        share = value / median[f"clara, {kind}"]
        count = BATCH if kind == "batch" else 1
        rows[name] = (
            f"{value / count * 1e6:9.2f} us a record, {share:7.1f} x clara (n={len(taken[name])})"
        )
    figures: dict[str, object] = {
        "seconds": {name: summary(values) for name, values in taken.items()},
        "times_clara": {
            name: value / median[f"clara, {name.rsplit(', ', 1)[1]}"]
            for name, value in median.items()
        },
    }
    report("hdc_encode", "Encoding records of four pairs, 10,000 dimensions", rows, figures)


if __name__ == "__main__":
    main()
