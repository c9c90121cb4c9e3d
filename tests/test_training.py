# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""From the starter data through two traits, merge and export to a robot that talks otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clara_brain.together import read_together
from conftest import active
from running import Peer, Process

from clara_interfaces.action import Chat
from clara_interfaces.srv import GetModelInfo, SetPersonality

pytest.importorskip("torch", reason="make test sets up what training needs; this Python has not")

STRENGTHS = {"warmth": 0.8, "encouragement": 0.9}
# Four steps, so that it is quick, at a rate at which they show: margins rise by some tenths of
# a nat a token.
LESSONS = (
    *("--batch-size", "4", "--accumulation", "1", "--max-steps", "4"),
    *("--learning-rate", "3e-3", "--contrast", "1", "--patience", "0"),
)


def shorten(path: Path) -> None:
    """Leave sixteen examples to learn from, and five that are held out."""
    from clara_training.examples import load_trait, split

    learned, held = split(load_trait(path))
    path.write_text(json.dumps([each.as_json() for each in (*learned[:16], *held[:5])]))


def margins(run: Path, name: str) -> dict[str, float]:
    """Measure a trait's margin of the base and of the merged model, on held-out prompts."""
    from clara_training.base import find_base, load_tokenizer
    from clara_training.examples import load_trait
    from clara_training.gguf_scores import GgufScores
    from clara_training.margins import margin, trait_cases

    examples = load_trait(run / "data" / f"{name}_training.json")
    cases = trait_cases(examples, load_tokenizer(find_base("smollm2")), None)
    found = {}
    for model in ("base", "clara"):
        with GgufScores(run / f"{model}.gguf", threads=1) as scores:
            found[model] = margin(scores, cases).mean
    return found


@pytest.mark.timeout(600)  # two adapters trained and measured; two minutes on two quiet cores
def test_two_traits_are_learned_merged_exported_and_heard_over_ros(
    start: Callable[..., Process],
    peer: Peer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The embedded base is dequantised once for everyone.
    home_cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    monkeypatch.setenv("XDG_CACHE_HOME", home_cache)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    run = tmp_path / "run"
    config = {"base_model": "smollm2", "examples_per_dimension": 150}
    (tmp_path / "clara_spec.json").write_text(
        json.dumps(
            {
                "personality": STRENGTHS,
                "expertise": {},
                "config": {**config, "merge_method": "task_arithmetic"},
            }
        )
    )
    starter = start("clara-train", "data", "starter", "--run", str(run))
    assert starter.wait(60.0) == 0, starter.output
    for name in STRENGTHS:
        shorten(run / "data" / f"{name}_training.json")
    for stage in (
        ("lora", *LESSONS, "--threads", "1"),
        ("merge", "--threads", "1"),
        ("export", "--threads", "1"),
    ):
        process = start("clara-train", *stage, "--run", str(run))
        assert process.wait(280.0) == 0, process.output
    for name in STRENGTHS:
        found = margins(run, name)
        assert found["clara"] > found["base"] + 0.1, (name, found)

    start("ros2", "launch", "clara_brain", "clara.launch.py", f"model:={run}/clara.gguf")
    peer.spin_until(lambda: active(peer, "brain"), 90.0, "brain active")
    info = peer.call(GetModelInfo, "model/info")
    lineage = {each.key: each.value for each in info.metadata}
    assert info.name == "Clara" and info.quantization == "Q8_0"
    manifest = json.loads((run / "adapters" / "warmth" / "manifest.json").read_text())
    assert lineage["clara.adapter_sha256.warmth"] == manifest["sha256"]
    assert lineage["clara.data_sha256.warmth"] == manifest["inputs"]["data"]
    # All of the spec's strengths, or the share that general text bears.
    together = read_together(run / "adapters")
    assert together is not None
    share = together.share(STRENGTHS)
    assert float(lineage["clara.strength.warmth"]) == pytest.approx(0.8 * share, abs=1e-5)
    assert lineage["general.base_model.0.name"] == "smollm2"

    # What is merged in already is not added again: sliders as strong as the spec leave it as it
    # is, and the chat says which adapters were in force.
    def slide(**values: float) -> None:
        request = SetPersonality.Request(names=list(values), values=list(values.values()))
        answer = peer.call(SetPersonality, "personality/set", request)
        assert answer.error_code == SetPersonality.Response.NONE, answer.error_msg

    def say() -> Any:
        result, _ = peer.chat("I am back home.", max_tokens=12)
        assert result.error_code == Chat.Result.NONE, result.error_msg
        assert result.text.strip()
        return {each.name: round(each.scale, 3) for each in result.adapters if each.scale}

    slide(**STRENGTHS)
    assert say() == {}
    moved = {"warmth": 1.0, "encouragement": 0.4}
    slide(**moved)
    assert say() == {
        name: pytest.approx(together.share(moved) * value - share * STRENGTHS[name], abs=2e-3)
        for name, value in moved.items()
    }
