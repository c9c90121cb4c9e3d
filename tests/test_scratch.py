# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""From three short books to a model of one's own that a robot serves over ROS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import active
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.srv import GetModelInfo

pytest.importorskip("torch", reason="make test sets up what training needs; this Python has not")


def test_a_model_from_scratch_goes_on_with_what_is_said_to_it(
    start: Callable[..., Process],
    peer: Peer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    corpus, run = tmp_path / "corpus", tmp_path / "simone"
    for stage in (
        ("corpus", "--sample", "--vocab_size", "384", "--output_dir", corpus),
        (
            *("simone", "--data_dir", corpus, "--output_dir", run, "--context", "64"),
            *("--batch_size", "4", "--max_steps", "6", "--threads", "1", "--no-governance"),
        ),
    ):
        process = start("clara-train", *map(str, stage))
        assert process.wait(120.0) == 0, process.output

    launch = start("ros2", "launch", "clara_brain", "clara.launch.py", f"model:={run}/simone.gguf")
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    assert "continues a text" in launch.output
    info = peer.call(GetModelInfo, "model/info")
    lineage = {each.key: each.value for each in info.metadata}
    assert info.name == "SIM-ONE" and lineage["clara.model"] == "simone"
    result, feedback = peer.chat("And Ruth said", max_tokens=8, session_id="a")
    assert result.error_code == Chat.Result.NONE, result.error_msg
    # The persona would be dozens of tokens more.
    assert 1 < result.usage.prompt_tokens <= 14
    assert "".join(each.delta for each in feedback) == result.text
    # 64 tokens are all that it was trained to see.
    result, _ = peer.chat("And he said", max_tokens=500, session_id="a")
    assert result.error_code == Chat.Result.NONE, result.error_msg
    assert result.usage.prompt_tokens + result.usage.completion_tokens <= 64
