# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The turns of a conversation: their form in a file, and what must be so for it to be learned.

- In a file they are `messages`, a list of {"role", "content"}, as OpenAI's, TRL's and every chat
  template's are.
- A system message is the first, or there is none; then user and assistant take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clara_training.errors import DataError

Turn = tuple[str, str]  # the role, and what is said
SYSTEM, USER, ASSISTANT = ROLES = ("system", "user", "assistant")
LONGEST_TEXT = 8000  # characters in one field, and in one message
_FIELDS = ("role", "content")


def turns_of(messages: object, last: str) -> tuple[Turn, ...]:
    """Return what a field `messages` holds, which must end with a turn of `last`.

    Raises DataError with a part of a sentence that names the message and its field.
    """
    if not isinstance(messages, list) or not messages:
        raise DataError('messages must be a list of {"role", "content"}')
    turns = tuple(_turn(f"message {number}", each) for number, each in enumerate(messages, 1))
    check_order(turns, last)
    return turns


def check_order(turns: Sequence[Turn], last: str) -> None:
    """Raise DataError unless user and assistant take turns, the user first and `last` last."""
    begin = int(has_system(turns))
    for number, (role, _) in enumerate(turns[begin:], begin + 1):
        wanted = USER if (number - begin) % 2 else ASSISTANT
        if role == SYSTEM:
            raise DataError(f"message {number} is a system message, which only the first can be")
        if role != wanted:
            where = "before it" if number > begin + 1 else "that it could answer"
            raise DataError(
                f"message {number} is the {role}'s, and there is none of the {wanted} {where}:"
                " the two must take turns, and the user begins"
            )
    if len(turns) == begin or turns[-1][0] != last:
        ends = f"ends with a message of the {turns[-1][0]}" if turns else "is empty"
        raise DataError(f"the conversation {ends}, where one of the {last} must be the last")


def as_messages(turns: Iterable[Turn]) -> list[dict[str, str]]:
    """Return turns as files and chat templates have them."""
    return [{"role": role, "content": said} for role, said in turns]


def without_exchanges(before: Sequence[Turn], count: int) -> tuple[Turn, ...]:
    """Leave out the first exchanges of what was said before a question, not a system message."""
    begin = int(has_system(before))
    return (*before[:begin], *before[begin + 2 * count :])


def has_system(turns: Sequence[Turn]) -> bool:
    """Tell whether a conversation begins with a system message."""
    return bool(turns) and turns[0][0] == SYSTEM


def exchanges(before: Sequence[Turn]) -> int:
    """Return how many questions were answered before."""
    return sum(role == ASSISTANT for role, _ in before)


def said_first(turns: Iterable[Turn]) -> str:
    """Return what the person says first; nothing where only a system message is there."""
    return next((said for role, said in turns if role == USER), "")


def checked_text(name: str, value: object) -> str:
    """Return a text of an example, stripped. Raises DataError with a part of a sentence."""
    if not isinstance(value, str):
        raise DataError(f"{name} must be a text")
    if not value.strip():
        raise DataError(f"{name} is empty")
    if len(value) > LONGEST_TEXT:
        raise DataError(f"{name} has {len(value)} characters; {LONGEST_TEXT} at most")
    if "\ufffd" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise DataError(f"{name} has characters that are broken (not UTF-8 where it was made)")
    return value.strip()


def _turn(called: str, message: object) -> Turn:
    if not isinstance(message, dict):
        raise DataError(f"{called} must be an object with {' and '.join(_FIELDS)}")
    for name in _FIELDS:
        if name not in message:
            raise DataError(f"{called} has no {name}")
    if unknown := [name for name in message if name not in _FIELDS]:
        raise DataError(f"{called} has {unknown[0]}, where there are but {' and '.join(_FIELDS)}")
    role = message["role"]
    if role not in ROLES:
        raise DataError(f"the role of {called} is {role!r}; it must be {', '.join(ROLES)}")
    return role, checked_text(f"the content of {called}", message["content"])
