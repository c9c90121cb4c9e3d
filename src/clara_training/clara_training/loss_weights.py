# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How much each loss counts, adapted while training: by uncertainty, or by the rate of descent.

A loss that has no item in a step is not among the step's losses: it is not 0, but unknown. What
was learned is in their state_dict, and so in checkpoints.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_WINDOW = 20  # steps over which dynamic weight averaging averages a loss
_SOFTNESS = 2.0  # T of Liu et al.


class Uncertainty(nn.Module):  # type: ignore[misc]
    """Weighting by uncertainty (Kendall, Gal & Cipolla 2018, arXiv:1705.07115, eq. 10).

    L = Σ_k exp(-s_k) L_k + s_k / 2, and s_k, the log of a variance, is learned with the rest. At
    its optimum exp(-s_k) is 1 / (2 L_k).
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.log_variances = nn.Parameter(torch.zeros(len(names)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses, each (), where not all need be there."""
        return _sum(self.names, torch.exp(-self.log_variances), losses)

    def price(self, losses: Collection[str]) -> Tensor:
        """Return what high variances of a step's losses cost, (); once a step."""
        there = [at for at, name in enumerate(self.names) if name in losses]
        return self.log_variances[there].sum() / 2

    def note(self, losses: Mapping[str, float]) -> None:
        """Take note of a step's losses: nothing to do."""

    def values(self) -> dict[str, float]:
        """Return the weights."""
        return _by_name(self.names, torch.exp(-self.log_variances))


class DynamicAverage(nn.Module):  # type: ignore[misc]
    """Dynamic weight averaging (Liu, Johns & Davison 2019, arXiv:1803.10704, eq. 7).

    w_k = K softmax(r_k / T), and r_k is the mean of L_k over the last window over the one before:
    what comes down more slowly counts for more. The mean is of the steps that had the loss, and
    those K are weighed whose two windows had some; other weights stay.
    """

    now: Tensor
    last: Tensor
    there: Tensor
    weights: Tensor
    steps: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.register_buffer("now", torch.zeros(len(names), dtype=torch.float64))
        self.register_buffer("last", torch.zeros(len(names), dtype=torch.float64))
        self.register_buffer("there", torch.zeros(len(names), dtype=torch.int64))
        self.register_buffer("weights", torch.ones(len(names)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses, each (), where not all need be there."""
        return _sum(self.names, self.weights, losses)

    def price(self, losses: Collection[str]) -> Tensor:
        """Return nothing, (): the weights are not learned."""
        return self.weights.new_zeros(())

    def note(self, losses: Mapping[str, float]) -> None:
        """Take note of a step's losses; at the end of a window the weights change."""
        found = torch.tensor([losses.get(name, 0.0) for name in self.names], dtype=torch.float64)
        self.now += found.to(self.now.device) / _WINDOW
        there = torch.tensor([name in losses for name in self.names])
        self.there += there.to(self.there.device)
        self.steps += 1
        if int(self.steps) % _WINDOW:
            return
        # Not a number, where no step had the loss.
        mean = self.now * (_WINDOW / self.there.double())
        if int(self.steps) > _WINDOW:
            known = ~(mean.isnan() | self.last.isnan())
            rate = mean[known] / self.last[known].clamp_min(1e-12)
            shares = torch.softmax(rate / _SOFTNESS, 0)
            self.weights[known] = (int(known.sum()) * shares).float()
        self.last.copy_(mean)
        self.now.zero_()
        self.there.zero_()

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        if f"{prefix}there" not in state:  # an earlier version took all to be in every step
            within = int(state[f"{prefix}steps"]) % _WINDOW
            state[f"{prefix}there"] = torch.full_like(self.there, within)
        super()._load_from_state_dict(state, prefix, *rest)

    def values(self) -> dict[str, float]:
        """Return the weights."""
        return _by_name(self.names, self.weights)


WEIGHTS: dict[str, Any] = {"uncertainty": Uncertainty, "dwa": DynamicAverage}


def _sum(names: Sequence[str], weights: Tensor, losses: Mapping[str, Tensor]) -> Tensor:
    terms = [
        weight * losses[name]
        for name, weight in zip(names, weights, strict=True)
        if name in losses
    ]
    return torch.stack(terms).sum()


def _by_name(names: Sequence[str], weights: Tensor) -> dict[str, float]:
    return dict(zip(names, map(float, weights.detach().tolist()), strict=True))
