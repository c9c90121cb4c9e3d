# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara-train`: its help, spec, doctor and data, as people type them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clara_training.data_check import Report
from clara_training.environment import load_env_file, secret, without_secrets
from clara_training.errors import MissingPackage, TrainingError, first_line
from clara_training.examples import load_knowledge
from clara_training.manifest import read_manifest
from clara_training.packages import load
from clara_training.starter import starter_examples
from rich.console import Console

from clara_training import cli, data_check, doctor

HEAVY = ("torch", "transformers", "peft", "mergekit", "anthropic", "wandb", "gguf", "matplotlib")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "WANDB_API_KEY", "WB", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def run(
    *arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["clara-train", *arguments])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def clara(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: run(*arguments, capsys=capsys, monkeypatch=monkeypatch)


def test_help_lists_the_stages_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['clara-train', '--help']\n"
        "from clara_training.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        times.append(time.perf_counter() - start)
    assert "spec" in done.stdout and "doctor" in done.stdout and "data" in done.stdout
    assert done.stdout.strip().endswith("[]")
    # It takes a tenth of this on a quiet machine.
    assert min(times) < 2.0


def test_a_spec_is_written_shown_and_never_overwritten(clara, tmp_path: Path) -> None:
    code, out, _ = clara("spec", "--write", "my.json")
    assert code == 0 and "warmth" in out and "0.80" in out and "TinyLlama" in out
    code, out, _ = clara("spec", "my.json", "--json")
    assert json.loads(out) == json.loads((tmp_path / "my.json").read_text())
    code, _, err = clara("spec", "--write", "my.json")
    assert code == 1 and err == "clara-train: my.json is there already; it is left as it is\n"


def test_a_fault_is_one_sentence_and_exit_code_1(clara, tmp_path: Path) -> None:
    (tmp_path / "clara_spec.json").write_text("{oops")
    code, out, err = clara("spec")
    assert (code, out) == (1, "")
    assert err.startswith("clara-train: spec clara_spec.json is not valid JSON: line 1, column 2")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
        RuntimeError("CUDA driver error: out of memory"),  # of expandable segments
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("InductorError: OutOfMemoryError: CUDA out of memory. Tried to allocate"),
    ],
)
def test_a_memory_that_is_full_is_a_sentence(clara, monkeypatch, error: Exception) -> None:
    def full(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli.commands, "main", full)
    code, out, err = clara("validate")
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert err.startswith(f"clara-train: out of memory ({first_line(error)}): end what else")


def test_a_fault_of_the_program_is_not_taken_for_a_full_memory(clara, monkeypatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(cli.commands, "main", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        clara("validate")


def test_a_wrong_word_is_answered_with_usage_and_exit_code_2(clara) -> None:
    code, _, err = clara("dance")
    assert code == 2 and "No such command 'dance'" in err


def test_the_doctor_looks_at_everything_and_shows_no_key(clara, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-123456")
    monkeypatch.setenv("WB", "wandb-secret-123456")
    code, out, _ = clara("doctor", "--json")
    findings = {each["name"]: each for each in json.loads(out)}
    assert code == 0
    assert {"python", "torch", "CUDA", "memory", "disk", "ANTHROPIC_API_KEY", "W&B"} <= set(
        findings
    )
    assert findings["ANTHROPIC_API_KEY"]["detail"] == "is set"
    assert findings["W&B"]["detail"].startswith("online, key is set")
    assert "secret" not in out
    code, out, _ = clara("doctor")
    assert "secret" not in out and "torch" in out


def test_the_doctor_says_what_to_do_about_a_missing_package(clara, monkeypatch) -> None:
    from importlib import metadata

    real = metadata.version

    def version(name: str) -> str:
        if name in ("peft", "wandb"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    code, out, _ = clara("doctor", "--json")
    findings = {each["name"]: each for each in json.loads(out)}
    assert code == 1 and findings["peft"]["level"] == "fault"
    assert "tools/set_up.py --training" in findings["peft"]["remedy"]
    assert findings["wandb"]["level"] == "warning"


def test_a_table_folds_a_long_name_or_path_and_cuts_off_nothing() -> None:
    long = "/a_folder/that_somebody_may_want_to_copy" * 3
    report = Report(long, Path("x.json"), trait=True, faults=[f"no entries in {long}"])
    finding = doctor.Finding("disk", doctor.Level.FAULT, long, f"make {long}")
    for table in (doctor.table([finding]), data_check.table([report])):
        shown = io.StringIO()
        Console(file=shown, width=80).print(table)
        assert "copy" in shown.getvalue() and "…" not in shown.getvalue()


def test_the_doctor_sees_a_folder_that_cannot_be_written(clara, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    _, out, _ = clara("doctor", "--run", "runs", "--json")
    disk = next(each for each in json.loads(out) if each["name"] == "disk")
    assert disk["level"] == "fault" and "not writable" in disk["detail"]


def test_starter_data_are_copied_checked_and_mended(clara, tmp_path: Path) -> None:
    data = tmp_path / "r" / "data"
    code, out, _ = clara("data", "starter", "--run", "r", "--only", "warmth", "--only", "coding")
    assert code == 0 and (data / "warmth_training.json").exists()
    assert not (data / "formal_training.json").exists()
    only = ("--run", "r", "--only", "warmth", "--only", "coding")
    assert clara("data", "check", *only)[0] == 0
    whole = (data / "warmth_training.json").read_text()

    (data / "warmth_training.json").write_text("[]")
    code, out, _ = clara("data", "check", *only, "--json")
    assert code == 1 and "is empty ([])" in json.loads(out)[0]["faults"][0]
    assert clara("data", "missing", *only)[0] == 0
    assert (data / "warmth_training.json").read_text() == whole

    entries = json.loads(whole)
    entries[3]["dimension"] = "formal"
    own = {**entries[0], "prompt": "My very own words?", "neutral": "These I wrote myself today."}
    broken = json.dumps([own, *entries[:50]])
    (data / "warmth_training.json").write_text(broken)
    code, out, _ = clara("data", "check", *only)
    assert code == 1
    code, out, err = clara("data", "missing", *only)
    assert code == 0 and "1 entries could not be used" in err
    mended = json.loads((data / "warmth_training.json").read_text())
    assert mended[0]["prompt"] == "My very own words?" and len(mended) == len(entries) + 1
    assert (data / "warmth_training.json.unusable-1").read_text() == broken
    before = (data / "warmth_training.json").stat().st_mtime_ns
    assert clara("data", "missing", *only)[0] == 0
    assert (data / "warmth_training.json").stat().st_mtime_ns == before


def test_a_dimension_with_far_fewer_examples_than_another_is_a_warning(
    clara, tmp_path: Path
) -> None:
    only = ("--run", "r", "--only", "warmth", "--only", "formal")
    clara("data", "starter", *only)
    file = tmp_path / "r" / "data" / "formal_training.json"
    file.write_text(json.dumps(json.loads(file.read_text())[:60]))
    code, out, _ = clara("data", "check", *only, "--json")
    assert code == 0 and "where another dimension has" in json.loads(out)[1]["warnings"][-1]
    assert clara("data", "check", *only, "--strict")[0] == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b'{"a": 1}', b""])
def test_a_file_that_cannot_be_read_is_kept_and_replaced(
    clara, tmp_path: Path, content: bytes
) -> None:
    data = tmp_path / "r" / "data"
    data.mkdir(parents=True)
    (data / "warmth_training.json").write_bytes(content)
    code, _, err = clara("data", "missing", "--run", "r", "--only", "warmth")
    assert code == 0 and "could not be used" in err
    assert (data / "warmth_training.json.unusable-1").read_bytes() == content
    assert len(json.loads((data / "warmth_training.json").read_text())) >= 150


def test_an_own_trait_has_no_starter_data_and_a_sentence_says_so(clara, tmp_path: Path) -> None:
    spec = json.loads(clara("spec", "--write", "clara_spec.json", "--json")[1])
    spec["personality"]["curiosity"] = 0.5
    (tmp_path / "clara_spec.json").write_text(json.dumps(spec))
    code, _, err = clara("data", "missing", "--run", "r")
    assert code == 1 and "there is no starter data for 'curiosity'" in err
    assert (tmp_path / "r" / "data" / "warmth_training.json").exists()
    # What is there is not asked for again: what is wrong with it is said.
    (tmp_path / "r" / "data" / "curiosity_training.json").write_text('[{"neutral": "It is."}]')
    code, _, err = clara("data", "missing", "--run", "r")
    assert code == 1 and "curiosity_training.json, entry 1: low is missing" in err
    code, _, err = clara("data", "starter", "--run", "r", "--only", "kindness")
    assert code == 1 and "'kindness' is no dimension of clara_spec.json" in err


def test_what_another_tool_trains_on_becomes_the_file_of_a_dimension(
    clara, tmp_path: Path
) -> None:
    entry = {
        "system": "Be kind.",
        "instruction": "Why is it so?",
        "output": "Because.",
        "score": 1,
    }
    (tmp_path / "own.json").write_text(json.dumps([entry, entry]))
    line = ("data", "import", "own.json", "medical", "--run", "r")
    code, _, err = clara(*line)
    assert code == 1 and "own.json, line 1 and 1 more: it has score, for which an example" in err
    code, out, _ = clara(*line, "--leave-out", "score", "--difficulty", "hard")
    assert code == 0 and "2 examples, 2 with a system message; clara-train data check" in out
    assert "left out: score (2 of 2 entries)" in out
    there = tmp_path / "r" / "data" / "medical_knowledge.json"
    assert [each.difficulty for each in load_knowledge(there)] == ["hard"] * 2
    counted = {"examples": 2, "several_turns": 0, "system": 2}
    assert read_manifest(there)["metrics"] == counted
    code, _, err = clara(*line)
    assert code == 1 and "is there already: move it away" in err
    pair = {"prompt": "Why is it so?", "chosen": "My dear, it is so.", "rejected": "It is."}
    (tmp_path / "own.json").write_text(json.dumps(pair))
    assert clara("data", "import", "own.json", "warmth", "--run", "r")[0] == 0
    code, out, _ = clara("data", "check", str(there.with_name("warmth_training.json")))
    assert code == 0 and "length gives the trait" in " ".join(out.split())


def test_conversations_are_counted_where_they_come_in_and_where_they_are_checked(
    clara, tmp_path: Path
) -> None:
    said = [{"role": "user", "content": "Good day."}, {"role": "assistant", "content": "Hello."}]
    system = {"role": "system", "content": "Be kind."}
    entries = [each.as_json() for each in starter_examples("medical", trait=False)]
    for entry, before in zip(entries, ([system, *said], said), strict=False):
        question, answer = entry.pop("question"), entry.pop("answer")
        asked = [{**said[0], "content": question}, {**said[1], "content": answer}]
        entry["messages"] = [*before, *asked]
    (tmp_path / "own.json").write_text(json.dumps(entries))
    code, out, _ = clara("data", "import", "own.json", "medical", "--run", "r")
    assert code == 0 and ", 2 of several turns, 1 with a system message; clara-train" in out
    code, out, _ = clara("data", "check", "r/data/medical_knowledge.json")
    shown = "".join(out.replace("│", " ").split())
    assert code == 0 and "2ofseveralturns(2.0questions),1withasystemmessage" in shown


def test_the_spec_is_that_of_this_folder_or_else_of_the_run(clara, tmp_path: Path) -> None:
    whole = json.loads(clara("spec", "--write", "my.json", "--json")[1])

    def counts() -> int:
        said = json.loads(clara("data", "estimate", "--run", "r", "--json")[1])
        return int(said["dimensions"][0]["wanted"])

    assert counts() == 2000
    for path, count in (("r/spec.json", 300), ("clara_spec.json", 400)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        whole["config"]["examples_per_dimension"] = count
        (tmp_path / path).write_text(json.dumps(whole))
        assert counts() == count


def test_an_estimate_sends_nothing_and_needs_no_key(clara) -> None:
    code, out, _ = clara("data", "estimate", "--run", "r", "--count", "1000", "--json")
    estimate = json.loads(out)
    assert code == 0 and estimate["spent"] == 0 and len(estimate["dimensions"]) == 8
    for each in estimate["dimensions"]:
        assert 0 < each["expected"] < each["most"] and each["requests"] >= 100


def test_keys_come_from_the_env_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text('ANTHROPIC_API_KEY="from-file"\nWB=from-file-too\nEMPTY=\n')
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-environment")
    monkeypatch.delenv("WB", raising=False)
    assert load_env_file() == ["WB"]
    assert secret("ANTHROPIC_API_KEY") == "from-environment"
    assert secret("WANDB_API_KEY") == "from-file-too"
    monkeypatch.delenv("WB")
    assert without_secrets("key from-environment!") == "key <ANTHROPIC_API_KEY>!"
    assert without_secrets("a sk-ant-abc123-x b") == "a <ANTHROPIC_API_KEY> b"


def test_an_env_file_that_is_not_there_is_a_sentence(clara) -> None:
    code, _, err = clara("--env-file", "nix", "doctor")
    assert (code, err) == (1, "clara-train: environment file nix is not there\n")
    assert load_env_file() == []


def test_a_missing_package_is_a_sentence() -> None:
    with pytest.raises(MissingPackage, match=r"merging needs the Python package no_such_package"):
        load("no_such_package.inner", "merging")
    assert issubclass(MissingPackage, TrainingError)
