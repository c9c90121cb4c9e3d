# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Write an Ollama Modelfile beside a GGUF, with the chat template in Ollama's language.

Ollama does not run the GGUF's Jinja template. Ours is found by rendering a conversation of marks
with the Jinja template and cutting at the marks, so it holds for any template whose turns are text
around the message; `expand` renders it back, and both must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_training.errors import ExportError

_SYSTEM, _USER, _REPLY, _SECOND = "\x01SYSTEM\x01", "\x01USER\x01", "\x01REPLY\x01", "\x01TWO\x01"
_GAP = "\n\n"


@dataclass(frozen=True)
class Turns:
    """What a chat template puts before and after each message.

    `system` is None where it knows no system message: the first user's message then begins with
    it.
    """

    system: tuple[str, str] | None
    user: tuple[str, str]
    reply: tuple[str, str]

    def template(self) -> str:
        """Return it as an Ollama template."""
        (before, after), (reply, end) = self.user, self.reply
        if self.system is None:
            inside = f"{{{{ if .System }}}}{{{{ .System }}}}{_GAP}{{{{ end }}}}{{{{ .Prompt }}}}"
            opening = f"{before}{inside}{after}"
        else:
            opening = (
                f"{{{{ if .System }}}}{self.system[0]}"
                f"{{{{ .System }}}}{self.system[1]}{{{{ end }}}}"
                f"{{{{ if .Prompt }}}}{before}{{{{ .Prompt }}}}{after}{{{{ end }}}}"
            )
        return f"{opening}{reply}{{{{ .Response }}}}{end}"

    def expand(self, system: str, turns: Sequence[tuple[str, str]], prompt: str) -> str:
        """Render a conversation up to where the next reply starts."""
        text = self.system[0] + system + self.system[1] if system and self.system else ""
        for said, replied in turns:
            text += self.user[0] + said + self.user[1]
            text += self.reply[0] + replied + self.reply[1]
        return text + self.user[0] + prompt + self.user[1] + self.reply[0]


def turns_of(tokenizer: Any) -> Turns:
    """Find what a tokenizer's chat template puts around messages.

    Raises ExportError when it has none, or one that cannot be said in these terms.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ExportError(
            "the model has no chat template, so it cannot converse; give tokenizer.chat_template"
            " one, or start from an instruct model"
        )
    for system in ((("system", _SYSTEM),), ()):
        try:
            turns = _turns(tokenizer, system)
        except Exception as error:  # Jinja's own, or a mark that is not there
            fault: Exception = error
            continue
        told = [*((role, "S") for role, _ in system), ("user", "a"), ("assistant", "b")]
        expected = _render(tokenizer, [*told, ("user", "c")])
        once = _written_once(tokenizer, expected, turns.user[0])
        if once + turns.expand("S" if system else "", [("a", "b")], "c") == expected:
            return turns
        fault = ValueError("its turns depend on each other")
    raise ExportError(f"the chat template cannot be written for Ollama: {fault}") from fault


def _turns(tokenizer: Any, system: tuple[tuple[str, str], ...]) -> Turns:
    talk = [*system, ("user", _USER), ("assistant", _REPLY)]
    text = _render(tokenizer, [*talk, ("user", _SECOND)])
    opening, rest = text.split(_USER)
    to_second, to_next = rest.split(_REPLY)[1].split(_SECOND)
    # Where a talk ends without asking for a reply shows what closes a turn.
    after_user = _render(tokenizer, talk[:-1], reply=False).split(_USER)[1]
    after_reply = _render(tokenizer, talk, reply=False).split(_REPLY)[1]
    before_user = to_second.removeprefix(after_reply)
    opening = opening.removeprefix(_written_once(tokenizer, opening, before_user))
    around = None
    if system:
        before_system, between = opening.split(_SYSTEM)
        around = (before_system, between.removesuffix(before_user))
    return Turns(
        system=around,
        user=(before_user, after_user),
        reply=(to_next.removeprefix(after_user), after_reply),
    )


def _written_once(tokenizer: Any, text: str, before_user: str) -> str:
    """Return the token that begins a text where only the first turn has it.

    Ollama writes it by itself, as the GGUF says.
    """
    bos = tokenizer.bos_token or ""
    return bos if bos and text.startswith(bos) and not before_user.startswith(bos) else ""


def write_modelfile(
    path: Path,
    model: str,
    tokenizer: Any,
    *,
    system: str,
    parameters: Mapping[str, float | int | str] | None = None,
    adapter: str = "",
) -> None:
    """Write a Modelfile for a GGUF named as seen from its folder. Raises ExportError.

    Ollama takes one adapter at its full strength: give a collapsed one.
    """
    from clara_training.atomic import atomic_text

    turns = turns_of(tokenizer)
    lines = [f"FROM ./{model}"]
    if adapter:
        lines.append(f"ADAPTER ./{adapter}")
    lines.append(f'TEMPLATE """{turns.template()}"""')
    lines.append(f'SYSTEM """{_quoted(system)}"""')
    stop = (turns.reply[1].strip() or tokenizer.eos_token or "").strip()
    settings: dict[str, float | int | str] = {**({"stop": stop} if stop else {})}
    settings.update(parameters or {})
    for name, value in settings.items():
        text = f'"{value}"' if isinstance(value, str) else f"{value:g}"
        lines.append(f"PARAMETER {name} {text}")
    atomic_text(path, "\n".join(lines) + "\n")


def _render(tokenizer: Any, talk: Sequence[tuple[str, str]], *, reply: bool = True) -> str:
    messages = [{"role": role, "content": content} for role, content in talk]
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply)
    )


def _quoted(text: str) -> str:
    if '"""' in text:
        raise ExportError('a system prompt for Ollama cannot have """ in it')
    return text
