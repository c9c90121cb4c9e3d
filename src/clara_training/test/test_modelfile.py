# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""An Ollama template says what the Jinja template says, or it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from clara_training.errors import ExportError
from clara_training.modelfile import turns_of, write_modelfile

ZEPHYR = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content']"
    " + eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}"
    "{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token }}{% else %}{{ raise_exception('no system role') }}"
    "{% endif %}{% endfor %}"
)


def with_template(template: str | None) -> object:
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("template", [tiny.CHATML, ZEPHYR])
def test_a_conversation_reads_the_same_in_both_languages(template: str) -> None:
    tokenizer = with_template(template)
    turns = turns_of(tokenizer)
    messages = [
        {"role": "system", "content": "Be Clara."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Good day."},
        {"role": "user", "content": "Who are you?"},
    ]
    wanted = tokenizer.apply_chat_template(  # type: ignore[attr-defined]
        messages, tokenize=False, add_generation_prompt=True
    )
    assert turns.expand("Be Clara.", [("Hello", "Good day.")], "Who are you?") == wanted
    assert turns.template().count("{{ .Prompt }}") == 1


def test_without_a_system_role_the_first_message_begins_with_it(tmp_path: Path) -> None:
    tokenizer = with_template(NO_SYSTEM)
    assert turns_of(tokenizer).system is None
    path = tmp_path / "Modelfile"
    write_modelfile(
        path,
        "base.gguf",
        tokenizer,
        system="Be Clara.",
        parameters={"temperature": 0.7, "num_ctx": 4096},
        adapter="collapsed.gguf",
    )
    assert path.read_text().splitlines() == [
        "FROM ./base.gguf",
        "ADAPTER ./collapsed.gguf",
        'TEMPLATE """[INST] {{ if .System }}{{ .System }}',
        "",
        '{{ end }}{{ .Prompt }} [/INST]{{ .Response }}<|im_end|>"""',
        'SYSTEM """Be Clara."""',
        'PARAMETER stop "<|im_end|>"',
        "PARAMETER temperature 0.7",
        "PARAMETER num_ctx 4096",
    ]


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (None, "has no chat template"),
        ("{{ messages[-1]['content'] }}", "cannot be written for Ollama"),
        ("{{ messages | length }}{{ messages[0]['content'] | upper }}", "cannot be written"),
    ],
)
def test_a_template_that_cannot_be_said_is_refused(template: str | None, sentence: str) -> None:
    with pytest.raises(ExportError, match=sentence):
        turns_of(with_template(template))


def test_a_system_prompt_cannot_break_out(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot have"):
        write_modelfile(
            tmp_path / "Modelfile", "a.gguf", tiny.tokenizer(), system='x"""\nFROM /etc/passwd'
        )
    assert not (tmp_path / "Modelfile").exists()
