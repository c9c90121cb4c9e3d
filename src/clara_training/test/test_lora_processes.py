# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Training in processes of their own: killed, without room on the disk, several at a time."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clara_training.lora import train_adapters
from lora_world import settings, world
from safetensors.torch import load_file

PACKAGE = Path(__file__).parents[1]
SCRIPT = """
import sys
from pathlib import Path
from lora_world import settings
from clara_training.lora import train_adapters
from clara_training.monitor import ClaraMonitor
from clara_training.spec import load_spec

run = Path(sys.argv[1])
with ClaraMonitor(run_folder=run) as monitor:
    def report(name, record):
        if "note" in record:
            print(record["note"], flush=True)
        else:
            monitor.track_training(**record)

    train_adapters(run, load_spec(sys.argv[2]), settings(dropout=0.1), dimensions=["warmth"],
                   report=report)
"""


def environment():
    paths = [str(PACKAGE), str(Path(__file__).parent)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "disabled",
    }


def script(place):
    run, spec = place
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(run), str(spec.path)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, str(PACKAGE / "scripts" / "clara-train"), *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def losses(run):
    """Return the last loss noted for each step, and each held-out loss."""
    found = {}
    path = run / "metrics" / "training.jsonl"
    for line in path.read_text().splitlines() if path.exists() else []:
        record = json.loads(line)
        for kind in ("loss", "held_out_loss"):
            if kind in record:
                found[kind, record["step"]] = record[kind]
    return found


def adapter(run):
    return load_file(run / "adapters" / "warmth" / "adapter_model.safetensors")


def test_a_run_killed_with_kill_9_goes_on_as_if_it_had_not_been(tmp_path):
    (tmp_path / "whole").mkdir()
    whole = world(tmp_path / "whole")
    records = {}
    train_adapters(
        *whole,
        settings(dropout=0.1),
        dimensions=["warmth"],
        report=lambda _, record: records.update(
            {
                (kind, record["step"]): record[kind]
                for kind in ("loss", "held_out_loss")
                if kind in record
            }
        ),
    )
    (tmp_path / "killed").mkdir()
    killed = world(tmp_path / "killed")
    # The base is the same, under another path; the path is not what is learned from.
    process = script(killed)
    deadline = time.monotonic() + 60
    while ("loss", 5) not in losses(killed[0]):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ("loss", 20) not in losses(killed[0])
    assert not (killed[0] / "adapters" / "warmth").exists()
    process = script(killed)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "goes on after step" in said
    assert losses(killed[0]) == pytest.approx(records, rel=1e-6)
    for name, tensor in adapter(killed[0]).items():
        assert tensor.equal(adapter(whole[0])[name]), name


def test_a_full_disk_is_a_sentence_and_the_next_run_goes_on(tmp_path):
    run, spec = world(tmp_path)
    arguments = ("lora", "--run", run, "--spec", spec.path, "--only", "warmth", "--rank", "4")
    arguments += ("--max-steps", "3", "--device", "cpu")
    small = 20_000  # bytes that a file may have: less than an adapter

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (small, small))

    full = command(*arguments, preexec_fn=limit)
    assert full.returncode == 1, full.stderr
    (sentence,) = [line for line in full.stderr.splitlines() if "cannot be written" in line]
    assert sentence.startswith("clara-train: ")
    assert "Traceback" not in full.stderr
    assert not [path for path in (run / "adapters").rglob("*") if path.is_file()]
    again = command(*arguments)
    assert again.returncode == 0, again.stderr
    assert "warmth: 3 steps, held-out loss" in again.stdout
    assert adapter(run)


def test_two_processes_learn_what_one_learns(tmp_path):
    run, spec = world(tmp_path)
    report = {}
    options = {"epochs": 1, "learning_rate": 1e-3}
    train_adapters(
        run,
        spec,
        settings(**options),
        dimensions=["warmth"],
        report=lambda _, r: report.update({r["step"]: r["loss"]} if "loss" in r else {}),
    )
    alone = adapter(run)
    (run / "adapters" / "warmth" / "manifest.json").unlink()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--", str(PACKAGE / "scripts" / "clara-train")),
            *("lora", "--run", str(run), "--spec", str(spec.path), "--only", "warmth"),
            *("--rank", "4", "--alpha", "8", "--epochs", "1", "--batch-size", "2"),
            *("--accumulation", "2", "--learning-rate", "1e-3", "--device", "cpu"),
            *("--threads", "1"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("warmth: ") == 1  # one of them speaks
    got = {step: loss for (kind, step), loss in losses(run).items() if kind == "loss"}
    assert got == pytest.approx(report, rel=1e-4)
    for name, tensor in adapter(run).items():
        assert (tensor - alone[name]).abs().max() < 1e-4, name
