# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A person's words and the robot's reply as token ids, with the exact place where it begins.

The prompt's ids are the very ones that the robot's engine will make of it, so that the model
learns to go on from what it will really see. The reply ends with its end-of-turn token; what a
template puts after that is never generated, hence not learned. `chat_turns` has several replies
in one list of ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clara_training.errors import BaseModelError, first_line
from clara_training.turns import ASSISTANT, SYSTEM, USER, Turn, as_messages, has_system

_PROBE = "clara-probe"


@dataclass(frozen=True)
class Encoded:
    """A conversation: `ids[:prompt]` is given, `ids[prompt:]` is the last reply.

    `earlier` are the replies before it that are learned as well, each [begin, end).
    """

    ids: tuple[int, ...]
    prompt: int
    earlier: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def replies(self) -> tuple[tuple[int, int], ...]:
        """Where the replies are that are learned, each [begin, end)."""
        return (*self.earlier, (self.prompt, len(self.ids)))

    @property
    def reply_tokens(self) -> int:
        """How many tokens there are to learn."""
        return sum(end - begin for begin, end in self.replies)

    def learned(self) -> Iterator[int]:
        """Give the places of the tokens that are learned."""
        for begin, end in self.replies:
            yield from range(begin, end)


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


def encode(
    tokenizer: Any, user: str, reply: str, *, system: str = "", before: Sequence[Turn] = ()
) -> Encoded:
    """Encode an exchange, after what was said before it; its reply alone is learned.

    `system` is for conversations without a system message of their own. Raises BaseModelError when
    the chat template of `tokenizer` does not write a prompt that the whole begins with.
    """
    turns = [*before, (USER, user), (ASSISTANT, reply)]
    return encode_last(tokenizer, as_given(tokenizer, turns, system))


def as_given(tokenizer: Any, turns: Sequence[Turn], system: str = "") -> list[Turn]:
    """Return turns as the chat template is to be given them.

    They get the system message where they have none. A template that knows no system role has it
    at the head of the first question, as the robot's brain gives it.
    """
    turns = list(turns)
    if system and not has_system(turns):
        turns.insert(0, (SYSTEM, system))
    if has_system(turns) and not _knows_system_role(tokenizer):
        (_, said), (_, question), *rest = turns
        turns = [(USER, f"{said}\n\n{question}"), *rest]
    return turns


def render(tokenizer: Any, turns: Sequence[Turn], *, prompt: bool = False) -> str:
    """Return what the chat template writes; as a prompt, up to where a reply begins.

    Raises BaseModelError.
    """
    try:
        text = tokenizer.apply_chat_template(
            as_messages(turns), tokenize=False, add_generation_prompt=prompt
        )
    except Exception as error:  # jinja2's own, and whatever the template raises on purpose
        raise BaseModelError(
            f"the chat template of the base model fails: {first_line(error)}"
        ) from error
    return str(text)


def encode_last(tokenizer: Any, turns: Sequence[Turn]) -> Encoded:
    """Encode a conversation, as its template is given it; the last reply is learned.

    Raises BaseModelError.
    """
    prompt = render(tokenizer, turns[:-1], prompt=True)
    whole = render(tokenizer, turns)
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


def _knows_system_role(tokenizer: Any) -> bool:
    try:
        return _PROBE in render(tokenizer, [(SYSTEM, _PROBE), (USER, "hello")], prompt=True)
    except BaseModelError:
        return False


def _up_to_end_of_turn(tokenizer: Any, ids: list[int], prompt: int) -> list[int]:
    special = control_ids(tokenizer)
    for place in range(prompt, len(ids)):
        if ids[place] in special:
            return ids[: place + 1]
    if tokenizer.eos_token_id is None:
        raise BaseModelError("the base model has no end-of-turn token: a reply would never end")
    return [*ids, tokenizer.eos_token_id]


def control_ids(tokenizer: Any) -> set[int]:
    """Return the ids of control tokens: EOS and others that have a name, and <|end|>."""
    unnamed = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return {*tokenizer.all_special_ids, *unnamed}
