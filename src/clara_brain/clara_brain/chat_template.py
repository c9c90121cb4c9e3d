# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Render a conversation with the chat template that the GGUF carries.

The template is code from a file, so it runs in Jinja's sandbox, and whatever it raises is a fault
of the model's. A template that knows no system role gets the system prompt at the head of the
first thing the user said; a model that continues a text has learned no instructions and gets none.
What opens and closes a turn in such templates no text from outside may have in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from jinja2 import TemplateError
from jinja2.ext import Extension
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from clara_brain.errors import BackendError, ModelError

# The forms that chat templates in use have. To many models they are control tokens, to others
# (TinyLlama, Llama 2) plain text, and a server does not list the tokens of its model. See
# https://github.com/ggml-org/llama.cpp/blob/master/src/llama-chat.cpp
_TURN_MARKS = (
    r"<[|\uff5c][^<>]{1,64}?[|\uff5c]>",
    r"</?s>|<(?:bos|eos|pad|unk)>",
    r"</?(?:start|end)_of_(?:turn|text|image)>",
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|THINK)\]|<</?SYS>>",
    r"</im_(?:start|end)>",
    r"<\|?(?:im_start|im_end|im_sep|eot_id|start_header_id|end_header_id)\|?>",
)


@dataclass(frozen=True)
class Message:
    """One message: `role` is "system", "user" or "assistant"."""

    role: str
    content: str


class ChatTemplate:
    """A compiled chat template. Raises ModelError when it is absent or not well-formed.

    With `continues_text` the system prompt is left out.
    """

    def __init__(
        self, source: str | None, bos: str = "", eos: str = "", *, continues_text: bool = False
    ) -> None:
        self._continues_text = continues_text
        if not source:
            raise ModelError(
                "the model has no chat template (tokenizer.chat_template), so it cannot converse;"
                " take an instruct model, or convert it together with its template"
            )
        self._tokens = {"bos_token": bos, "eos_token": eos}
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", _Generation],
        )
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
        try:
            self._template = environment.from_string(source)
            self._system_role = self._knows_system_role()
        # Here and below: a template is a program out of the model's file, and may raise anything.
        except Exception as error:
            raise ModelError(
                f"the model's chat template is not valid: {_reason(error)}"
            ) from error

    def render(self, messages: Sequence[Message]) -> str:
        """Return the prompt up to where the assistant's reply starts."""
        if self._continues_text:
            messages = [message for message in messages if message.role != "system"]
        elif not self._system_role:
            messages = _fold_system(messages)
        try:
            return self._render(messages)
        except Exception as error:
            raise BackendError(
                f"the model's chat template refused the conversation: {_reason(error)}"
            ) from error

    def _render(self, messages: Sequence[Message]) -> str:
        dicts = [{"role": message.role, "content": message.content} for message in messages]
        return str(
            self._template.render(messages=dicts, add_generation_prompt=True, **self._tokens)
        )

    def _knows_system_role(self) -> bool:
        probe = "clara-probe"
        try:
            return probe in self._render([Message("system", probe), Message("user", "hello")])
        except Exception:
            self._render([Message("user", "hello")])
            return False


class _Generation(Extension):
    """`{% generation %}` around what a model says, as transformers marks it to learn from.

    It renders what is inside, which, as there, cannot set variables of the outside.
    """

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_inside"), [], [], body).set_lineno(line)

    def _inside(self, caller: Callable[[], str]) -> str:
        return caller()


def turn_marks(control: Iterable[str]) -> re.Pattern[str]:
    """Return what could open or close a turn: a model's control tokens, and the forms in use."""
    exact = map(re.escape, sorted(filter(None, control), key=lambda text: (-len(text), text)))
    return re.compile("|".join([*exact, *_TURN_MARKS]))


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    system = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    return [Message(rest[0].role, "\n\n".join([*system, rest[0].content])), *rest[1:]]
