# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""From short books to a model of one's own that a robot serves over ROS, with its heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
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


def written(folder: Path) -> Path:
    """Write four short books of two kinds."""
    draw = np.random.default_rng(0)
    for kind, words in (("sea", "ship wave salt gull storm"), ("farm", "cow barn hay wheat hen")):
        (folder / kind).mkdir(parents=True)
        for number in range(4):
            text = " ".join(draw.choice(words.split(), 400))
            (folder / kind / f"{kind}{number}.txt").write_text(text)
    return folder


def test_heads_say_on_the_robot_what_they_say_where_they_were_made(
    start: Callable[..., Process],
    peer: Peer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch
    from clara_brain.engine import Engine
    from clara_brain.governance_file import beside
    from clara_brain.settings import EngineSettings
    from clara_training.governance_file import read_governance, write_governance
    from clara_training.governance_heads import spans_of
    from clara_training.scratch import load_model

    monkeypatch.setenv("WANDB_MODE", "disabled")
    corpus, run = tmp_path / "corpus", tmp_path / "simone"
    held_out = ("--held-out", "sea0", "--held-out", "farm0", "--near", "1.0")
    for stage in (
        (
            *("corpus", "--data_dir", written(tmp_path / "text"), "--output_dir", corpus),
            *("--vocab_size", "280", *held_out),
        ),
        (
            *("simone", "--data_dir", corpus, "--output_dir", run, "--context", "64"),
            *("--batch_size", "4", "--max_steps", "6", "--threads", "1"),
        ),
    ):
        process = start("clara-train", *map(str, stage))
        assert process.wait(240.0) == 0, process.output
    model = run / "simone-f16.gguf"
    path = beside(model)
    assert path is not None
    made = read_governance(path)
    assert set(made.heads) == {"policy", "memory", "trace"}
    # So small a model's heads are worth nothing, and would not be run.
    write_governance(path, replace(made, metrics={}))

    text = "ship wave ship salt barn"
    engine = Engine(model, EngineSettings(n_ctx=64, n_threads=1), path)
    try:
        assert engine.heads is not None and engine.heads.unused == ()
        ids = np.array(engine.tokenize(text).result())
        embedded = engine.embed_span(text).result(20.0)
    finally:
        engine.close()
    with torch.no_grad():
        states = load_model(run / "best_model").states(torch.tensor([[0, *ids]]))[0, 1:]
        spans = spans_of(states.mean(0)[None].numpy(), [ids])
        chance, memory = made.policy(spans)[0], made.memory(spans)
        entropy = torch.linspace(0.0, 6.0, len(ids))
        nats = made.trace(states, entropy)
    assert embedded is not None
    assert embedded.vector.tokens.tolist() == memory.tokens[0].tolist()
    np.testing.assert_allclose(embedded.vector.weights, memory.weights[0], atol=1e-5)
    np.testing.assert_allclose(embedded.vector.dense, memory.dense[0], atol=5e-3)  # of f16
    heads, mean = engine.heads, states.mean(0).numpy()
    assert heads.policy is not None and heads.trace is not None
    np.testing.assert_allclose(heads.policy.probabilities(mean, ids), chance, atol=1e-5)
    np.testing.assert_allclose(
        heads.trace.nats(states.numpy(), entropy.numpy()), nats, rtol=1e-4, atol=1e-5
    )

    start("ros2", "launch", "clara_brain", "clara.launch.py", f"model:={model}")
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    info = peer.call(GetModelInfo, "model/info")
    assert list(info.governance_heads) == ["policy", "memory", "trace"], info.governance_error
    said, _ = peer.chat(text, max_tokens=8, session_id="a")
    assert said.error_code == Chat.Result.NONE, said.error_msg
    assert list(said.governance.policy_labels) == ["farm", "sea"]
    assert sum(said.governance.policy_probabilities) == pytest.approx(1.0, abs=1e-4)
    assert len(said.governance.trace_nats) == said.usage.completion_tokens
    again, _ = peer.chat(text, max_tokens=8, session_id="a")
    hits = again.governance.hits
    # The same words again: nothing is closer.
    assert hits and hits[0].text == text and hits[0].similarity == pytest.approx(1.0, abs=1e-3)
