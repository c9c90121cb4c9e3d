# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""FSDP2: weights, gradients and optimiser of a model spread over the processes.

Checkpoints hold whole tensors all the same, so a training may go on with another number of
processes, or with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from clara_training.errors import PretrainError
from clara_training.ranks import Ranks
from clara_training.scratch import Model


def refuse(settings: Any, precision: str) -> None:
    """Raise PretrainError for what cannot be done with a model that is spread."""
    if settings.optimizer == "muon":
        raise PretrainError(
            "Muon needs whole matrices, which fsdp2 spreads: take --parallel ddp or"
            " --optimizer adamw"
        )
    if settings.content_alignment or settings.coherence:
        raise PretrainError(
            "content alignment and coherence need the whole embedding, which fsdp2 spreads: take"
            " --parallel ddp"
        )
    if precision == "fp16":
        raise PretrainError("fsdp2 goes with bf16 and fp32: take --precision bf16")


def shard(model: Model, ranks: Ranks) -> Model:
    """Spread a model over the processes, layer by layer; it is changed in place."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(torch.device(ranks.device).type, (ranks.world,))
    for block in model.layers if model.config.kind == "simone" else model.h:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def whole(value: Any) -> Any:
    """Return a copy of a state, all tensors whole and on the CPU.

    Where the state is spread, all processes have to call it.
    """
    if isinstance(value, Mapping):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(each) for each in value]
    if not isinstance(value, torch.Tensor):
        return value
    entire = value.full_tensor() if hasattr(value, "full_tensor") else value
    return entire.detach().to("cpu", copy=True)


def spread(state: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """Return an optimiser's whole state as the optimiser of a spread model takes it."""
    from torch.distributed.tensor import distribute_tensor

    parameters = [each for group in optimizer.param_groups for each in group["params"]]

    def part(value: Any, parameter: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not hasattr(parameter, "placements"):
            return value
        if value.shape != parameter.shape:  # a count of steps
            return value
        there = value.to(parameter.device)
        return distribute_tensor(there, parameter.device_mesh, parameter.placements)

    spread_state = {
        number: {name: part(value, parameters[number]) for name, value in each.items()}
        for number, each in state["state"].items()
    }
    return {"state": spread_state, "param_groups": state["param_groups"]}
