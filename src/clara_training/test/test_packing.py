# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversations as token ids, and several of them in one forward pass."""

import itertools

import pytest
import tiny
import torch
from clara_training.base import Base, load_model
from clara_training.chat_encoding import Encoded, encode
from clara_training.errors import BaseModelError, LoraError
from clara_training.lora_step import Lesson, MemoryBudget, Objective, accumulate
from clara_training.packing import (
    Layout,
    choose_layout,
    rows,
    token_losses,
)
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPT2LMHeadModel,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)

from clara_training import lora_step, packing

TURNS = [
    ("Where is the red cup?", "It's on the kitchen table!"),
    ("Hello.", "Good morning! Shall we begin?"),
    ("Please hand me the lantern, the kettle and the long green rope.", "Here."),
    ("Is it open?", "Yes, the café is open from 8 to 17, and it's warm."),
]


@pytest.fixture(params=[False, True], ids=["byte-level", "byte-fallback"])
def tokenizer(request):
    return tiny.tokenizer(byte_fallback=request.param)


def test_the_reply_begins_just_where_the_engine_would_start_to_generate(tokenizer):
    for user, reply in TURNS:
        encoded = encode(tokenizer, user, reply)
        turns = [{"role": "user", "content": user}]
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert list(encoded.ids[: encoded.prompt]) == ids
        learned = tokenizer.decode(encoded.ids[encoded.prompt :])
        assert learned.strip() == f"{reply}<|im_end|>"


def test_the_reply_ends_with_the_end_of_turn_and_learns_nothing_after_it(tokenizer):
    encoded = encode(tokenizer, *TURNS[0])
    assert encoded.ids[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert encoded.ids[encoded.prompt :].count(encoded.ids[-1]) == 1


def test_a_template_that_ends_no_turn_gets_the_end_of_text():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    assert encode(tokenizer, *TURNS[0]).ids[-1] == tokenizer.eos_token_id


def test_a_system_message_is_part_of_the_prompt():
    tokenizer = tiny.tokenizer()
    with_system = encode(tokenizer, *TURNS[0], system="You are Clara.")
    assert "You are Clara." in tokenizer.decode(with_system.ids[: with_system.prompt])
    assert with_system.reply_tokens == encode(tokenizer, *TURNS[0]).reply_tokens


def test_a_template_whose_prompt_is_no_beginning_of_the_whole_is_refused():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = (
        "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(BaseModelError, match="does not begin with"):
        encode(tokenizer, *TURNS[0])


def test_rows_hold_every_example_once_and_none_is_too_full():
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(3, 60, (200,), generator=generator).tolist()
    examples = [Encoded((number,) * length, 1) for number, length in enumerate(lengths)]
    packed = rows(examples, 64)
    assert sorted(e.ids[0] for row in packed for e in row) == list(range(200))
    assert all(sum(map(len, row)) <= 64 for row in packed)
    assert len(packed) <= -(-sum(lengths) // 64) * 11 / 9 + 1
    assert [len(row) for row in rows([Encoded((1,) * 99, 1)], 64)] == [1]


def encoded():
    tokenizer = tiny.tokenizer()
    return [encode(tokenizer, *turn) for turn in TURNS]


def of_family(config_class, **changes):
    """Return a maker of tiny models of another family."""

    def make():
        settings = tiny.llama().config.to_dict()
        names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
        names += ("num_attention_heads", "num_key_value_heads", "initializer_range")
        config = config_class(
            **{name: settings[name] for name in names}, pad_token_id=2, **changes
        )
        return AutoModelForCausalLM.from_config(config).eval()

    return make


FAMILIES = {
    "llama": tiny.llama,
    "gpt2": tiny.gpt2,
    "qwen2": of_family(Qwen2Config),
    "qwen3": of_family(Qwen3Config, head_dim=16),
    "phi3": of_family(Phi3Config),
    "phi": of_family(PhiConfig),
}


@pytest.mark.parametrize("make", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize(
    "layout", [Layout.DOCUMENTS, Layout.BLOCKS, Layout.PADDED], ids=lambda each: each.name.lower()
)
def test_every_layout_gives_each_token_the_loss_that_it_has_alone(make, layout):
    model = make()
    if layout is Layout.DOCUMENTS:
        assert choose_layout(model, "cpu", 256) is Layout.DOCUMENTS
    with torch.inference_mode():
        together = token_losses(model, encoded(), layout, "cpu")
        model.set_attn_implementation("eager")
        for number, example in enumerate(encoded()):
            ids = torch.tensor([example.ids])
            logits = model(input_ids=ids).logits[0].log_softmax(-1)
            alone = -logits[:-1].gather(1, ids[0, 1:, None])[example.prompt - 1 :, 0]
            got = together.nll[together.example == number]
            torch.testing.assert_close(got, alone, rtol=2e-5, atol=2e-5)


def test_a_model_whose_attention_pytorch_has_not_is_loaded_and_padded(tmp_path):
    base = Base("gemma", tiny.save(of_family(Gemma2Config, head_dim=16)(), tmp_path))
    assert choose_layout(load_model(base, "cpu"), "cpu", 256) is Layout.PADDED


def test_variable_length_attention_is_asked_as_its_documentation_says(monkeypatch):
    """The kernel is CUDA's; here its contract is computed in float32."""

    def reference(q, k, v, cu_q, cu_k, max_q, max_k, *, scale, window_size, enable_gqa):
        assert window_size == (-1, 0)
        assert cu_q.dtype is torch.int32
        assert max_q == max_k == int(cu_q.diff().max())
        repeat = q.shape[1] // k.shape[1]
        assert enable_gqa == (repeat > 1)
        out = torch.empty_like(q)
        for start, end in itertools.pairwise(cu_q.tolist()):
            # [length, heads, width]
            keys = k[start:end].repeat_interleave(repeat, 1)
            scores = torch.einsum("qhd,khd->hqk", q[start:end], keys) * scale
            hidden = torch.ones(end - start, end - start, dtype=torch.bool).triu(1)
            share = scores.masked_fill(hidden, -torch.inf).softmax(-1)
            out[start:end] = torch.einsum(
                "hqk,khd->qhd", share, v[start:end].repeat_interleave(repeat, 1)
            )
        return out

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", reference)
    model = tiny.llama()
    with torch.no_grad():
        wanted = token_losses(model, encoded(), Layout.PADDED, "cpu").nll
        packing._set_attention(model, Layout.VARLEN)
        got = token_losses(model, encoded(), Layout.VARLEN, "cpu")
    order = got.example.sort(stable=True).indices
    torch.testing.assert_close(got.nll[order], wanted, rtol=2e-5, atol=2e-5)


def attention_by_document(q, k, v, bounds, longest, scale=None):
    """Compute what the kernel does, document after document, on any device."""
    mixed = [
        torch.nn.functional.scaled_dot_product_attention(
            *(each[start:end].transpose(0, 1)[None] for each in (q, k, v)),
            is_causal=True,
            scale=scale,
            enable_gqa=True,
        )[0].transpose(0, 1)
        for start, end in itertools.pairwise(bounds.tolist())
    ]
    return torch.cat(mixed)


@pytest.mark.parametrize(("dropout", "fits"), [(0.0, True), (0.1, False)])
def test_a_kernel_without_dropout_is_not_for_models_that_have_it(monkeypatch, dropout, fits):
    monkeypatch.setattr(packing, "varlen_attention", attention_by_document)
    model = tiny.llama(attention_dropout=dropout)
    with torch.no_grad():
        wanted = token_losses(model, encoded(), Layout.PADDED, "cpu").nll
    packing._set_attention(model, Layout.VARLEN)
    assert packing._agrees(model, encoded(), Layout.VARLEN, "cpu", wanted) is fits
    assert not model.training


def gradients(layout, budget, *, contrast=0.0):
    model = tiny.llama()
    if layout is Layout.DOCUMENTS:
        assert choose_layout(model, "cpu", 256) is layout
    replies = encoded()
    lessons = [
        Lesson(one, other if contrast else None)
        for one, other in zip(replies, replies[1:] + replies[:1], strict=True)
    ]
    tokens = sum(lesson.reply_tokens for lesson in lessons)
    model.train()
    nll = accumulate(
        *(model, lessons, layout, "cpu", budget), Objective(tokens, len(lessons), contrast)
    )
    return nll, torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])


def test_out_of_memory_ends_with_single_lessons_however_long_the_others_are(monkeypatch):
    lessons = [Lesson(Encoded(tuple(range(length)), 1)) for length in (100, 40, 40)]
    budget = MemoryBudget(180, 0)
    rows_tried = []

    def none(model, examples, layout, device):
        rows_tried.append(budget.tokens)
        assert len(rows_tried) < 10, "the same rows are tried again and again"
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(lora_step, "token_losses", none)
    with pytest.raises(LoraError, match="an example of 100 tokens alone does not fit"):
        accumulate(tiny.llama(), lessons, Layout.DOCUMENTS, "cpu", budget, Objective(1, 3))
    assert budget.tokens < 80 and budget.recompute


@pytest.mark.parametrize("contrast", [0.0, 0.5])
def test_the_gradient_of_a_step_is_the_same_however_it_is_cut(contrast):
    wanted_nll, wanted = gradients(Layout.PADDED, MemoryBudget(0, 4), contrast=contrast)
    for layout, budget in (
        (Layout.PADDED, MemoryBudget(0, 1)),
        (Layout.BLOCKS, MemoryBudget(1024, 0)),
        (Layout.DOCUMENTS, MemoryBudget(1024, 0)),
        (Layout.DOCUMENTS, MemoryBudget(1, 0)),
        (Layout.DOCUMENTS, MemoryBudget(1024, 0, recompute=True)),
    ):
        nll, got = gradients(layout, budget, contrast=contrast)
        assert nll == pytest.approx(wanted_nll, rel=1e-5)
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)


def test_contrast_is_the_odds_ratio_of_the_paper():
    model = tiny.llama()
    pair = encoded()[:2]
    with torch.inference_mode():
        losses = token_losses(model, pair, Layout.PADDED, "cpu")
        loss, nll = Objective(pair[0].reply_tokens, 1, 0.7).loss(losses, [Lesson(*pair)])
    p = [losses.nll[losses.example == n].double().mean().neg().exp() for n in (0, 1)]
    odds = [one / (1 - one) for one in p]
    term = -torch.log(torch.sigmoid(torch.log(odds[0] / odds[1])))
    assert float(loss) == pytest.approx(nll / pair[0].reply_tokens + 0.7 * float(term), rel=1e-4)


def test_a_model_that_cannot_be_told_about_documents_is_padded():
    class Deaf(GPT2LMHeadModel):
        """Takes positions and bounds, and lets examples see each other all the same."""

        def forward(self, input_ids, attention_mask=None, cu_seq_lens_q=None, **kwargs):
            kwargs.pop("position_ids", None)
            return super().forward(input_ids, attention_mask=attention_mask, **kwargs)

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2, initializer_range=0.3)
    assert choose_layout(Deaf(config), "cpu", 128) is Layout.PADDED


def test_a_window_shorter_than_the_examples_is_padded():
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=32,
    )
    assert choose_layout(MistralForCausalLM(config), "cpu", 32) is Layout.DOCUMENTS
    assert choose_layout(MistralForCausalLM(config), "cpu", 33) is Layout.PADDED
