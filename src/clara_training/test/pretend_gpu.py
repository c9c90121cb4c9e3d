# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU that is not there, for tests: tensors say that they are on it, and do not mix with others.

They stay in the memory of the CPU, which computes, so numbers are real. PyTorch's modes see what
makes, moves and computes with tensors, and each storage is marked with its device: a product of
one here with one there, or an array made of one there, is an error as it is on a GPU. Not seen
are kernels that only a GPU has, torch.compile, checkpoints of layers, and how much fits in.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
_DEVICE = Tensor.device.__get__  # of a tensor, before anything is pretended
# These take indices, offsets or numbers from a CPU, or make such themselves where no mode sees it.
_MAY_MIX = {"copy_", "_to_copy", "set_", "fill_"}
_INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_"}
_FIRST_MANY = 5000

_about = {
    "is_available": True,
    "device_count": 1,
    "current_device": 0,
    "get_device_name": "a pretended GPU",
    "get_device_capability": (7, 0),  # before Ampere: fp16, and no variable-length attention
    "is_bf16_supported": False,
    "mem_get_info": (2**36, 2**36),
    "max_memory_allocated": 10**9,
    "get_rng_state": torch.zeros(16, dtype=torch.uint8),
}
_silent = ("set_device", "empty_cache", "synchronize", "manual_seed", "manual_seed_all")
_silent += ("reset_peak_memory_stats", "set_rng_state")


class _Marks:
    """The devices of storages; None of one that PyTorch made for a gradient, for either."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[StorageWeakRef, torch.device | None]] = {}
        self._most = _FIRST_MANY

    def __setitem__(self, tensor: Tensor, device: torch.device | None) -> None:
        if len(self._found) > self._most:
            self._found = {k: v for k, v in self._found.items() if not v[0].expired()}
            self._most = 2 * len(self._found) + _FIRST_MANY
        storage = tensor.untyped_storage()
        device = GPU if device and device.type == "cuda" else device
        self._found[storage._cdata] = (StorageWeakRef(storage), device)

    def __getitem__(self, tensor: Tensor) -> torch.device | None:
        found = self._found.get(tensor.untyped_storage()._cdata)
        return CPU if found is None or found[0].expired() else found[1]


class _Ops(TorchDispatchMode):
    """Each operation is on one device."""

    def __init__(self, marks: _Marks) -> None:
        super().__init__()
        self.marks = marks
        self.in_backward = False
        self.computed: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operation: Any, _: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = operation._schema.name.partition("::")[2]
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        storages = {each.untyped_storage()._cdata for each in given}
        # A number may be on a CPU.
        known = [each for each in given if self.marks[each] is not None]
        devices = {self.marks[each] for each in known if each.dim()}
        devices = devices or {self.marks[each] for each in known}
        if devices == {CPU} and any(self.marks[each] == GPU for each in known):
            devices.add(GPU)
        if len(devices) > 1 and not self._may_mix(name, args):
            shown = ", ".join(f"{tuple(each.shape)} on {self.marks[each]}" for each in given)
            raise RuntimeError(f"{name}: all tensors are to be on one device, not {shown}")
        device = self.marks[given[0]] if len(devices) > 1 else next(iter(devices), CPU)
        for each in given:
            if self.marks[each] is None and known:
                self.marks[each] = device
        wanted = kwargs.get("device")
        if wanted is not None:
            kwargs["device"] = CPU
            if not self.in_backward:
                device = torch.device(wanted)
            elif not known:  # zeros for a gradient, where PyTorch asks the memory, not the mark
                device = None
        self.computed["either" if device is None else device.type] += 1
        made = operation(*args, **kwargs)
        for each in tree_leaves(made):
            if isinstance(each, Tensor) and each.untyped_storage()._cdata not in storages:
                self.marks[each] = device
        return made

    def _may_mix(self, name: str, args: Any) -> bool:
        if name in _INDEXED:
            return bool(self.marks[args[0]] == GPU)
        return name in _MAY_MIX or "_embedding_bag" in name


class _Calls(TorchFunctionMode):
    """What Python says of devices, or asks of them."""

    def __init__(self, ops: _Ops) -> None:
        super().__init__()
        self.ops = ops
        self.marks = ops.marks

    def __torch_function__(self, call: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if call == _DEVICE:
            return self.marks[args[0]]
        if call == Tensor.is_cuda.__get__:
            return self.marks[args[0]] == GPU
        if call in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self._move(call, *args, **kwargs)
        if call in (Tensor.numpy, Tensor.__array__) and self.marks[args[0]] == GPU:
            raise TypeError("a tensor on the GPU is no array: take .cpu() first")
        if call is Tensor.pin_memory:
            return args[0]
        if call is Tensor.backward:
            return self._backward(*args, **kwargs)
        wanted = kwargs.get("device")
        if wanted is not None:
            kwargs["device"] = CPU
        made = call(*args, **kwargs)
        if isinstance(made, Tensor) and (wanted is not None or call is torch.from_numpy):
            self.marks[made] = torch.device(wanted or CPU)
        return made

    def _move(self, call: Any, tensor: Tensor, *rest: Any, **named: Any) -> Tensor:
        device = {Tensor.cpu: CPU, Tensor.cuda: GPU}.get(call, self.marks[tensor])
        dtype = named.get("dtype", tensor.dtype)
        for each in (*rest, named.get("device")):
            if isinstance(each, Tensor):
                device, dtype = self.marks[each], each.dtype
            elif isinstance(each, (str, torch.device)):
                device = torch.device(each)
            elif isinstance(each, torch.dtype):
                dtype = each
        if device.type != self.marks[tensor].type:
            tensor = tensor.clone()
            self.marks[tensor] = device
        return tensor if dtype is None else Tensor.to(tensor, dtype)

    def _backward(self, tensor: Tensor, gradient: Any = None, *rest: Any, **named: Any) -> None:
        before, self.ops.in_backward = self.ops.in_backward, True
        try:
            with self:
                torch.autograd.backward(tensor, gradient, *rest, **named)
        finally:
            self.ops.in_backward = before


def _copied(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    """As Tensor.__deepcopy__, which copies the storage where no mode sees it."""
    if id(tensor) not in memo:
        copy = tensor.detach().clone()
        memo[id(tensor)] = copy.requires_grad_(tensor.requires_grad)
    copied: Tensor = memo[id(tensor)]
    return copied


def _on_cpu(begin: Any, *more: Any) -> Any:
    def on_cpu(self: Any, device: str = "cuda", *rest: Any, **named: Any) -> None:
        if device == "cuda" and more and not rest:
            named.setdefault("dtype", *more)
        begin(self, "cpu" if device == "cuda" else device, *rest, **named)

    return on_cpu


@contextmanager
def pretend_gpu() -> Iterator[Counter[str]]:
    """Within it there is a GPU; yields how many operations there were on "cuda" and "cpu"."""
    with pytest.MonkeyPatch.context() as patch:
        for name, answer in _about.items():
            patch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
        for name in _silent:
            patch.setattr(torch.cuda, name, lambda *_: None)
        patch.setenv("HF_DEACTIVATE_ASYNC_LOAD", "1")  # modes are of a thread
        patch.setattr(Tensor, "__deepcopy__", _copied)
        patch.setattr(torch.autocast, "__init__", _on_cpu(torch.autocast.__init__, torch.float16))
        patch.setattr(torch.amp.GradScaler, "__init__", _on_cpu(torch.amp.GradScaler.__init__))
        properties = types.SimpleNamespace(name="a pretended GPU", total_memory=2**36)
        patch.setattr(torch.cuda, "get_device_properties", lambda *_: properties)
        ops = _Ops(_Marks())
        with _Calls(ops), ops:
            yield ops.computed
