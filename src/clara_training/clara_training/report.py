# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`report.html`: what `validation.json` says, as one page with its plots in it.

The page needs nothing from anywhere: no script, no font, no picture. Every text that comes from a
model or a file is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from clara_training import report_plots as plots
from clara_training.atomic import atomic_text
from clara_training.errors import ValidationError

_STYLE = """
:root { --ink:#1d2433; --soft:#5d6679; --line:#e3e6ec; --paper:#fff; --back:#f5f6f8;
  --good:#2d7a4b; --bad:#b3261e; }
* { box-sizing:border-box }
body { margin:0; background:var(--back); color:var(--ink);
  font:15px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:1080px; margin:0 auto; padding:32px 20px 64px }
h1 { font-size:28px; margin:0 0 4px } h2 { font-size:19px; margin:0 0 4px }
p { margin:0 0 12px; color:var(--soft); max-width:75ch }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px;
  padding:20px 22px; margin:18px 0; overflow-x:auto }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums }
th,td { text-align:left; padding:6px 12px 6px 0; border-bottom:1px solid var(--line);
  vertical-align:top }
th { color:var(--soft); font-weight:600; font-size:13px }
td.n,th.n { text-align:right }
.good { color:var(--good); font-weight:600 } .bad { color:var(--bad); font-weight:600 }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(190px,1fr)); gap:14px }
.card { background:var(--paper); border:1px solid var(--line); border-radius:10px;
  padding:14px 16px }
.card b { display:block; font-size:21px; font-weight:650 } .card span { color:var(--soft) }
.pair { display:grid; grid-template-columns:repeat(auto-fit,minmax(320px,1fr)); gap:18px }
svg { height:auto; display:block }
svg text { font-family:inherit }
blockquote { margin:4px 0; padding-left:12px; border-left:3px solid var(--line) }
"""


def write_report(run: Path) -> Path:
    """Write `report.html` of a validated run and return its path.

    Raises ValidationError when there is no validation, StorageError.
    """
    source = run / "validation.json"
    try:
        result = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValidationError(
            f"{source} cannot be read ({error}): run clara-train validate --run {run} first"
        ) from error
    path = run / "report.html"
    atomic_text(path, page(result, training_records(run)))
    return path


def training_records(run: Path) -> list[dict[str, Any]]:
    """Return the steps of each dimension's last training, damaged lines left out."""
    records: dict[tuple[str, int], dict[str, Any]] = {}
    last: dict[str, int] = {}
    try:
        lines = (run / "metrics" / "training.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "dimension" in record and record.get("step") is not None:
            dimension, step = str(record["dimension"]), int(record["step"])
            if step < last.get(dimension, 0):
                # A run that was stopped repeats the steps after its last checkpoint; another
                # training of the same dimension begins at 0.
                records = {
                    key: found
                    for key, found in records.items()
                    if key[0] != dimension or key[1] < step
                }
            last[dimension] = step
            records.setdefault((dimension, step), {}).update(record)
    return [records[key] for key in sorted(records)]


def page(result: Mapping[str, Any], records: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the whole page."""
    failed = [gate for gate in result["gates"] if not gate["passed"]]
    verdict = (
        f'<span class="bad">{len(failed)} of {len(result["gates"])} gates failed</span>'
        if failed
        else f'<span class="good">all {len(result["gates"])} gates passed</span>'
    )
    strengths = {**result["spec"]["personality"], **result["spec"]["expertise"]}
    parts = [
        f"<h1>Clara, validated</h1><p>Base model {escape(result['base_model'])}, merged by "
        f"{escape(result['spec']['config']['merge_method'])}: {verdict}.</p>",
        _cards(result),
        section(
            "Gates",
            "What every run must reach.",
            gate_table(result["gates"]),
        ),
    ]
    if result["traits"]:
        parts += _traits(result, strengths)
    if result["domains"]:
        parts.append(_domains(result, strengths))
    if result.get("together"):
        parts.append(_together(result["together"]))
    if records:
        parts.append(
            section(
                "Training",
                "Loss on what was learned from (lines) and on what was held out (points).",
                plots.losses(records),
            )
        )
    parts += [_files(result), _replies(result)]
    return document("Clara, validated", parts)


def document(title: str, parts: Iterable[str]) -> str:
    """Return a whole page of parts in HTML, with the style that all reports share."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def gate_table(gates: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of gates, passed or failed."""
    verdicts = {
        True: '<span class="good">passed</span>',
        False: '<span class="bad">failed</span>',
    }
    rows = (
        (escape(each["name"]), verdicts[bool(each["passed"])], escape(each["detail"]))
        for each in gates
    )
    return table(("gate", "", "found"), rows)


def _cards(result: Mapping[str, Any]) -> str:
    found = result["fidelity"]["clara.gguf"]
    cards = [
        (f"{result['sizes']['clara.gguf'] / 1e6:.0f} MB", f"clara.gguf, {found['quantization']}"),
        (f"{found['kl']:.2e}", "KL divergence to the model in f32"),
        (f"{result['speeds']['merged']:.0f} tokens/s", "generated, one at a time"),
        (f"x {result['general']['ratio']:.3f}", "perplexity of ordinary English"),
    ]
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label in cards
    )
    return f'<div class="cards">{inside}</div>'


def _together(found: Mapping[str, Any]) -> str:
    limit = found["settings"]["limit"]
    rows = (
        (f"{each['size']:.2f}", f"x {each['perplexity_ratio']:.3f}")
        for each in sorted(found["points"], key=lambda each: float(each["size"]))
    )
    return section(
        "All adapters together",
        f"The merged change is {found['share']:.2f} of what the method makes of the spec's"
        " strengths. How much harder general text becomes as all adapters change the weights"
        " together, by the size of that change (Frobenius norm); a size of"
        f" {found['size']:.2f} is borne (at most x {limit:g}), and live sliders keep to it too.",
        table(("size of the change", "perplexity"), rows),
    )


def _traits(result: Mapping[str, Any], strengths: Mapping[str, float]) -> list[str]:
    rows = (
        (
            escape(name),
            f"{strengths[name]:g}",
            *(_margin(found[group]) for group in ("base", "adapter", "merged")),
            f"{found['merged']['prefers']:.0%}",
        )
        for name, found in result["traits"].items()
    )
    prompts = next(iter(result["traits"].values()))["base"]["prompts"]
    return [
        section(
            "Traits",
            "Margin: log-probability of the reply with much of the trait less that of the reply "
            f"with little, in nats a token, on {prompts} held-out prompts, with its standard "
            "error. Above 0, the model would rather say it with the trait.",
            table(
                ("trait", "strength", "base", "adapter at 1", "merged", "prefers it"),
                rows,
                numbers=range(1, 6),
            ),
        ),
        section(
            "Sliders",
            "The same margin as the adapter is scaled live from 0 to 1; dashed: the merged model.",
            plots.trait_curves(result["traits"]),
        ),
        section(
            "Leakage",
            "What each adapter at 1 (row) adds to each trait's margin (column). The diagonal is "
            "wanted; the rest is what comes along.",
            plots.heat_map(result["leakage"]),
        ),
    ]


def _domains(result: Mapping[str, Any], strengths: Mapping[str, float]) -> str:
    rows = (
        (
            escape(name),
            f"{strengths[name]:g}",
            *(f"{found[group]['perplexity']:.1f}" for group in ("base", "adapter", "merged")),
            *(f"{found[group]['accuracy']:.0%}" for group in ("base", "adapter", "merged")),
        )
        for name, found in result["domains"].items()
    )
    questions = next(iter(result["domains"].values()))["base"]["questions"]
    return section(
        "Domains",
        f"On {questions} held-out questions: perplexity of the right answer, and how often it is "
        "likelier than the right answers of other questions.",
        table(
            (
                *("domain", "strength", "perplexity: base", "adapter", "merged"),
                *("accuracy: base", "adapter", "merged"),
            ),
            rows,
            numbers=range(1, 8),
        )
        + '<div class="pair">'
        + plots.before_and_after(result["domains"], "perplexity", "perplexity of answers")
        + plots.before_and_after(result["domains"], "accuracy", "accuracy, %", percent=True)
        + "</div>",
    )


def _files(result: Mapping[str, Any]) -> str:
    sizes = {name: size / 1e6 for name, size in result["sizes"].items()}
    rows = (
        (
            escape(name),
            found["quantization"],
            f"{found['kl']:.2e}",
            f"{found['same_top']:.1%}",
            f"{found['perplexity']:.2f}",
            f"{found['reference_perplexity']:.2f}",
        )
        for name, found in result["fidelity"].items()
    )
    return section(
        "Files",
        "Fidelity is measured against the merged model in f32, on ordinary English.",
        table(
            ("file", "", "KL, nats", "same likeliest token", "perplexity", "of the model"),
            rows,
            numbers=range(2, 6),
        )
        + '<div class="pair">'
        + plots.bars(sizes, "MB", "Size of each file")
        + plots.bars(result["speeds"], "tokens/s", "Generation speed by adapters in force")
        + "</div>",
    )


def _replies(result: Mapping[str, Any]) -> str:
    rows = (
        (
            escape(question),
            f"<blockquote>{escape(before)}</blockquote>",
            f"<blockquote>{escape(result['replies']['merged'].get(question, ''))}</blockquote>",
        )
        for question, before in result["replies"]["base"].items()
    )
    return section(
        "In their own words",
        "The likeliest reply to the same words, cut after a few dozen tokens.",
        table(("said", "base", "merged"), rows),
    )


def section(title: str, text: str, inside: str) -> str:
    """Return a part of a page; `inside` is HTML."""
    return f"<section><h2>{escape(title)}</h2><p>{escape(text)}</p>{inside}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; cells are HTML, and the columns `numbers` are set to the right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if place in numbers else ''}>{value}</{tag}>"
            for place, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def _margin(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.3f} ± {found['error']:.3f}"
