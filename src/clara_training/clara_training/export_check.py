# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Check that a GGUF reads text as the model that it was made from does: token for token.

A wrong pre-tokenizer, or a BOS too many or too few, makes no error anywhere, only a model that
understands a little less; so every exported file is loaded (its vocabulary only, a fraction of a
second) and compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clara_training.chat_encoding import chat_template, engine_tokens
from clara_training.errors import ExportError
from clara_training.gguf_scores import GgufScores

PROBES = (
    "Hello, I'm Clara; it's 3.14 o'clock -- isn't it?",
    "In 2026, 1234567 robots said: 'We\\'ll help you!' (really)...",
    "def f(x):\n    return x**2  # \t tabs\n\n\nprint(f(3))\r\n",
    "Grüße aus Köln, où est le café? Привет, мир! 你好,世界。こんにちは 123",
    "   leading, trailing   and\u00a0hard spaces   \n \n\t\n",
    "emoji 🤖🦾👩‍🔬 and ﬁne ligatures: naïve Ångström ½ ² ①",
)


def check_tokens(path: Path, tokenizer: Any) -> None:
    """Raise ExportError unless llama.cpp, with this GGUF, reads text as `tokenizer` does.

    And unless the GGUF has the chat template that was learned with. `tokenizer` is the
    transformers tokenizer that the file was made from.
    """
    with GgufScores(path, vocab_only=True) as model:
        for text in (*PROBES, *_special(tokenizer)):
            theirs = engine_tokens(tokenizer, text)
            begun = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
            ours = model.tokens(text, add_special=not begun)
            if ours != theirs:
                raise ExportError(
                    f"{path.name} reads {text!r} as the tokens {_short(ours)}, but the model's"
                    f" tokenizer as {_short(theirs)}: llama.cpp does not know how this tokenizer"
                    " splits text"
                )
        if model.metadata("tokenizer.chat_template") != chat_template(tokenizer):
            raise ExportError(
                f"{path.name} has another chat template than the model's tokenizer: the robot"
                " would speak to it in other forms than it has learned; export it again"
            )


def _special(tokenizer: Any) -> list[str]:
    """Texts with the special tokens in them, as a chat has."""
    texts = [f"a {token}b {token}" for token in tokenizer.all_special_tokens]
    if getattr(tokenizer, "chat_template", None):
        messages = [{"role": "user", "content": "Who are you? 42"}]
        texts.append(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    return texts


def _short(tokens: list[int]) -> str:
    return str(tokens) if len(tokens) <= 12 else f"{tokens[:12]}… ({len(tokens)})"
