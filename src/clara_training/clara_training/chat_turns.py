# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""All replies of a conversation as token ids, each after just what the robot's engine will read.

- By definition: each reply is encoded as the last of what was said up to it. Where the ids up to
  one reply are the beginning of those up to the next, they are one list, and both are learned in
  it. Where a template writes an earlier reply otherwise than the last (it takes out what was
  thought, ends no turn but the last, moves the system message), the earlier one has a list of its
  own: nothing is learned from what will never be read or generated so.
- That takes the square of the number of turns. Nearly all templates write the same between all
  turns, whoever speaks; then one rendering, cut where that stands, comes to the same ids.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from clara_training.chat_encoding import (
    Encoded,
    as_given,
    beginning,
    control_ids,
    encode_last,
    render,
)
from clara_training.turns import ASSISTANT, Turn, exchanges, has_system, without_exchanges

_BEGIN, _END = "\ue000", "\ue001"  # of Unicode's private use area; a text that has them is no loss
AnyEncoded = TypeVar("AnyEncoded")


def encode_turns(tokenizer: Any, turns: Sequence[Turn], *, system: str = "") -> list[Encoded]:
    """Encode a conversation that ends with a reply; every reply is learned once.

    `system` is for one without a system message of its own. Raises BaseModelError.
    """
    turns = as_given(tokenizer, turns, system)
    if exchanges(turns) == 1:
        return [encode_last(tokenizer, turns)]
    at_once = _at_once(tokenizer, turns)
    return [at_once] if at_once else one_by_one(tokenizer, turns)


def one_by_one(tokenizer: Any, turns: Sequence[Turn]) -> list[Encoded]:
    """Encode the replies of a conversation by definition, whatever the template does.

    Raises BaseModelError.
    """
    found: list[Encoded] = []
    for place, (role, _) in enumerate(turns):
        if role != ASSISTANT:
            continue
        one = encode_last(tokenizer, turns[: place + 1])
        if found and one.ids[: len(found[-1])] == found[-1].ids:
            found[-1] = Encoded(one.ids, one.prompt, found[-1].replies)
        else:
            found.append(one)
    return found


def fitting(
    encode: Callable[[Sequence[Turn]], AnyEncoded],
    length: Callable[[AnyEncoded], int],
    before: Sequence[Turn],
    longest: int,
) -> tuple[AnyEncoded, int]:
    """Encode an example with as much of what was said before as there is room for.

    Where it has more than `longest` tokens, as few of the earliest exchanges are left out as will
    do; returns how many. One that is too long even without any is returned all the same.
    """
    encoded, there = encode(before), exchanges(before)
    if length(encoded) <= longest or not there:
        return encoded, 0

    def fits(count: int) -> bool:
        return length(encode(without_exchanges(before, count))) <= longest

    fewest = bisect_left(range(there), True, lo=1, key=fits)
    return encode(without_exchanges(before, fewest)), fewest


def _at_once(tokenizer: Any, turns: Sequence[Turn]) -> Encoded | None:
    """Encode all replies in one rendering; None where it is not certain that they can be."""
    whole = render(tokenizer, turns)
    between = _between(tokenizer, turns, whole)
    if between is None or not tokenizer.is_fast:
        return None
    first = int(has_system(turns))  # the first question
    openings, closings = between[first + 1 : -1 : 2], between[first + 2 : -1 : 2]
    tail = between[-1]
    if len({*openings}) > 1 or len({*closings}) > 1 or not closings[0].startswith(tail):
        return None
    # Where each turn's text ends.
    ends = [*accumulate(len(a) + len(b) for a, (_, b) in zip(between, turns, strict=False))]
    asked, answered = ends[first::2], ends[first + 1 :: 2]
    last = render(tokenizer, turns[:-1], prompt=True)
    opened = len(last) - asked[-1]  # characters of the opening that are the prompt's
    prompts = [end + opened for end in asked]
    if not (
        0 <= opened <= len(openings[0])
        and whole.startswith(last)
        and render(tokenizer, turns[: first + 1], prompt=True) == whole[: prompts[0]]
    ):
        return None
    return _cut(tokenizer, whole, prompts, [end + len(tail) for end in answered])


def _between(tokenizer: Any, turns: Sequence[Turn], whole: str) -> list[str] | None:
    """Return what the template writes before, between and after the turns' texts.

    None where it does not write each text as it is, once and in order.
    """
    marked = render(tokenizer, [(role, f"{_BEGIN}{said}{_END}") for role, said in turns])
    pieces = re.split(f"[{_BEGIN}{_END}]", marked)
    said = [text for _, text in turns]
    return pieces[::2] if pieces[1::2] == said and "".join(pieces) == whole else None


def _cut(
    tokenizer: Any, whole: str, prompts: Sequence[int], turn_ends: Sequence[int]
) -> Encoded | None:
    """Return the tokens of a text with its replies: each begins at a prompt's end.

    None where the engine would cut a prompt otherwise, or no control token ends a turn.
    """
    tokens = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids, places = tokens["input_ids"], [begin for begin, _ in tokens["offset_mapping"]]
    control = control_ids(tokenizer)
    replies = []
    for prompt, turn_end in zip(prompts, turn_ends, strict=True):
        begin, limit = bisect_left(places, prompt), bisect_left(places, turn_end)
        end = next((at for at in range(begin, limit) if ids[at] in control), None)
        if end is None:
            return None
        replies.append((begin, end + 1))
    # A control token is a token whatever stands around it: from one to the end of a prompt, the
    # tokens must be those that this piece of text has alone.
    safe = [0, *(end - 1 for _, end in replies[:-1])]
    texts = [whole[places[at] if at else 0 : to] for at, to in zip(safe, prompts, strict=True)]
    pieces = tokenizer(texts, add_special_tokens=False)["input_ids"]
    if any(
        ids[at:begin] != piece for at, (begin, _), piece in zip(safe, replies, pieces, strict=True)
    ):
        return None
    ahead = beginning(tokenizer, whole)
    moved = [(begin + len(ahead), end + len(ahead)) for begin, end in replies]
    *earlier, (prompt, end) = moved
    return Encoded((*ahead, *ids)[:end], prompt, tuple(earlier))
