# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A model that trains in seconds, for tests of training from scratch; also run as a process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
from clara_training.pretrain import pretrain
from clara_training.pretrain_loop import Execution, PretrainSettings

from clara_training import mvlm, simone

mvlm.SIZES["nano"] = mvlm.MvlmConfig(layers=2, width=64, heads=4)
simone.SIZES["nano"] = simone.SimoneConfig(layers=2, width=64, heads=4, kv_heads=2, inner=128)
VOCAB, CONTEXT, STEPS = 384, 64, 48
SMALL = {"batch_size": 4, "max_steps": STEPS, "learning_rate": 1e-2, "evaluations": 2}


def sample_corpus(folder: Path) -> Path:
    """Make a corpus of the sample within a folder."""
    make_corpus(SAMPLE, folder / "corpus", CorpusSettings(vocab_size=VOCAB))
    return folder / "corpus"


def train(
    kind: str,
    corpus: Path,
    output: Path,
    *,
    seconds: float = 1e9,
    again: Any = None,
    execution: Any = None,
    **how: Any,
) -> Path:
    """Train a nano model on one thread; `how` is for settings, `again` for `pretrain`."""
    torch.set_num_threads(1)
    return pretrain(
        kind,
        corpus,
        output,
        PretrainSettings(**{**SMALL, **how}),
        Execution(checkpoint_seconds=seconds, **(execution or {})),
        **{"size": "nano", "context": CONTEXT, **(again or {})},
    )


if __name__ == "__main__":
    given = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    if "context" in given:
        given["again"] = {"context": given.pop("context")}
    given["again"] = {
        **given.get("again", {}),
        "report": lambda record: print(record["step"], record.get("loss", ""), flush=True),
    }
    train(
        *(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])),
        **{"seconds": 0, **given},
    )
