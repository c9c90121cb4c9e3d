# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A person's words and the robot's reply as token ids, with the exact place where it begins.

The prompt's ids are the very ones that the robot's engine will make of it, so that the model
learns to go on from what it will really see. The reply ends with its end-of-turn token; what a
template puts after that is never generated, hence not learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clara_training.errors import BaseModelError, DataError, first_line


@dataclass(frozen=True)
class Encoded:
    """A conversation: `ids[:prompt]` is given, `ids[prompt:]` is the reply."""

    ids: tuple[int, ...]
    prompt: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def reply_tokens(self) -> int:
        """How many tokens there are to learn."""
        return len(self.ids) - self.prompt


def beginning(tokenizer: Any, text: str = "") -> list[int]:
    """Return what the engine puts before a text's own tokens: the BOS, or nothing.

    As the GGUF says, it adds one where the tokenizer does, and the text does not begin with it.
    """
    bos = tokenizer.bos_token_id
    if bos is None or text.startswith(tokenizer.bos_token):
        return []
    return [bos] if tokenizer("")["input_ids"][:1] == [bos] else []


def engine_tokens(tokenizer: Any, text: str) -> list[int]:
    """Return the ids that the engine makes of a text, control tokens in it understood as such."""
    return [*beginning(tokenizer, text), *tokenizer(text, add_special_tokens=False)["input_ids"]]


def chat_template(tokenizer: Any) -> str | None:
    """Return the text of the chat template that transformers renders with; None without one."""
    return str(tokenizer.get_chat_template()) if tokenizer.chat_template else None


def encode(tokenizer: Any, user: str, reply: str, *, system: str = "") -> Encoded:
    """Encode one turn through the chat template of `tokenizer`.

    Raises BaseModelError when the template does not write a prompt that the whole begins with, or
    takes no system message.
    """
    turns = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": user})
    try:
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # jinja2's own, and whatever the template raises on purpose
        raise BaseModelError(
            f"the chat template of the base model fails{' with a system message' * bool(system)}: "
            f"{first_line(error)}"
        ) from error
    if system.strip() not in prompt:
        raise BaseModelError(
            "the chat template of the base model leaves the system message out: train without one"
        )
    turns.append({"role": "assistant", "content": reply})
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    if not whole.startswith(prompt):
        raise BaseModelError(
            "the chat template of the base model writes a conversation that does not begin with "
            "its own prompt, so that the reply cannot be told from it"
        )
    prompt_ids, ids = engine_tokens(tokenizer, prompt), engine_tokens(tokenizer, whole)
    if ids[: len(prompt_ids)] != prompt_ids:
        # A token reaches over the boundary. The engine never sees that one: it starts to generate
        # where the prompt's own tokens end.
        rest = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
        if tokenizer.decode(prompt_ids + rest) != tokenizer.decode(ids):
            raise BaseModelError(
                "the tokenizer of the base model joins prompt and reply into one token and cannot "
                "take them apart"
            )
        ids = prompt_ids + rest
    return Encoded(tuple(_up_to_end_of_turn(tokenizer, ids, len(prompt_ids))), len(prompt_ids))


def encode_all(
    tokenizer: Any,
    conversations: Sequence[tuple[str, str]],
    max_length: int,
    *,
    system: str = "",
    called: Callable[[int], str] = lambda at: "the example",
) -> list[Encoded]:
    """Encode conversations; those longer than `max_length` are an error, not cut silently.

    `called` says what one is called in it. Raises BaseModelError, DataError.
    """
    encoded = []
    for at, (user, reply) in enumerate(conversations):
        one = encode(tokenizer, user, reply, system=system)
        if len(one) > max_length:
            raise DataError(
                f"{called(at)} ({_shortened(user)!r}) has {len(one)} tokens, the limit is "
                f"{max_length}: shorten it, or raise --max-length where the base model has a "
                "longer context"
            )
        encoded.append(one)
    return encoded


def _up_to_end_of_turn(tokenizer: Any, ids: list[int], prompt: int) -> list[int]:
    special = _control_ids(tokenizer)
    for place in range(prompt, len(ids)):
        if ids[place] in special:
            return ids[: place + 1]
    if tokenizer.eos_token_id is None:
        raise BaseModelError("the base model has no end-of-turn token: a reply would never end")
    return [*ids, tokenizer.eos_token_id]


def _control_ids(tokenizer: Any) -> set[int]:
    """Return the ids of control tokens: EOS and others that have a name, and <|end|>."""
    unnamed = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return {*tokenizer.all_special_ids, *unnamed}


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
