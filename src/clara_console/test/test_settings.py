# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The console is open to this machine alone unless it has a token that is worth its name."""

import pytest
from clara_console.errors import SettingsError
from clara_console.settings import (
    TOKEN_VARIABLE,
    ConsoleSettings,
    is_loopback,
    is_open_to_others,
    token,
)
from clara_console.web_server import listen

GOOD = "0123456789abcdef"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("robot.local", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected


def test_on_loopback_no_token_is_needed_and_elsewhere_there_is_no_start_without():
    assert token(ConsoleSettings(), {}) == ""
    assert token(ConsoleSettings(), {TOKEN_VARIABLE: GOOD}) == GOOD
    for host in ("0.0.0.0", "192.168.1.7", "::"):
        with pytest.raises(SettingsError, match="a token is needed: set CLARA_CONSOLE_TOKEN"):
            token(ConsoleSettings(host=host), {TOKEN_VARIABLE: "  "})
        assert token(ConsoleSettings(host=host), {TOKEN_VARIABLE: GOOD}) == GOOD


def test_a_token_file_goes_before_the_environment_and_must_be_readable(tmp_path):
    file = tmp_path / "token"
    settings = ConsoleSettings(host="0.0.0.0", token_file=str(file))
    with pytest.raises(SettingsError, match=r"cannot read .*token: No such file"):
        token(settings, {TOKEN_VARIABLE: GOOD})
    file.write_text(" \n")
    with pytest.raises(SettingsError, match="is empty"):
        token(settings, {TOKEN_VARIABLE: GOOD})
    file.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(SettingsError, match="not a text"):
        token(settings, {})
    file.write_text(GOOD + GOOD + "\n")
    assert token(settings, {TOKEN_VARIABLE: GOOD}) == GOOD + GOOD
    file.chmod(0o644)
    assert is_open_to_others(file)
    file.chmod(0o600)
    assert not is_open_to_others(file)


@pytest.mark.parametrize("bad", ["short", "has spaces in it", "schlüssel-schlüssel", "a\tb" * 9])
def test_a_weak_or_odd_token_is_refused_without_being_repeated(bad):
    with pytest.raises(SettingsError) as refused:
        token(ConsoleSettings(), {TOKEN_VARIABLE: bad})
    assert bad not in str(refused.value) and TOKEN_VARIABLE in str(refused.value)


def test_an_address_that_cannot_be_had_is_one_sentence():
    taken = listen("127.0.0.1", 0)
    try:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"on 127.0.0.1 port {port}: .*in use"):
            listen("127.0.0.1", port)
        with pytest.raises(SettingsError, match=r"on 203\.0\.113\.1"):
            listen("203.0.113.1", 0)
    finally:
        taken.close()
