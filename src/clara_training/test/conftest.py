# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A local server in place of Anthropic's, and the key that it accepts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anthropic_server import AnthropicServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnthropicServer]:
    server = AnthropicServer()
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    yield server
    server.close()
