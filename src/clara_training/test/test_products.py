# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers by oneDNN give what PyTorch's own give, and stand back where there is none."""

from __future__ import annotations

import pytest
import torch
from clara_training.products import Linear, has_product, linear
from torch.nn import functional

from clara_training import products


@pytest.mark.parametrize("shape", [(5, 48), (2, 7, 48), (0, 48)])
@pytest.mark.parametrize("bias", [False, True])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    given = [torch.randn(*shape), torch.randn(96, 48), *([torch.randn(96)] if bias else [])]
    found = []
    for compute in (functional.linear, linear):
        inputs = [each.clone().requires_grad_() for each in given]
        y = compute(*inputs)
        y.sin().sum().backward()
        found.append([y.detach(), *(each.grad for each in inputs)])
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_nothing_is_computed_for_what_is_frozen() -> None:
    layer = Linear(48, 96).requires_grad_(False)
    x = torch.randn(3, 48, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is None
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(3, -1))


def test_other_types_and_builds_without_it_have_torch_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, weight = torch.randn(3, 48), torch.randn(96, 48)
    assert not has_product(x.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not has_product(x) and linear(x, weight).dtype is torch.bfloat16
    monkeypatch.setattr(products, "_PRODUCT", None)
    assert not has_product(x)
    torch.testing.assert_close(linear(x, weight), x @ weight.T)
