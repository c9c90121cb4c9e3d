# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the command `clara` prints: results as JSON, footers, tables.

Text from the model and from memory is data: it is printed as it is, never read as markup, and
without the control characters that a terminal would obey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from clara_interfaces.msg import Skill, SkillDecision, SkillParameter, Trait

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_SHOWN = ("error_code", "error_msg")
_MOST_LABELS, _MOST_PIECES, _LONGEST_HIT = 3, 12, 80
_DECISIONS = {
    SkillDecision.REQUESTED: "requested",
    SkillDecision.DRY_RUN: "would request",
    SkillDecision.REFUSED: "refused",
    SkillDecision.ASKED: "asked before",
    SkillDecision.DECLINED: "declined",
    SkillDecision.STOPPED: "stopped",
    SkillDecision.PLANNED: "comes next:",
}


def _folding(*headers: str, show_header: bool = True) -> Table:
    """Return a table that folds what it has no room for: a name cut short cannot be copied."""
    columns = (Column(header, overflow="fold") for header in headers)
    return Table(*columns, show_header=show_header)


def printable(text: str) -> str:
    """Return the text without control characters, line breaks and tabs excepted."""
    return _CONTROL.sub("", text)


def plain(message: Any) -> Any:
    """Return a ROS message as what JSON can hold, field by field."""
    if hasattr(message, "get_fields_and_field_types"):
        names = message.get_fields_and_field_types()
        return {name: plain(getattr(message, name)) for name in names}
    if isinstance(message, (str, bytes, bool, int, float)):
        return message
    return [plain(each) for each in message]


def decision(made: SkillDecision) -> str:
    """Return a decision as a short sentence."""
    request = made.request
    wanted = f"{request.action} {request.object}".strip() or made.skill
    said = f"{_DECISIONS.get(made.status, made.status)} {wanted}"
    for filler in request.context:
        said += f" {filler.role}={filler.filler or ','.join(f'{v:g}' for v in filler.values)}"
    return printable(f"{said}: {made.reason}" if made.reason else said)


def footer(result: Any) -> str:
    """Return the figures of a turn, what it rests on and what was decided, on one line."""
    usage, timing = result.usage, result.timing
    parts = [f"after {timing.time_to_first_token:.2f} s"]
    if usage.completion_tokens:
        parts = [
            f"{usage.completion_tokens} tokens, {timing.tokens_per_second:.1f}/s,"
            f" first after {timing.time_to_first_token:.2f} s, {usage.cached_tokens} of"
            f" {usage.prompt_tokens} prompt tokens cached"
        ]
    if result.memory_ids:
        parts.append("memory " + ", ".join(printable(each) for each in result.memory_ids))
    if result.memory_abstained:
        parts.append("memory does not know")
    if result.dropped_turns:
        parts.append(f"{result.dropped_turns} old turns dropped")
    return " · ".join([*parts, *map(decision, result.decisions)])


def unsure(text: str, read: Any) -> list[str]:
    """Return the pieces of a reply that its trace is unsure of, in order; neighbours are one."""
    pieces: list[str] = []
    last = -1
    ends = [*read.trace_offsets[1:], len(text)]
    for begin, end, nats in zip(read.trace_offsets, ends, read.trace_nats, strict=True):
        if nats < read.trace_unsure or begin == end:
            continue
        if begin == last:
            pieces[-1] += text[begin:end]
        else:
            pieces.append(text[begin:end])
        last = end
    return [piece.strip() for piece in pieces if piece.strip()]


def governance(text: str, read: Any) -> list[str]:
    """Return what the governance heads read in a reply, a line each; none without heads."""
    lines = []
    if read.policy_labels:
        pairs = sorted(
            zip(read.policy_probabilities, read.policy_labels, strict=True), reverse=True
        )
        likely = ", ".join(f"{label} {value:.0%}" for value, label in pairs[:_MOST_LABELS])
        lines.append(f"policy: {read.policy or 'unsure'} ({likely})")
    if read.trace_nats:
        total, pieces = len(read.trace_nats), unsure(text, read)
        count = sum(nats >= read.trace_unsure for nats in read.trace_nats)
        line = f"trace: unsure of {count} of {total} tokens"
        if shown := " | ".join(" ".join(piece.split()) for piece in pieces[:_MOST_PIECES]):
            line += f": {shown}" + (" | …" if len(pieces) > _MOST_PIECES else "")
        lines.append(line)
    for hit in read.hits:
        who = "I said" if hit.by_clara else "you said"
        again = ", back in the prompt" if hit.recalled else ""
        words = " ".join(hit.text.split())
        short = words if len(words) <= _LONGEST_HIT else f"{words[:_LONGEST_HIT]}…"
        lines.append(f"close ({hit.similarity:.2f}{again}): in turn {hit.turn} {who}: {short}")
    return [printable(line) for line in lines]


def sliders(traits: Iterable[Trait]) -> Table:
    """Return a table of the sliders."""
    table = Table("name", "kind", "value", "default", "")
    for trait in traits:
        kind = "trait" if trait.kind == Trait.TRAIT else "domain"
        bar = "█" * round(trait.value * 20)
        table.add_row(
            Text(trait.name), kind, f"{trait.value:.2f}", f"{trait.default_value:.2f}", bar
        )
    return table


def _parameter(each: SkillParameter) -> str:
    if each.type == SkillParameter.CHOICE:
        takes = " or ".join(each.choices)
    elif each.type in (SkillParameter.NUMBER, SkillParameter.INTEGER):
        takes = f"{each.minimum:g} to {each.maximum:g} {each.unit}".strip()
    else:
        takes = "text" if each.type == SkillParameter.TEXT else "true or false"
    default = "" if each.required else f" ({each.default_value})"
    return printable(f"{each.name}: {takes}{default}")


def model(info: Any, metadata: bool) -> Table:
    """Return a table of what model is loaded; with `metadata` the GGUF's own as well."""
    table = _folding("", "", show_header=False)
    for name, value in plain(info).items():
        if name in ("adapters", "metadata", *_NOT_SHOWN) or name.startswith("governance"):
            continue
        table.add_row(name, Text(f"{value:,}" if isinstance(value, int) else printable(value)))
    for adapter in info.adapters:
        table.add_row("adapter", Text(f"{adapter.name} at {adapter.scale:g}  {adapter.path}"))
    if info.governance_path:
        run = ", ".join(info.governance_heads) or "none"
        table.add_row("governance", Text(printable(f"{run}  {info.governance_path}")))
    if info.governance_unused:
        unused = ", ".join(info.governance_unused)
        table.add_row("", Text(f"not better than their baseline and not run: {unused}"))
    if info.governance_unproven:
        unproven = ", ".join(info.governance_unproven)
        table.add_row("", Text(f"run though not better than their baseline: {unproven}"))
    if info.governance_error:
        table.add_row("governance", Text(printable(info.governance_error), style="red"))
    for pair in info.governance_metrics:
        table.add_row("", Text(printable(f"{pair.key} {pair.value}")))
    for pair in info.metadata if metadata else ():
        table.add_row(Text(pair.key), Text(printable(pair.value)[:200]))
    return table


def adapters(loaded: Iterable[Any], share: float = 1.0) -> Table:
    """Return a table of the adapters; beneath it, what is left of the sliders' values."""
    table = _folding("adapter", "scale", "", "file")
    if share < 1:
        table.caption = (
            f"The sliders together ask for more than the model bears: adapters have {share:.2f} of"
            " their values."
        )
    for each in loaded:
        follows = "follows its slider" if each.follows_slider else ""
        table.add_row(
            Text(printable(each.name)), f"{each.scale:.2f}", follows, Text(printable(each.path))
        )
    return table


def exchanges(said: Iterable[Any]) -> Group:
    """Return a conversation, turn by turn."""
    lines = []
    for each in said:
        lines += [Text(f"> {printable(each.user)}", style="bold"), Text(printable(each.assistant))]
    return Group(*lines)


def skills(known: Iterable[Any]) -> Table:
    """Return a table of what Clara may do with the robot."""
    confirms = {Skill.NEVER: "", Skill.FIRST_TIME: "asks the first time", Skill.ALWAYS: "asks"}
    table = _folding("skill", "parameters", "goes to", "limits")
    for each in known:
        limits = [confirms[each.confirm]]
        if each.at_most:
            limits.append(f"{each.at_most} in {each.period:g} s")
        goes_to = each.target or "action_request"
        if each.target and not each.reachable:
            goes_to += " (nobody there)"
        table.add_row(
            Text(f"{printable(each.name)}\n{printable(each.description)}"),
            Text("\n".join(map(_parameter, each.parameters))),
            Text(printable(goes_to)),
            Text("\n".join(filter(None, limits))),
        )
    return table


def sessions(kept: Iterable[Any]) -> Table:
    """Return a table of the conversations."""
    table = _folding("session", "turns", "tokens", "created", "last used")
    for each in kept:
        moments = (
            f"{datetime.fromtimestamp(stamp.sec):%Y-%m-%d %H:%M:%S}"
            for stamp in (each.created, each.last_used)
        )
        table.add_row(
            Text(printable(each.session_id)), str(each.turns), str(each.tokens), *moments
        )
    return table
