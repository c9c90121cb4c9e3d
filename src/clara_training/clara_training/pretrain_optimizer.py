# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The optimisers of training from scratch: AdamW, and Muon for the matrices inside the model.

A group's `rate` is its share of the learning rate that the loop sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from clara_training.objectives import Objectives
    from clara_training.pretrain_loop import PretrainSettings

_BETAS = (0.9, 0.95)
# How loss weights are learned: there are few of them, and they have to follow the losses.
_WEIGHTS_RATE = 10.0


class MuonAndAdamW:
    """Two optimisers as one, with as much of the interface as the loop uses."""

    def __init__(self, muon: Any, adamw: Any) -> None:
        self._parts = {"muon": muon, "adamw": adamw}
        self.param_groups = muon.param_groups + adamw.param_groups

    def step(self) -> None:
        """Take a step with both."""
        for part in self._parts.values():
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self._parts.values():
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return both states, by name."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take both states. Raises KeyError, ValueError when they are of something else."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.param_groups = [each for part in self._parts.values() for each in part.param_groups]


def new_optimizer(
    model: Any, settings: PretrainSettings, objectives: Objectives | None = None
) -> Any:
    """Return the optimiser of a model, and of the heads and weights of other losses.

    AdamW (Loshchilov & Hutter 2019) is fused and decays matrices only. With Muon (Jordan et al.
    2024) the matrices of the layers are orthogonalised; embeddings, vectors and heads stay with
    AdamW. The size of Muon's steps is matched to AdamW's (Liu et al. 2025, arXiv:2502.16982), so
    that one learning rate serves both.
    """
    named = list(model.named_parameters())
    muon = settings.optimizer == "muon"
    inner = [p for name, p in named if muon and p.ndim >= 2 and _of_a_layer(name)]
    rest = [p for name, p in named if p.ndim >= 2 and not (muon and _of_a_layer(name))]
    groups: list[dict[str, Any]] = [
        {"params": rest, "weight_decay": settings.weight_decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    if objectives is not None:
        heads, weights = objectives.heads, list(objectives.weights.parameters())
        groups.append({"params": list(heads.parameters()), "weight_decay": settings.weight_decay})
        groups.append({"params": weights, "weight_decay": 0.0, "rate": _WEIGHTS_RATE})
    groups = [{"rate": 1.0, **each} for each in groups if each["params"]]
    adamw = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=_BETAS, fused=True)
    if not muon:
        return adamw
    group = {"params": inner, "rate": 1.0}
    return MuonAndAdamW(
        torch.optim.Muon(
            [group],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        adamw,
    )


def _of_a_layer(name: str) -> bool:
    return name.startswith(("layers.", "h."))
