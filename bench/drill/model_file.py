# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The model's file is replaced while the brain talks: by a rename, and by writing over it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from drill.clara import ANSWER_S, Load, clara
from drill.outcome import Outcome
from small_model import write_small_model

from clara_interfaces.srv import GetModelInfo


def model_replaced(domain: int, folder: Path, model: Path) -> Outcome:
    """Replace it both ways under load, and restart with what is there then."""
    outcome = Outcome("the model's file renamed over, then written over, while turns ran")
    own, other = folder / "model.gguf", folder / "other.gguf"
    shutil.copy(model, own)
    write_small_model(other, seed=7)
    with clara(domain, folder, own, "brain", "memory") as made:
        load = Load(made)
        load.run(2.0)
        new = folder / "new.gguf"
        shutil.copy(other, new)
        os.replace(new, own)
        load.run(2.0)
        if not made.processes["brain"].running:
            outcome.faults.append("the brain died of a model that was renamed over its own")
        load.finish()
        before = made.peer.call(GetModelInfo, "model/info", limit=ANSWER_S)
        made.kill("brain")
        outcome.recovered_s.append(made.restart("brain"))
        after = made.peer.call(GetModelInfo, "model/info", limit=ANSWER_S)
        if after.error_code or after.path != str(own):
            outcome.faults.append(f"the new model was not loaded: {after.error_msg}")
        if before.sha256 == after.sha256:
            outcome.faults.append("model/info gave the new file's hash while the old was loaded")
        load.run(2.0)
        load.finish()
        # cp onto the file itself cuts it to nothing first; whoever has it mapped may be ended.
        shutil.copy(model, own)
        load.run(2.0)
        if not made.processes["brain"].running:
            outcome.notes.append("writing over a mapped model ended the brain")
        else:
            made.kill("brain")
        load.forget_unanswered()
        outcome.recovered_s.append(made.restart("brain"))
        load.run(1.0)
        load.finish()
        outcome.lost = load.lost()
    return outcome
