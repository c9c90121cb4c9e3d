# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What training computes in fewer operations gives the losses and gradients of the usual ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from clara_training.chat_encoding import Encoded
from clara_training.fused_layers import RmsNorm, SwiGlu, fuse_layers
from clara_training.head_loss import HeadLoss
from clara_training.lora import row_tokens
from clara_training.lora_linear import LoraLinear, fuse, pack, packed_of
from clara_training.lora_step import Lesson, MemoryBudget, Objective, accumulate
from clara_training.packing import Layout, choose_layout, token_losses
from clara_training.products import Packed
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import GPT2Config, LlamaConfig, LlamaForCausalLM

from clara_training import fused_layers, head_loss, packing

PLENTY = 1e12  # bytes


def lessons(count: int = 4) -> list[Lesson]:
    """Return examples of any tokens, of which a few are learned."""
    generator = torch.Generator().manual_seed(2)
    lengths = torch.randint(9, 40, (count,), generator=generator).tolist()
    drawn = [torch.randint(tiny.VOCAB, (n,), generator=generator).tolist() for n in lengths]
    return [Lesson(Encoded(tuple(ids), 4)) for ids in drawn]


def close(got: Any, wanted: Any) -> None:
    """Compare to rounding."""
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-6)


def values_and_gradients(
    compute: Callable[..., torch.Tensor], *given: torch.Tensor
) -> list[torch.Tensor]:
    """Return what is computed, and the gradients of what is given, of any loss on it."""
    inputs = [each.clone().requires_grad_() for each in given]
    y = compute(*inputs)
    y.backward(torch.linspace(-1, 1, y.numel()).view_as(y))
    return [y.detach(), *(each.grad for each in inputs)]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("room", [0, PLENTY], ids=["not packed", "packed"])
def test_all_of_it_together_gives_peft_s_losses_and_gradients(
    recompute: bool, room: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradients(fused: bool) -> tuple[float, dict[str, torch.Tensor]]:
        wrapped = tiny.lora(tiny.llama(attention_bias=True), tmp_path, seed=3)
        model = wrapped.get_base_model()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("lora_" in name)
        monkeypatch.setattr(packing, "can_fuse", head_loss.can_fuse if fused else lambda _: False)
        assert choose_layout(model, "cpu", 256) is Layout.DOCUMENTS
        assert model.clara_fused_head is fused
        if fused:
            assert fuse(model) == 14  # seven linear layers in each of two blocks
            assert fuse_layers(model) == 7  # two norms and an MLP in each, and the last norm
            assert (pack(model, room) > 0) is (room > 0)
        given = lessons()
        objective = Objective(sum(lesson.reply_tokens for lesson in given), len(given))
        budget = MemoryBudget(1024, 0, recompute=recompute)
        nll = accumulate(model.train(), given, Layout.DOCUMENTS, "cpu", budget, objective)
        return nll, {name: p.grad for name, p in model.named_parameters() if p.requires_grad}

    wanted_nll, wanted = gradients(False)
    nll, got = gradients(True)
    assert nll == pytest.approx(wanted_nll, rel=1e-5)
    assert len(got) == 28
    close(got, wanted)


def test_what_peft_computes_otherwise_is_left_to_it() -> None:
    for other in ({"lora_dropout": 0.1}, {"use_dora": True}):
        config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **other)
        assert fuse(get_peft_model(tiny.llama(), config)) == 0


def test_what_learns_is_not_packed_and_what_is_packed_is_counted() -> None:
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(tiny.llama(), config).get_base_model()
    model.lm_head.weight.requires_grad_(True)
    assert fuse(model) == 2
    layers = [module for module in model.modules() if type(module) is torch.nn.Linear]
    base = [layer for layer in layers if not layer.weight.requires_grad]
    assert len(base) == 14
    size = 2 * sum(layer.weight.nbytes for layer in base)
    assert pack(model, size - 1) == 0
    assert all(packed_of(layer) is None for layer in layers)
    assert pack(model, size) == size
    assert {id(layer) for layer in layers if packed_of(layer)} == {id(layer) for layer in base}
    assert pack(model, 0) == size  # there already
    with torch.no_grad():
        base[1].weight.add_(1)  # no longer what was packed
    assert packed_of(base[0]) and not packed_of(base[1])
    assert pack(model, 0) == size - 2 * base[1].weight.nbytes


def test_in_half_precision_it_is_the_same_to_rounding_and_its_gradients_are_fp32() -> None:
    torch.manual_seed(0)
    drawn = [torch.randn(*shape) / 8 for shape in ((5, 7, 64), (96, 64), (96,), (4, 64), (96, 4))]
    x, weight, bias, a, b = (each.bfloat16().float() for each in drawn)
    found = []
    for kind in (torch.float32, torch.bfloat16):
        inputs = [
            each.to(of, copy=True).requires_grad_()
            for each, of in ((x, kind), (a, torch.float32), (b, torch.float32))
        ]
        y = LoraLinear.apply(inputs[0], weight.to(kind), bias.to(kind), *inputs[1:], 2.0)
        assert y.dtype is kind
        (y.float() ** 2).sum().backward()
        found.append([y.detach(), *(each.grad for each in inputs)])
        assert found[-1][2].dtype is found[-1][3].dtype is torch.float32
    for wanted, half in zip(*found, strict=True):
        assert (wanted - half.float()).norm() < 0.01 * wanted.norm()


def test_norm_and_gate_give_the_gradients_of_their_formulas() -> None:
    torch.manual_seed(1)
    x, other, weight = 3 * torch.randn(2, 5, 48), torch.randn(2, 5, 48), torch.rand(48)
    close(
        values_and_gradients(lambda x: RmsNorm.apply(x, weight, 1e-5), x),
        values_and_gradients(lambda x: functional.rms_norm(x, (48,), weight, 1e-5), x),
    )
    close(
        values_and_gradients(SwiGlu.apply, x, other),
        values_and_gradients(lambda gate, up: functional.silu(gate) * up, x, other),
    )


def test_other_formulas_and_what_learns_are_left_as_they_are() -> None:
    assert fuse_layers(tiny.llama(hidden_act="gelu").requires_grad_(False)) == 5  # the norms
    model = tiny.llama()  # its norms learn
    assert fuse_layers(model) == 2
    model = tiny.llama().requires_grad_(False)
    model.model.norm.forward = lambda x: 2 * x
    model.model.layers[0].mlp.forward = lambda x, routed: routed * x  # an expert's
    assert fuse_layers(model) == 5


def test_an_rms_norm_of_a_gpu_s_types_is_transformers_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny.llama().bfloat16().requires_grad_(False)
    assert fuse_layers(model) == 0  # on a CPU it would gain nothing
    norm = model.model.layers[0].input_layernorm
    x = torch.randn(3, 9, norm.weight.shape[0]).bfloat16()
    wanted = norm(x)
    # A GPU's types, told of this device.
    monkeypatch.setitem(fused_layers.FAST_TYPES, "cpu", fused_layers.FAST_TYPES["cuda"])
    monkeypatch.setattr(fused_layers, "_is_mlp", lambda _: False)
    assert fuse_layers(model) == 5
    torch.testing.assert_close(norm(x), wanted, rtol=0.01, atol=0.01)
    assert (norm(x) == wanted).float().mean() > 0.95


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_head_and_loss_in_one_are_those_of_torch(bias: bool, packed: bool) -> None:
    torch.manual_seed(4)
    tokens = 2 * head_loss._TOKENS + 5
    hidden, weight = torch.randn(tokens, 48), torch.randn(200, 48)
    shift = torch.randn(200) if bias else None
    targets = torch.randint(200, (tokens,))
    order = Packed.of(weight) if packed else None

    def usual(hidden: torch.Tensor) -> torch.Tensor:
        logits = functional.linear(hidden, weight, shift)
        return functional.cross_entropy(logits, targets, reduction="none")

    close(
        values_and_gradients(lambda h: HeadLoss.apply(h, weight, shift, targets, order), hidden),
        values_and_gradients(usual, hidden),
    )


def test_a_model_that_caps_its_logits_keeps_its_head_and_its_losses() -> None:
    class Scaled(LlamaForCausalLM):  # type: ignore[misc]
        """As Granite's are: a linear head may as well be given what is scaled."""

        def forward(self, *given: Any, **named: Any) -> Any:
            outputs = super().forward(*given, **named)
            outputs.logits = outputs.logits / 8
            return outputs

    class Capped(LlamaForCausalLM):  # type: ignore[misc]
        """As Gemma's are."""

        def forward(self, *given: Any, **named: Any) -> Any:
            outputs = super().forward(*given, **named)
            outputs.logits = outputs.logits.tanh()
            return outputs

    examples = [lesson.wanted for lesson in lessons()]
    for kind, fused in ((LlamaForCausalLM, True), (Scaled, True), (Capped, False)):
        model = kind(tiny.llama().config).requires_grad_(False)
        wanted = token_losses(model, examples, Layout.PADDED, "cpu").nll
        assert choose_layout(model, "cpu", 256) is Layout.DOCUMENTS
        assert model.clara_fused_head is fused
        got = token_losses(model, examples, Layout.DOCUMENTS, "cpu").nll
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_row_is_as_long_as_its_activations_allow() -> None:
    small = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30)
    large = LlamaConfig(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22)
    assert row_tokens(Layout.DOCUMENTS, small) == 2048
    assert 900 < row_tokens(Layout.DOCUMENTS, large) < 1100
    vast = LlamaConfig(hidden_size=16384, intermediate_size=53248, num_hidden_layers=126)
    assert row_tokens(Layout.DOCUMENTS, vast) == 256
    assert row_tokens(Layout.DOCUMENTS, GPT2Config()) == 2048  # it has no intermediate_size
    assert row_tokens(Layout.VARLEN, vast) == 16384
