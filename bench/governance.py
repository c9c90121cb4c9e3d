#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What SIM-ONE's governance heads are worth, on two translations of the Bible.

For each seed a SIM-ONE is trained, and its heads; books of every class are held out from the model
and, by cross-validation, each book from the policy head that judges it. An interval is the hull of
the seeds' 95 % bootstrap intervals, so a head is better only where it is with every seed. Needs
Debian's sword-text-kjv and sword-text-web. What is done is kept in --work and not done again.
Draws docs/images/governance.svg.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from report import report

# One or two of each class, a tenth of the text.
HELD_OUT = (
    *("Deuteronomy", "Ruth", "Esther", "Lamentations", "Ecclesiastes", "Hosea", "Micah"),
    *("Mark", "Galatians", "James", "Revelation"),
)
IMAGE = Path(__file__).resolve().parent.parent / "docs" / "images" / "governance.svg"


def train(options: argparse.Namespace, seed: int) -> None:
    """Train the model of a seed."""
    import torch
    from clara_training.pretrain import pretrain
    from clara_training.pretrain_loop import Execution, PretrainSettings

    from clara_training import simone

    torch.set_num_threads(options.threads)
    simone.SIZES["bench"] = simone.SimoneConfig(
        layers=options.layers, width=256, heads=4, kv_heads=4, inner=512
    )
    settings = PretrainSettings(
        **{"batch_size": options.rows, "max_steps": options.steps, "learning_rate": 2e-3},
        **{"evaluations": 1, "seed": seed},
    )
    pretrain(
        *("simone", options.work / "corpus", run_of(options, seed), settings, Execution()),
        **{"size": "bench", "context": options.context, "tell": print},
    )


def fit(options: argparse.Namespace, seed: int) -> None:
    """Make the heads of a seed's model."""
    import torch
    from clara_training.governance import make_heads
    from clara_training.governance_fit import FitSettings
    from clara_training.governance_states import StatesSettings

    torch.set_num_threads(options.threads)
    make_heads(
        run_of(options, seed),
        states=StatesSettings(seed=seed),
        settings=FitSettings(seed=seed, seeds=1, without_states=True),
        tell=print,
    )


def run_of(options: argparse.Namespace, seed: int) -> Path:
    """Return where a seed's model is."""
    shape = f"{options.layers}x{options.context}-{options.steps}x{options.rows}"
    return Path(options.work) / f"simone-{shape}-seed{seed}"


def peak(work: Callable[..., None], options: argparse.Namespace, seed: int) -> int:
    """Do work in a process of its own and return the most memory that it had, in bytes.

    It is kept, for work that is done already takes little.
    """
    kept = options.work / f"{run_of(options, seed).name}.{work.__name__}.bytes"
    if not kept.is_file():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            most = pool.apply(_peak, (work, (options, seed)))
        kept.write_text(f"{most}\n", encoding="utf-8")
    return int(kept.read_text(encoding="utf-8"))


def _peak(work: Callable[..., None], arguments: tuple[Any, ...]) -> int:
    work(*arguments)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def hull(estimates: list[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of the seeds' values, and the hull of their intervals."""
    return {
        "value": round(statistics.fmean(each["value"] for each in estimates), 4),
        "low": min(each["low"] for each in estimates),
        "high": max(each["high"] for each in estimates),
    }


def shown(estimate: Mapping[str, float], sign: str = "") -> str:
    """Return an estimate for people."""
    low, high = (f"{estimate[name]:{sign}.3f}" for name in ("low", "high"))
    return f"{estimate['value']:{sign}.3f} [{low}, {high}]"


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="keeps what is done already")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rows", type=int, default=8, help="of a step")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    from clara_training.corpus import CorpusSettings, make_corpus
    from clara_training.governance_file import GOVERNANCE_FILE, HEADS
    from clara_training.manifest import read_manifest

    settings = CorpusSettings(vocab_size=options.vocabulary, held_out=HELD_OUT)
    make_corpus(None, options.work / "corpus", settings, tell=print)
    found, models, memory = [], [], []
    for seed in range(options.seeds):
        training = peak(train, options, seed)
        memory.append((training, peak(fit, options, seed)))
        run = run_of(options, seed)
        models.append(read_manifest(run / "best_model")["metrics"])
        found.append(read_manifest(run / GOVERNANCE_FILE)["metrics"])
        found[-1]["file_bytes"] = (run / GOVERNANCE_FILE).stat().st_size
    bits = statistics.fmean(model["best"] for model in models)
    size, read = models[0]["parameters"], models[0]["tokens"]
    rows = {
        "SIM-ONE": f"{size / 1e6:.1f} M parameters, {read} tokens read, {bits:.3f} held-out bits"
        " per byte",
    }
    figures: dict[str, object] = {
        **{name: value for name, value in vars(options).items() if name != "work"},
        **{"held_out_bits_per_byte": bits, "parameters": size},
    }
    for head in HEADS:
        of = [each[head] for each in found]
        value = hull([each["value"] for each in of])
        rows[f"{head}: {of[0]['metric']}"] = shown(value)
        figures[head] = {"metric": of[0]["metric"], "value": value, "baselines": {}, "gain": {}}
        for name in of[0]["baselines"]:
            baseline = hull([each["baselines"][name] for each in of])
            gain = hull([each["gain"][name] for each in of])
            verdict = "better" if gain["low"] > 0 else "NOT better"
            rows[f"  {name}"] = f"{shown(baseline)}; head {verdict} ({shown(gain, '+')})"
            figures[head]["baselines"][name] = baseline
            figures[head]["gain"][name] = gain
        figures[head]["useful"] = [each["useful"] for each in of]
        if "without_states" in of[0]:
            blind, gain = (
                hull([each["without_states"][name] for each in of]) for name in ("value", "gain")
            )
            figures[head]["without_states"] = {"value": blind, "gain": gain}
            rows[f"  {head} without states"] = f"{shown(blind)}; states add {shown(gain, '+')}"
        for name, estimate in of[0].items():
            more = isinstance(estimate, dict) and estimate.keys() == {"value", "low", "high"}
            if more and name != "value" and all(None not in each[name].values() for each in of):
                figures[head][name] = hull([each[name] for each in of])
                rows[f"  {name.replace('_', ' ')}"] = shown(figures[head][name])
            elif name.endswith("_of_baselines"):
                figures[head][name] = {
                    baseline: hull([each[name][baseline] for each in of]) for baseline in estimate
                }
                for baseline, each in figures[head][name].items():
                    label = f"  {name.replace('_of_baselines', '').replace('_', ' ')}: {baseline}"
                    rows[label] = shown(each)
    share = statistics.fmean(each["share_of_training"] for each in found)
    seconds = statistics.fmean(sum(each["seconds"].values()) for each in found)
    trained = statistics.fmean(model["seconds"] for model in models)
    rows["time"] = f"{seconds:.0f} s for the heads, {trained:.0f} s for the model: {share:.0%}"
    for name, at in (("the model", 0), ("the heads", 1)):
        most = max(each[at] for each in memory)
        rows[f"memory, {name}"] = f"{most / 1e6:.0f} MB at most (the whole process)"
        figures[f"memory_bytes_{name.split()[1]}"] = most
    rows["on disk"] = (
        f"{found[0]['file_bytes'] / 1e3:.0f} kB of heads; {found[0]['states_bytes'] / 1e6:.0f} MB"
        " of states, which may be deleted"
    )
    figures |= {"share_of_training": share, "seconds": seconds, "training_seconds": trained}
    figures |= {"file_bytes": found[0]["file_bytes"], "states_bytes": found[0]["states_bytes"]}
    draw(found)
    report("governance", f"Governance heads, {options.seeds} seeds", rows, figures)


def draw(found: list[dict[str, Any]]) -> None:
    """Draw the reliability curves of policy and trace, a line for each seed."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams |= {"svg.hashsalt": "clara", "svg.fonttype": "none", "font.size": 9}
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    for axis, head, curves in (
        (left, "policy", {"reliability": ("#2a6f97", "policy head")}),
        (
            right,
            "trace",
            {
                "reliability_of_entropy": ("#e09f3e", "entropy"),
                "reliability": ("#2a6f97", "trace head"),
            },
        ),
    ):
        most = 0.0
        for name, (colour, label) in curves.items():
            for number, each in enumerate(found):
                expected, happened, _ = zip(*each[head][name], strict=True)
                most = max(most, *expected, *happened)
                axis.plot(
                    *(expected, happened),
                    color=colour,
                    marker="o",
                    markersize=3,
                    linewidth=1.2,
                    label=label if not number else None,
                )
        axis.plot([0, most], [0, most], color="#999999", linewidth=0.8, linestyle="--")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="upper left")
    left.set_xlabel("probability that the head gives its class")
    left.set_ylabel("share that is right")
    right.set_xlabel("expected nats of the next token")
    right.set_ylabel("nats that it cost")
    figure.savefig(IMAGE, metadata={"Date": None})
    print(f"drawn to {IMAGE.relative_to(IMAGE.parents[2])}")


if __name__ == "__main__":
    main()
