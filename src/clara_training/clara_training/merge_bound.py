# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How much of their strengths adapters may have together before ordinary English suffers.

Near a minimum of its loss, a change Δ of the weights costs about ½ Δᵀ H Δ nats a token (Taylor's
second order). So what adapters cost at the strengths w is a quadratic form too:

    cost(w) = Σ w_i² c_i + κ Σ_{i≠j} w_i w_j √(c_i c_j)

with c_i, what each costs alone at strength 1, and κ, how far costs add up, from what all that are
merged cost together at the spec's strengths; 1, wholly, where only one is. Adapters that are not
merged have sliders as well, and are measured alone. Costs are the rise of the negative
log-likelihood of general text on which no gate is judged. Above the limit, all strengths are made
smaller by one factor. The merge keeps to it, and so do the robot's sliders: `together.json` lies
beside the adapters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.allocator import release_memory
from clara_training.atomic import atomic_json
from clara_training.base import Base, default_device, load_model
from clara_training.chat_encoding import engine_tokens
from clara_training.errors import BaseModelError, MergeError, out_of_memory
from clara_training.manifest import sha256_of
from clara_training.merge_check import tensor_shapes
from clara_training.merge_config import Member
from clara_training.stages import Tell

TOGETHER_FILE = "together.json"
TEXT = Path(__file__).parent / "tuning_text.txt"
LIMIT = 1.25  # of the perplexity, over the base's; the gate asks for at most 1.5 of another text
FARTHEST = 4.0  # times the spec's own strengths; nobody asks for more
_ROUNDS = 8
_NEAR = 0.03  # of the logarithm of the limit
_WINDOW = 256
_BEYOND = 700.0  # nats; e to the power of more is no number any more


@dataclass(frozen=True)
class Bound:
    """What adapters may cost together, `limit` in nats a token, and what they do.

    `costs` is the matrix of the quadratic form, (names, names). `size` is that of the change that
    costs the limit, along the spec's strengths: its Frobenius norm. `reached` is false where no
    strength tried was too much; `size` is then the largest that was tried.
    """

    limit: float
    names: tuple[str, ...]
    costs: tuple[tuple[float, ...], ...]
    size: float
    reached: bool

    def share(self, weights: Mapping[str, float]) -> float:
        """Return the factor, 1 at most, that keeps adapters at these strengths to the limit."""
        cost = sum(
            weights.get(one, 0.0) * weights.get(other, 0.0) * value
            for one, row in zip(self.names, self.costs, strict=True)
            for other, value in zip(self.names, row, strict=True)
        )
        return min(1.0, math.sqrt(self.limit / cost)) if cost > 0 else 1.0


@dataclass(frozen=True)
class _Measured:
    """Rises of the negative log-likelihood in nats, and the largest multiple that is borne.

    `points` are multiples of the spec's strengths with their rises, `whole` is the size of the
    change at 1.
    """

    alone: dict[str, float]
    points: list[tuple[float, float]]
    times: float
    reached: bool
    whole: float


def find_bound(
    adapters: Path,
    base: Base,
    members: Sequence[Member],
    limit: float = LIMIT,
    *,
    beside: Sequence[Member] = (),
    device: str | None = None,
    tell: Tell = lambda sentence: None,
) -> Bound:
    """Measure what adapters cost, alone and together, and write `together.json`.

    What is there already, of the same adapters, weights, base and limit, is not measured again.
    Members are adapters, and so is what is `beside` them.

    Args:
        adapters: the folder that gets the file.
        base: what they were trained on.
        members: adapters and their strengths.
        limit: how many times the base's perplexity is borne, above 1.
        beside: adapters that are not merged and may be in force nevertheless.
        device: what is measured on, "cpu" or "cuda"; cuda where there is one by default.
        tell: is told what is found.

    Raises MergeError, AdapterError, BaseModelError, StorageError, MissingPackage.
    """
    inputs = {
        "base": base.sha256(),
        "text": sha256_of(TEXT),
        **{f"adapter {each.name}": sha256_of(each.folder) for each in (*members, *beside)},
    }
    weights = {member.name: member.weight for member in members}
    settings = {"limit": limit, "weights": weights}
    path = adapters / TOGETHER_FILE
    there = _read(path)
    if there and there.get("inputs") == inputs and there.get("settings") == settings:
        return _bound(there)
    found = _measured(base, members, beside, limit, device or default_device(), tell)
    together = dict(found.points)[found.times] / found.times**2
    document = {
        "format": 1,
        "limit": math.log(limit),
        "names": list(found.alone),
        "costs": _costs(found.alone, weights, together),
        "size": found.times * found.whole,
        "reached": found.reached,
        "points": [
            {"size": at * found.whole, "perplexity_ratio": math.exp(up)}
            for at, up in found.points
            if up < _BEYOND
        ],
        "inputs": inputs,
        "settings": settings,
    }
    atomic_json(path, document)
    bound = _bound(document)
    tell(_sentence(bound, weights, found.times))
    return bound


def _measured(
    base: Base,
    members: Sequence[Member],
    beside: Sequence[Member],
    limit: float,
    device: str,
    tell: Tell,
) -> _Measured:
    """Measure on a device, and on the CPU where a GPU has no room for it."""
    try:
        return _measured_on(base, members, beside, limit, device)
    except (BaseModelError, RuntimeError, MemoryError) as error:
        if not out_of_memory(error.__cause__ or error):
            raise
        if device == "cpu":
            raise MergeError(
                f"the memory has no room for the base model {base.name}, to measure what it bears:"
                " take a smaller one, or merge with no limit (--perplexity-limit 0)"
            ) from error
    # Outside the handler: the exception's frames would keep the tensors alive.
    release_memory()
    tell(f"{base.name} does not fit into the memory of {device}: what it bears is measured on cpu")
    return _measured(base, members, beside, limit, "cpu", tell)


def _measured_on(
    base: Base,
    members: Sequence[Member],
    beside: Sequence[Member],
    limit: float,
    device: str,
) -> _Measured:
    model = _Moving(base, [*members, *beside], device)
    texts = _texts(base)
    weights = {member.name: member.weight for member in members}
    tqdm = packages.load("tqdm", "merging").tqdm
    points: list[tuple[float, float]] = []
    with tqdm(desc="what the model bears", unit="measure", disable=None) as bar:

        def nats(strengths: Mapping[str, float]) -> float:
            model.move(strengths)
            bar.update()
            return model.nats(texts)

        start = nats({})
        alone = {}
        for name in (*weights, *(each.name for each in beside)):
            cost = nats({name: 1.0}) - start
            if not math.isfinite(cost) and name not in weights:
                cost = _BEYOND  # it may lie there damaged, as long as its slider does nothing
            if not math.isfinite(cost):
                raise MergeError(
                    f"with adapter {name} at strength 1 the model's output is not finite: train it"
                    " again with a lower learning rate"
                )
            alone[name] = max(0.0, cost)

        def rise(times: float) -> float:
            at = {name: times * weight for name, weight in weights.items()}
            points.append((times, nats(at) - start))
            return points[-1][1]

        times, reached = _largest(rise, math.log(limit))
    return _Measured(alone, points, times, reached, model.size_at(weights))


def _costs(
    alone: Mapping[str, float], weights: Mapping[str, float], together: float
) -> list[list[float]]:
    """Return the matrix of the form; `together` is what these weights cost, to second order."""
    alone = dict(alone)
    adding = 1.0
    if len(weights) == 1:
        ((only, weight),) = weights.items()
        alone[only] = max(0.0, together) / weight**2
    roots = {name: math.sqrt(cost) for name, cost in alone.items()}
    if len(weights) > 1:
        each = sum((weight * roots[name]) ** 2 for name, weight in weights.items())
        pairs = sum(weight * roots[name] for name, weight in weights.items()) ** 2 - each
        adding = max(0.0, together - each) / pairs if pairs > 0 else 0.0
    return [
        [alone[one] if one == other else adding * roots[one] * roots[other] for other in alone]
        for one in alone
    ]


def keep_within(folder: Path, base: Path, size: float) -> float:
    """Bring merged weights nearer to the base's, to a change of this size at most.

    Returns the share of the change that is left, 1 where nothing had to be done. Raises
    MergeError, OSError.
    """
    from clara_training.merge_direct import read_tensor, write_tensors

    torch = packages.load("torch", "merging")
    shapes, before = tensor_shapes(folder), tensor_shapes(base)

    def both(name: str) -> tuple[Any, Any]:
        return read_tensor(shapes[name][0], name), read_tensor(before[name][0], name)

    squares = 0.0
    for name in shapes:
        after, start = both(name)
        if after.is_floating_point():
            squares += float((after.float() - start.float()).square().sum())
    share = min(1.0, size / math.sqrt(squares)) if squares else 1.0
    if share == 1.0:
        return share
    for path in sorted({path for path, _ in shapes.values()}):
        tensors = {}
        for name in (name for name, (file, _) in shapes.items() if file == path):
            after, start = both(name)
            if after.is_floating_point():
                after = torch.lerp(start.float(), after.float(), share).to(after.dtype)
            tensors[name] = after
        part = path.with_suffix(".part")
        write_tensors(part, tensors)
        part.replace(path)
    return share


class _Moving:
    """The base model, with adapters at any strengths added to its weights."""

    def __init__(self, base: Base, members: Sequence[Member], device: str) -> None:
        from clara_training.merge_direct import Source

        self._torch = packages.load("torch", "merging")
        self._model = load_model(base, device).float().eval()
        self._sources = {member.name: Source(member) for member in members}
        self._at: Mapping[str, float] = {}

    def move(self, strengths: Mapping[str, float]) -> None:
        """Have these strengths, and 0 of what is not named."""
        steps = {
            name: strengths.get(name, 0.0) - self._at.get(name, 0.0) for name in self._sources
        }
        for _, parameter, change in self._changes(steps):
            parameter.add_(change)
        self._at = dict(strengths)

    def size_at(self, strengths: Mapping[str, float]) -> float:
        """Return the size of the change at these strengths, its Frobenius norm."""
        changes = self._changes(strengths)
        return math.sqrt(sum(float(change.square().sum()) for _, _, change in changes))

    def _changes(self, strengths: Mapping[str, float]) -> Iterator[tuple[str, Any, Any]]:
        with self._torch.no_grad():
            for name, parameter in self._model.named_parameters():
                total = None
                for member, strength in strengths.items():
                    change = self._sources[member].change(name, parameter) if strength else None
                    if change is not None:
                        total = change * strength + (0.0 if total is None else total)
                if total is not None:
                    yield name, parameter, total.to(parameter.device)

    def nats(self, texts: Sequence[Sequence[int]]) -> float:
        """Return the mean of -log p of each token after its text's first."""
        torch = self._torch
        total, count = 0.0, 0
        with torch.no_grad():
            for text in texts:
                ids = torch.tensor([text], device=self._model.device)
                logits = self._model(ids).logits[0, :-1].float()
                loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
                total += float(loss)
                count += len(text) - 1
        return total / count


def _largest(rise: Callable[[float], float], wanted: float) -> tuple[float, bool]:
    """Return the largest multiple whose rise is as wanted, and whether it is one.

    The rise is taken to grow as the square between what was tried; a try that is not within the
    bracket halves it.
    """
    low, high = 0.0, FARTHEST
    times = 1.0
    best = 0.0
    for _ in range(_ROUNDS):
        up = rise(times)
        if math.isfinite(up) and up <= wanted:
            low = best = times
            if up >= (1 - _NEAR) * wanted:
                return best, True
            if times == FARTHEST:
                return best, False
        else:
            high = times
        guess = times * math.sqrt(wanted / up) * (1 - _NEAR / 4) if up > 0 else FARTHEST
        if not math.isfinite(guess) or guess <= low or (guess >= high and high < FARTHEST):
            guess = (low + high) / 2
        times = min(guess, FARTHEST)
    if best == 0.0:
        raise MergeError(
            "the adapters harm general text however little of them is added: train them again"
            " with a lower learning rate"
        )
    return best, True


def _texts(base: Base) -> list[list[int]]:
    transformers = packages.load("transformers", "merging")
    tokenizer = transformers.AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
    paragraphs = TEXT.read_text(encoding="utf-8").split("\n\n")
    texts = [engine_tokens(tokenizer, each.strip()) for each in paragraphs]
    size = min(_WINDOW, base.context or _WINDOW)
    return [text[:size] for text in texts if len(text) > 1]


def _sentence(bound: Bound, weights: Mapping[str, float], times: float) -> str:
    share = bound.share(weights)
    if share == 1:
        more = f"{times:.2f} times" if bound.reached else f"{FARTHEST:g} times, and more of,"
        return f"general text bears {more} these strengths"
    return (
        f"general text bears the adapters together at {share:.2f} of these strengths"
        f" (perplexity x {math.exp(bound.limit):.2f})"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _bound(document: Mapping[str, Any]) -> Bound:
    return Bound(
        float(document["limit"]),
        tuple(document["names"]),
        tuple(tuple(map(float, row)) for row in document["costs"]),
        float(document["size"]),
        bool(document["reached"]),
    )
