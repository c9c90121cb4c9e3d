#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a slider does to what Clara would say, without anybody judging what she says.

For the held-out examples of a trait: the log-probability of the reply with much of the trait less
that of the reply with little, per token (nats), with the slider at five places from 0 to 1. Once
with the slider in the system prompt, as the brain writes it, the other sliders in the middle; and
with --adapters FOLDER, as `clara-train run` makes it, once with the trait's adapter at that scale.
Draws docs/images/personality.svg where matplotlib is installed.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

from clara_brain.chat_template import ChatTemplate, Message
from clara_brain.model_info import default_model
from clara_brain.persona import SLIDERS, TRAITS, system_prompt
from clara_training.examples import TraitExample, conversation, split
from clara_training.gguf_scores import GgufScores
from clara_training.starter import starter_examples
from report import report

PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
IMAGE = Path(__file__).resolve().parent.parent / "docs" / "images" / "personality.svg"


def margins(
    model: GgufScores, template: ChatTemplate, system: str, examples: list[TraitExample]
) -> list[float]:
    """Return the margin of each example under a system prompt, in nats a token."""
    found = []
    for example in examples:
        user, high = conversation(example, "high")
        low = conversation(example, "low")[1]
        prompt = template.render([Message("system", system), Message("user", user)])
        replies = [model.tokens(reply) for reply in (high, low)]
        sums = model.log_probabilities(model.tokens(prompt), replies)
        per_token = [total / len(reply) for total, reply in zip(sums, replies, strict=True)]
        found.append(per_token[0] - per_token[1])
    return found


def by_prompt(trait: str, value: float) -> str:
    """Return the system prompt with one slider moved."""
    return system_prompt({**dict.fromkeys(SLIDERS, 0.5), trait: value})


def curve(measure: Callable[[float], list[float]]) -> dict[str, object]:
    """Return mean margin at each place, its standard error, and whether it only ever rises."""
    at = [measure(value) for value in PLACES]
    means = [statistics.fmean(values) for values in at]
    # Against the slider at its lowest, pair by pair: the examples differ more than the sliders do.
    gains = [high - low for high, low in zip(at[-1], at[0], strict=True)]
    return {
        "slider": PLACES,
        "margin": means,
        "gain": statistics.fmean(gains),
        "gain_error": statistics.stdev(gains) / len(gains) ** 0.5,
        "rises_everywhere": all(b >= a for a, b in itertools.pairwise(means)),
        "examples": len(gains),
    }


def draw(curves: dict[str, dict[str, dict[str, object]]]) -> None:
    """Draw the curves of each mechanism side by side."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "clara"
    pyplot.rcParams["svg.fonttype"] = "none"
    figure, axes = pyplot.subplots(
        1, len(curves), figsize=(4.5 * len(curves), 3.6), sharey=True, squeeze=False
    )
    for axis, (mechanism, traits) in zip(axes[0], curves.items(), strict=True):
        for trait, values in traits.items():
            axis.plot(values["slider"], values["margin"], marker="o", label=trait)
        axis.set_title(f"by {mechanism}")
        axis.set_xlabel("slider")
        axis.axhline(0.0, color="0.7", linewidth=0.8)
    axes[0][0].set_ylabel("margin of much over little,\nnats a token")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(IMAGE, metadata={"Date": None})
    print(f"drawn {IMAGE.relative_to(IMAGE.parents[2])}")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--adapters", type=Path, help="folder of GGUF adapters named after traits")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--examples", type=int, help="held-out examples of each trait at most")
    options = parser.parse_args()
    curves: dict[str, dict[str, dict[str, object]]] = {"prompt": {}}
    with GgufScores(options.model, n_ctx=1024, threads=options.threads) as model:
        template = ChatTemplate(model.metadata("tokenizer.chat_template"), "", "<|im_end|>")
        for trait in TRAITS:
            held = split(starter_examples(trait, trait=True))[1][: options.examples]
            curves["prompt"][trait] = curve(
                lambda value, t=trait, e=held: margins(model, template, by_prompt(t, value), e)
            )
            path = options.adapters / f"{trait}.gguf" if options.adapters else None
            if path and path.is_file():
                model.load_adapter(trait, path)

                def scaled(value: float, t: str = trait, e: list = held) -> list[float]:
                    model.use({t: value})
                    found = margins(model, template, by_prompt(t, 0.5), e)
                    model.use({})
                    return found

                curves.setdefault("adapter", {})[trait] = curve(scaled)
    rows = {}
    for mechanism, traits in curves.items():
        for trait, found in traits.items():
            rows[f"{trait} by {mechanism}"] = (
                " ".join(f"{value:+.2f}" for value in found["margin"])
                + f"; from 0 to 1: {found['gain']:+.2f} ± {1.96 * found['gain_error']:.2f}"
                + ("" if found["rises_everywhere"] else " (not everywhere rising)")
            )
    report("personality", "margin of much over little, nats a token", rows, {"curves": curves})
    draw(curves)


if __name__ == "__main__":
    main()
