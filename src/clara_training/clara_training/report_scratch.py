# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`report.html` of models from scratch: curves, figures and samples, of two side by side.

Like the report of a merged model it needs nothing from anywhere, and every text is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from clara_training import report_plots as plots
from clara_training.atomic import atomic_text
from clara_training.errors import ValidationError
from clara_training.pretrain_export import NAMES
from clara_training.report import document, gate_table, section, table
from clara_training.validate_scratch import RESULT

Results = Mapping[str, Mapping[str, Any]]
_BASELINES = {"trigrams": "trigrams", "another": "another passage"}
_SPLITS = {"train": "learned", "held_out": "held out"}


def write_scratch_report(runs: Sequence[Path], path: Path | None = None) -> Path:
    """Write the report of validated runs, and return its path.

    Without a path it is `report.html` in the run, of several runs in the folder they share.
    Raises ValidationError when one was not validated, StorageError.
    """
    results = {}
    for run in runs:
        try:
            found = json.loads((run / RESULT).read_text(encoding="utf-8"))
            name = NAMES[found["from_scratch"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValidationError(
                f"{run / RESULT} cannot be read ({error}): run clara-train validate {run} first"
            ) from error
        # Two of a kind are told apart by their folders.
        results[f"{name} ({run.name})" if name in results else name] = found
    if path is None:
        folder = runs[0] if len(runs) == 1 else _shared(runs)
        path = folder / "report.html"
    atomic_text(path, page(results))
    return path


def _shared(runs: Sequence[Path]) -> Path:
    first = runs[0].resolve().parent
    while not all(run.resolve().is_relative_to(first) for run in runs):
        first = first.parent
    return first


def page(results: Results) -> str:
    """Return the whole page of one model or several, by name."""
    title = " and ".join(results)
    parts = [
        f"<h1>{escape(title)}</h1><p>Trained from scratch, and measured on text that was held"
        " out. What is asked of a model is asked of its Q8_0 GGUF in llama.cpp.</p>",
        section("At a glance", _equal(results), _glance(results)),
        section(
            "Training",
            "Held-out bits per byte after so many tokens; lower is better.",
            plots.curves(_history(results), "million tokens", "held-out bits per byte"),
        ),
        *(
            section(f"Gates of {name}", "What every run must reach.", gate_table(each["gates"]))
            for name, each in results.items()
        ),
        section(
            "Held-out books",
            "Bits per byte, and the perplexity of a token, which depends on the tokenizer.",
            _books(results),
        ),
        section(
            "Recall",
            "The first eight tokens of a passage are given; how alike is the rest (1 - edit"
            " distance / length), at temperature 0? Beside it the likeliest words by trigrams of"
            " the training text, and the end of another passage. Much on learned passages and"
            " little on others is learning by heart.",
            _recall_plot(results) + _recall(results),
        ),
        section(
            "References and coherence",
            "References: under which of up to eight documents' beginnings (as a chapter's name) is"
            " a passage the likeliest. Coherence: is what follows a passage told from what follows"
            " others. Mean with standard error.",
            _choices(results),
        ),
        section(
            "Repetition",
            "Share of different words and pairs over all samples, and of four-grams that a text"
            " had before; people are the held-out text's own.",
            _repetition(results),
        ),
        section("Files", "Fidelity to the model in fp32, on held-out text.", _files(results)),
        *_governance(results),
        section(
            "In their own words",
            "Held-out passages are begun, and the model goes on: drawn at temperature 0.8, and"
            " the likeliest.",
            _samples(results),
        ),
    ]
    return document(title, parts)


def _equal(results: Results) -> str:
    if len(results) < 2:
        return "What was trained, and what it has learned."
    found = [each["training"] for each in results.values()]

    def apart(key: str) -> float:
        values = [float(each[key]) for each in found]
        return max(values) / max(min(values), 1e-9) - 1

    return (
        f"Parameters differ by {apart('parameters'):.1%}, tokens seen by {apart('tokens'):.1%},"
        f" arithmetic by {apart('operations'):.1%}. One seed each: a small difference proves"
        " nothing."
    )


def _glance(results: Results) -> str:
    rows: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("parameters", lambda r: f"{r['training']['parameters'] / 1e6:.1f} M"),
        ("context, vocabulary", lambda r: _shape(r["training"])),
        ("steps", lambda r: f"{r['training']['step']}, best {r['training']['best_step']}"),
        ("tokens seen", lambda r: f"{r['training']['tokens'] / 1e6:.2f} M"),
        ("operations", lambda r: f"{r['training']['operations']:.2e} FLOP"),
        ("time of the steps", lambda r: f"{r['training']['seconds'] / 60:.1f} min"),
        ("held-out bits per byte", lambda r: f"{r['held_out']['bits_per_byte']:.4f}"),
        ("the same by token frequencies", lambda r: f"{r['held_out']['without_order']:.4f}"),
        ("held-out perplexity", lambda r: f"{r['held_out']['perplexity']:.2f}"),
        ("generated, Q8_0", lambda r: f"{r['tokens_per_second']:.0f} tokens/s"),
    ]
    cells = [(label, *(show(each) for each in results.values())) for label, show in rows]
    return _numbers(("", *map(escape, results)), cells)


def _shape(training: Mapping[str, Any]) -> str:
    return f"{training['context']}, {training['vocab_size']}"


def _history(results: Results) -> dict[str, list[tuple[float, float]]]:
    return {
        name: [
            (point["tokens"] / 1e6, point["held_out_bits_per_byte"])
            for point in each["training"]["history"]
        ]
        for name, each in results.items()
    }


def _books(results: Results) -> str:
    books = sorted({book for each in results.values() for book in each["held_out"]["books"]})
    head = ["book", *(f"{name}: {what}" for name in results for what in ("bits", "perplexity"))]
    rows = []
    for book in [*books, ""]:
        row = [escape(book) or "all"]
        for each in results.values():
            found = each["held_out"]["books"].get(book) if book else each["held_out"]
            row += (
                [f"{found['bits_per_byte']:.4f}", f"{found['perplexity']:.2f}"]
                if found
                else ["", ""]
            )
        rows.append(row)
    return _numbers(head, rows)


def _recall_plot(results: Results) -> str:
    recalled = _recalled(results)
    return plots.groups(recalled, "edit similarity") if any(recalled.values()) else ""


def _recalled(results: Results) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for split, label in _SPLITS.items():
        bars: dict[str, float] = {}
        for name, each in results.items():
            if not each["recall"][split]:  # no passage fitted
                continue
            bars[name] = each["recall"][split]["model"]["similarity"]["value"]
            for baseline in _sources(each["recall"][split])[1:]:
                bars.setdefault(
                    _BASELINES[baseline], each["recall"][split][baseline]["similarity"]["value"]
                )
        found[label] = bars
    return found


def _sources(recall: Mapping[str, Any]) -> list[str]:
    """Return whose words were compared: the model's first, then the baselines."""
    return [name for name in ("model", "trigrams", "another") if name in recall]


def _recall(results: Results) -> str:
    rows = [
        (
            escape(label),
            escape(name if source == "model" else _BASELINES[source]),
            _mean(each["recall"][split][source]["exact"], percent=True),
            _mean(each["recall"][split][source]["similarity"]),
            str(each["recall"][split][source]["exact"]["count"]),
        )
        for split, label in _SPLITS.items()
        for name, each in results.items()
        for source in _sources(each["recall"][split])
    ]
    head = ("passages", "from", "next eight tokens exact", "similarity", "passages")
    shown = [
        (escape(name), *(f"<blockquote>{escape(case[key])}</blockquote>" for key in case))
        for name, each in results.items()
        for case in each["recall"]["train"].get("shown", ())
    ]
    # The baselines of two models of one corpus are the same.
    return table(head, list(dict.fromkeys(rows)), numbers=(2, 3, 4)) + table(
        ("learned passages", "given", "wanted", "written"), shown
    )


def _choices(results: Results) -> str:
    rows = []
    for measure in ("references", "coherence"):
        for split, label in _SPLITS.items():
            for name, each in results.items():
                if found := each[measure][split]:
                    accuracy = _mean(found["accuracy"], percent=True)
                    rows.append((measure, label, escape(name), accuracy, f"{found['chance']:.1%}"))
    return table(("", "passages", "model", "right", "chance"), rows, numbers=(3, 4))


def _repetition(results: Results) -> str:
    rows = [
        (
            escape(name),
            source,
            *(f"{found[key]:.3f}" for key in ("distinct_1", "distinct_2", "rep_4")),
        )
        for name, each in results.items()
        for source, found in each["repetition"].items()
    ]
    return table(("model", "", "distinct-1", "distinct-2", "rep-4"), rows, numbers=(2, 3, 4))


def _files(results: Results) -> str:
    rows = [
        (
            escape(file),
            found["quantization"],
            f"{each['sizes'][file] / 1e6:.1f} MB",
            f"{found['kl']:.2e}",
            f"{found['same_top']:.1%}",
            f"{found['perplexity_ratio']:.4f}",
        )
        for each in results.values()
        for file, found in each["fidelity"].items()
    ]
    head = ("file", "", "size", "KL, nats", "same likeliest token", "perplexity x")
    return table(head, rows, numbers=range(2, 6))


def _governance(results: Results) -> list[str]:
    """Return a section with whatever the heads' file says was measured of each head."""
    parts = []
    for name, each in results.items():
        if each["governance"] is None:
            continue
        rows = [
            (escape(head), escape(key), escape(value))
            for head, figures in each["governance"]["metrics"].items()
            for key, value in _flat(figures)
        ]
        parts.append(
            section(
                f"Governance heads of {name}",
                "Measured on held-out text when they were made.",
                table(("head", "figure", ""), rows),
            )
        )
    return parts


def _flat(value: Any, before: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [
            pair
            for key, each in value.items()
            for pair in _flat(each, f"{before} {key}".strip().replace("_", " "))
        ]
    return [(before, f"{value:.4g}" if isinstance(value, float) else str(value))]


def _samples(results: Results) -> str:
    rows = [
        (
            escape(name),
            *(f"<blockquote>{escape(each[key])}</blockquote>" for key in each),
        )
        for name, result in results.items()
        for each in result["samples"]
    ]
    return table(("model", "given", "drawn", "likeliest"), rows)


def _mean(found: Mapping[str, float], *, percent: bool = False) -> str:
    if percent:
        return f"{found['value']:.1%} ± {found['error']:.1%}"
    return f"{found['value']:.3f} ± {found['error']:.3f}"


def _numbers(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(head, rows, numbers=range(1, len(head)))
