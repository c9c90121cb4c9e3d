# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of a run: always as JSONL in the run's folder, and in W&B where that is wanted.

`metrics/<stage>.jsonl` has one object a line: the time, the step, and what was measured. W&B is
used when it is installed and there is a key, or WANDB_MODE says offline; whatever it does wrong is
said once, and never ends a run.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clara_training.environment import WANDB_KEY, secret, without_secrets

PROJECT = "clara"
STAGES = ("data_generation", "training", "merge", "validation")


def wandb_wanted() -> str:
    """Return the W&B mode that the environment asks for: online, offline or disabled."""
    mode = os.environ.get("WANDB_MODE", "").strip().lower()
    if mode in ("offline", "dryrun"):
        return "offline"
    if mode in ("disabled", "shared") or os.environ.get("WANDB_DISABLED", "").lower() == "true":
        return "disabled"
    return "online" if secret(WANDB_KEY) else "disabled"


class ClaraMonitor:
    """Takes the metrics of one run. Threads may share it; also a context manager."""

    def __init__(
        self,
        project_name: str = PROJECT,
        run_folder: str | Path = "runs/clara",
        *,
        config: Mapping[str, Any] | None = None,
        wandb: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Nothing is opened or sent before the first metric.

        `wandb` is online, offline or disabled; by default what the environment asks for.
        """
        self.project_name = project_name
        self.run_folder = Path(run_folder)
        self._config = dict(config or {})
        self._mode = wandb_wanted() if wandb is None else wandb
        self._say = say or (lambda text: print(f"clara-train: {text}", file=sys.stderr))
        self._files: dict[str, Any] = {}
        self._steps: dict[str, int] = {}
        self._run: Any = None
        self._silent: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> ClaraMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def track_data_generation(self, step: int | None = None, **metrics: Any) -> None:
        """Note how far the making of data is, and what it cost."""
        self.track("data_generation", step, metrics)

    def track_training(self, step: int | None = None, **metrics: Any) -> None:
        """Note the loss, the speed and whatever else a training step measured."""
        self.track("training", step, metrics)

    def track_merge(self, step: int | None = None, **metrics: Any) -> None:
        """Note what was merged, how, and how long it took."""
        self.track("merge", step, metrics)

    def track_validation(self, step: int | None = None, **metrics: Any) -> None:
        """Note margins, perplexities and whatever else was judged."""
        self.track("validation", step, metrics)

    def track(self, stage: str, step: int | None, metrics: Mapping[str, Any]) -> None:
        """Note metrics of a stage; without a step, the next one."""
        with self._lock:
            number = self._steps.get(stage, 0) if step is None else step
            self._steps[stage] = number + 1
            self._write(stage, {"time": round(time.time(), 3), "step": number, **plain(metrics)})
            self._send(stage, number, metrics)

    def close(self) -> None:
        """Close the files and end the W&B run."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()
            run, self._run = self._run, None
        if run is not None:
            self._guarded("W&B", run.finish)

    def _write(self, stage: str, record: dict[str, Any]) -> None:
        def write() -> None:
            if stage not in self._files:
                path = self.run_folder / "metrics" / f"{stage}.jsonl"
                path.parent.mkdir(parents=True, exist_ok=True)
                self._files[stage] = path.open("a", encoding="utf-8")
            self._files[stage].write(json.dumps(record, ensure_ascii=False) + "\n")
            self._files[stage].flush()

        self._guarded(f"the metrics file of {stage}", write)

    def _send(self, stage: str, number: int, metrics: Mapping[str, Any]) -> None:
        if self._mode == "disabled" or "W&B" in self._silent:
            return

        def send() -> None:
            if self._run is None:
                self._run = self._start()
            flat = {f"{stage}/{name}": value for name, value in flatten(plain(metrics)).items()}
            self._run.log({f"{stage}/step": number, **flat})

        self._guarded("W&B", send)

    def _start(self) -> Any:
        import wandb

        if key := secret(WANDB_KEY):
            os.environ[WANDB_KEY] = key  # W&B does not know the other name
        # It would advertise another product for every LLM library that is imported.
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
        self.run_folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.project_name,
            name=self.run_folder.name,
            dir=str(self.run_folder),
            config=self._config,
            mode="offline" if self._mode == "offline" else "online",
            settings=wandb.Settings(silent=True, init_timeout=30, console="off"),
        )
        for stage in STAGES:
            run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
        return run

    def _guarded(self, what: str, work: Callable[[], Any]) -> None:
        """Do it; what goes wrong is said once, and the thing is left alone from then on."""
        if what in self._silent:
            return
        try:
            work()
        # A metric that cannot be kept is no reason for hours of training to be lost.
        except Exception as error:
            self._silent.add(what)
            said = without_secrets(f"{type(error).__name__}: {error}").splitlines()[0][:200]
            self._say(f"{what} takes no more metrics ({said}); the run goes on")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numpy's and torch's numbers as numbers, no NaN."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested objects as one, `a/b` for b in a."""
    flat = {}
    for name, each in value.items():
        if isinstance(each, Mapping):
            flat.update(flatten(each, f"{prefix}{name}/"))
        else:
            flat[f"{prefix}{name}"] = each
    return flat
