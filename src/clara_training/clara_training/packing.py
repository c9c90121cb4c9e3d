# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Several examples in one forward pass, none of which sees another.

- `flatten` puts examples end to end in one row, without a single token of padding: positions
  begin anew with each, and attention stays within it. On a CPU each example gets an attention call
  of its own; on CUDA there is PyTorch's variable-length attention, or else a block mask.
- Padding is the plain way, for models whose attention cannot be told about documents.
- `choose_layout` finds out which of the two a model can do by trying both.

Logits are computed where a token of a reply is predicted and nowhere else, and on a CPU together
with the loss (see `head_loss`), where a model's logits are what its head gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import torch
import torch.nn.functional as F

from clara_training.chat_encoding import Encoded
from clara_training.head_loss import HeadLoss, can_fuse, headless
from clara_training.lora_linear import packed_of
from clara_training.varlen import varlen_attention

DOCUMENT_ATTENTION = "clara_documents"
VARLEN_ATTENTION = "clara_varlen"
_FUSED_HEAD = "clara_fused_head"  # a model's attribute: its head and the loss may be one
# How far the two layouts may be apart in a token's loss: rounding, not another attention.
_TOLERANCE_FLOAT32 = 2e-3
_TOLERANCE_BFLOAT16 = 0.25
_PROBE_LENGTHS = (7, 12, 5)

AnySized = TypeVar("AnySized", bound=Sized)


class Layout(Enum):
    """How a micro-batch is laid out."""

    DOCUMENTS = "packed, an attention call for each example"
    VARLEN = "packed, variable-length attention"
    BLOCKS = "packed, a block mask"
    PADDED = "padded"


@dataclass(frozen=True)
class TokenLosses:
    """Negative log-likelihood of every reply token, and the example (0, 1, ...) that it is of."""

    nll: torch.Tensor  # [tokens], float32
    example: torch.Tensor  # [tokens], int64

    def sums(self, examples: int) -> torch.Tensor:
        """Return the sum over each example's tokens: [examples]."""
        return self.nll.new_zeros(examples).index_add(0, self.example, self.nll)


@dataclass(frozen=True)
class Flat:
    """Examples end to end; all tensors are on the model's device."""

    ids: torch.Tensor  # [1, tokens]
    positions: torch.Tensor  # [1, tokens]
    bounds: torch.Tensor  # [examples + 1], where each begins, and the end
    predicts: torch.Tensor  # [reply tokens], the places whose logits are wanted
    targets: torch.Tensor  # [reply tokens]
    example: torch.Tensor  # [reply tokens]

    def block_mask(self) -> torch.Tensor:
        """Return [1, 1, tokens, tokens], true where a token may see another."""
        tokens = self.ids.shape[1]
        place = torch.arange(tokens, device=self.ids.device)
        document = torch.bucketize(place, self.bounds[1:], right=True)
        return (document[:, None] == document) & (place[:, None] >= place)[None, None]


def flatten(examples: Sequence[Encoded], device: str) -> Flat:
    """Put examples end to end."""
    ids: list[int] = []
    positions: list[int] = []
    bounds = [0]
    predicts: list[int] = []
    of: list[int] = []
    for number, example in enumerate(examples):
        start = len(ids)
        ids += example.ids
        positions += range(len(example))
        bounds.append(len(ids))
        predicts += (start + place - 1 for place in example.learned())
        of += [number] * example.reply_tokens
    return Flat(
        torch.tensor([ids], device=device),
        torch.tensor([positions], device=device),
        torch.tensor(bounds, device=device),
        torch.tensor(predicts, device=device),
        torch.tensor([ids[place + 1] for place in predicts], device=device),
        torch.tensor(of, device=device),
    )


def token_losses(
    model: Any, examples: Sequence[Encoded], layout: Layout, device: str
) -> TokenLosses:
    """Run a causal model over a micro-batch and return the loss of each reply token."""
    with torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda")):
        if layout is Layout.PADDED:
            return _padded_losses(model, examples, device)
        return _packed_losses(model, examples, layout, device)


def _packed_losses(
    model: Any, examples: Sequence[Encoded], layout: Layout, device: str
) -> TokenLosses:
    flat = flatten(examples, device)
    if layout in (Layout.DOCUMENTS, Layout.VARLEN):
        # The names that transformers has for what attention is told of packed sequences.
        longest = max(map(len, examples))
        extra: dict[str, Any] = {"cu_seq_lens_q": flat.bounds, "max_length_q": longest}
    else:
        extra = {"attention_mask": flat.block_mask()}
    given = {
        "input_ids": flat.ids,
        "position_ids": flat.positions,
        "logits_to_keep": flat.predicts,
        **extra,
    }
    if getattr(model, _FUSED_HEAD, False):
        with headless(model) as head:
            hidden = _where_predicted(model(**given).logits, flat)
        nll = HeadLoss.apply(  # type: ignore[no-untyped-call]
            hidden, head.weight, head.bias, flat.targets, packed_of(head)
        )
    else:
        logits = _where_predicted(model(**given).logits, flat)
        nll = F.cross_entropy(logits.float(), flat.targets, reduction="none")
    return TokenLosses(nll, flat.example)


def _where_predicted(given: torch.Tensor, flat: Flat) -> torch.Tensor:
    """Return what a model gives where a token of a reply is predicted: [reply tokens, ...]."""
    given = given.squeeze(0)
    if given.shape[0] != flat.targets.shape[0]:  # a model that gives them all
        given = given[flat.predicts]
    return given


def _padded_losses(model: Any, examples: Sequence[Encoded], device: str) -> TokenLosses:
    width = max(map(len, examples))
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    learned = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        ids[row, : len(example)] = torch.tensor(example.ids)
        mask[row, : len(example)] = 1
        for begin, end in example.replies:
            learned[row, begin:end] = True
    ids, mask, learned = ids.to(device), mask.to(device), learned.to(device)
    # Position t predicts token t + 1; nothing before the first of all replies is learned from.
    first = min(example.replies[0][0] for example in examples) - 1
    columns = torch.arange(first, width - 1, device=device)
    logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=columns).logits
    if logits.shape[1] != len(columns):
        logits = logits[:, columns]
    row, column = learned[:, first + 1 :].nonzero(as_tuple=True)
    nll = F.cross_entropy(
        logits[row, column].float(), ids[:, first + 1 :][row, column], reduction="none"
    )
    return TokenLosses(nll, row)


def choose_layout(model: Any, device: str, max_length: int, *, packing: bool = True) -> Layout:
    """Return the best layout that a model computes rightly, and set its attention for it.

    Three short documents of any tokens are run packed and padded; where the losses differ by more
    than rounding (the architecture ignores positions, masks or document bounds) or it fails (with
    dropout, as in training, too), the next layout is tried, and padding is the last. So it is
    where the model's sliding window is shorter than an example may be, and where its attention is
    none that PyTorch has (Gemma 2's).
    """
    plain = _set_plain_attention(model)
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not packing or not plain or (window and window < max_length):
        return Layout.PADDED
    generator = torch.Generator().manual_seed(0)
    probe = [
        Encoded(tuple(torch.randint(config.vocab_size, (n,), generator=generator).tolist()), 2)
        for n in _PROBE_LENGTHS
    ]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            wanted = token_losses(model, probe, Layout.PADDED, device).nll
        candidates = (Layout.DOCUMENTS,) if device == "cpu" else (Layout.VARLEN, Layout.BLOCKS)
        for layout in candidates:
            _set_attention(model, layout)
            for fused in (True, False) if can_fuse(model) else (False,):
                setattr(model, _FUSED_HEAD, fused)
                if _agrees(model, probe, layout, device, wanted):
                    return layout
    finally:
        model.train(was_training)
    _set_plain_attention(model)
    return Layout.PADDED


def _set_plain_attention(model: Any) -> bool:
    """Have PyTorch's attention, or else transformers' own; tell which."""
    try:
        model.set_attn_implementation("sdpa")
        return True
    except ValueError:
        model.set_attn_implementation("eager")
        return False


def _agrees(
    model: Any, probe: list[Encoded], layout: Layout, device: str, wanted: torch.Tensor
) -> bool:
    try:
        got = token_losses(model, probe, layout, device).nll
        if got.requires_grad:
            got.sum().backward()
        model.train()  # not every kernel has the dropout that a model may have on its attention
        with torch.no_grad():
            token_losses(model, probe, layout, device)
    except Exception:  # whatever it is that the model or the kernel does not take
        return False
    finally:
        model.eval()
        model.zero_grad(set_to_none=True)
    tolerance = _TOLERANCE_FLOAT32 if device == "cpu" else _TOLERANCE_BFLOAT16
    return bool((got - wanted).abs().max() <= tolerance)


def rows(examples: Sequence[AnySized], limit: int) -> list[list[AnySized]]:
    """Distribute examples over as few rows of at most `limit` tokens as first-fit finds.

    First-fit decreasing (Johnson, 1973) needs at most 11/9 of the fewest rows, plus one. An
    example longer than `limit` has a row of its own.
    """
    packed: list[list[AnySized]] = []
    room: list[int] = []
    for example in sorted(examples, key=len, reverse=True):
        for number, left in enumerate(room):
            if len(example) <= left:
                packed[number].append(example)
                room[number] -= len(example)
                break
        else:
            packed.append([example])
            room.append(limit - len(example))
    return packed


def _set_attention(model: Any, layout: Layout) -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(DOCUMENT_ATTENTION, _document_attention)
    AttentionInterface.register(VARLEN_ATTENTION, _varlen_attention)
    names = {Layout.DOCUMENTS: DOCUMENT_ATTENTION, Layout.VARLEN: VARLEN_ATTENTION}
    model.set_attn_implementation(names.get(layout, "sdpa"))


def _document_attention(
    module: Any,
    query: torch.Tensor,  # [1, heads, tokens, width]
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each document. A dense block mask would compute all pairs."""
    if cu_seq_lens_q is None:
        raise ValueError("this model does not pass the documents' bounds to its attention")
    lengths = cu_seq_lens_q.diff().tolist()
    attend: Callable[..., torch.Tensor] = F.scaled_dot_product_attention
    # Split, not sliced: the gradient of a slice is as long as the whole, and mostly zeros. By
    # tokens: the kernel's results and gradients lie so, and nothing has to be laid otherwise.
    by_token = (each.transpose(1, 2).split(lengths, dim=1) for each in (query, key, value))
    parts = [
        attend(
            *(each.transpose(1, 2) for each in document),
            dropout_p=dropout,
            is_causal=True,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        ).transpose(1, 2)
        for document in zip(*by_token, strict=True)
    ]
    return torch.cat(parts, dim=1), None


def _varlen_attention(
    module: Any,
    query: torch.Tensor,  # [1, heads, tokens, width]
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int = 0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each document, in one kernel."""
    if cu_seq_lens_q is None or dropout:
        raise ValueError("documents' bounds are not passed on, or there is dropout on attention")
    q, k, v = (each[0].transpose(0, 1) for each in (query, key, value))
    return varlen_attention(q, k, v, cu_seq_lens_q.int(), max_length_q, scaling)[None], None
