# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Making data with Claude: Anthropic's own SDK against a local server that speaks its protocol."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import AnthropicServer, Fault
from clara_training.data_claude import Claude
from clara_training.data_generate import estimate, generate
from clara_training.data_journal import NAME, Journal, read_state
from clara_training.data_plan import Settings
from clara_training.data_prompts import SHOWN_EXAMPLES, instructions
from clara_training.errors import ApiError, BudgetError, DataError
from clara_training.examples import load_knowledge, load_trait, split
from clara_training.manifest import read_manifest
from clara_training.spec import Spec, default_spec
from clara_training.starter import starter_examples

LIMIT_S = 30.0
DIRECT = Settings(mode="direct", per_request=5, concurrency=2, poll_s=0.05)
BATCH = replace(DIRECT, mode="batch")


def spec(count: int = 20) -> Spec:
    return replace(default_spec(), examples_per_dimension=count)


def claude(settings: Settings = DIRECT, **options: Any) -> Claude:
    return Claude(settings.model, **{"first_wait_s": 0.01, **options})


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.02)


def asked(server: AnthropicServer) -> list[str]:
    return [body["messages"][0]["content"] for body in server.requests]


def test_it_makes_as_many_good_examples_as_the_spec_asks_for(
    server: AnthropicServer, tmp_path: Path
) -> None:
    outcome = generate(spec(20), tmp_path, ["warmth", "medical"], DIRECT, claude())
    warmth = load_trait(tmp_path / "data" / "warmth_training.json")
    medical = load_knowledge(tmp_path / "data" / "medical_knowledge.json")
    assert len(warmth) == outcome.counts["warmth"] >= 20
    assert len(medical) == outcome.counts["medical"] >= 20
    assert all(each.prompt for each in warmth)
    assert {each.difficulty for each in medical} <= {"easy", "medium", "hard"}
    assert read_manifest(tmp_path / "data" / "warmth_training.json")["stage"] == "data"


def test_every_request_is_structured_cached_and_of_another_cell(
    server: AnthropicServer, tmp_path: Path
) -> None:
    generate(spec(40), tmp_path, ["warmth"], DIRECT, claude())
    assert len(set(asked(server))) == len(server.requests)
    systems = {json.dumps(body["system"]) for body in server.requests}
    assert len(systems) == 1, "what is to be cached must be the same in every request"
    for body in server.requests:
        assert body["system"][0]["cache_control"]["type"] == "ephemeral"
        assert len(body["system"][0]["text"]) > 4096, "too short to be cached"
        assert body["output_config"]["format"]["type"] == "json_schema"
        assert body["thinking"] == {"type": "disabled"}


def test_nothing_that_is_held_out_is_shown_to_claude_as_an_example() -> None:
    for name in ("warmth", "quantum"):
        starter = starter_examples(name, spec().is_trait(name))
        text = instructions(spec(), name, starter)
        learned, held = split(starter)
        assert not any(each.key in text for each in held)
        assert sum(each.key in text for each in learned) == SHOWN_EXAMPLES
        talks = [replace(each, before=(("system", "Be kind."),)) for each in starter]
        assert instructions(spec(), name, [*talks, *starter]) == text


def test_the_cost_is_counted_from_the_usage_that_the_api_reports(
    server: AnthropicServer, tmp_path: Path
) -> None:
    outcome = generate(spec(20), tmp_path, ["warmth"], DIRECT, claude())
    one = (100 * 2.0 + 1500 * 0.10 + 800 * 10.0) / 1e6
    assert outcome.spent == pytest.approx(one * len(server.requests))
    assert read_state(tmp_path / "data" / NAME).spent == pytest.approx(outcome.spent)


def test_a_second_run_asks_for_nothing_when_nothing_is_missing(
    server: AnthropicServer, tmp_path: Path
) -> None:
    generate(spec(10), tmp_path, ["warmth"], DIRECT, claude())
    before = len(server.requests)
    generate(spec(10), tmp_path, ["warmth"], DIRECT, claude())
    assert len(server.requests) == before
    estimates, spent = estimate(spec(10), tmp_path, ["warmth"], DIRECT)
    assert estimates[0].requests == 0 and spent > 0


def test_what_was_paid_for_is_used_again_when_the_data_file_is_lost(
    server: AnthropicServer, tmp_path: Path
) -> None:
    generate(spec(10), tmp_path, ["warmth"], DIRECT, claude())
    file = tmp_path / "data" / "warmth_training.json"
    before, count = load_trait(file), len(server.requests)
    file.unlink()
    generate(spec(10), tmp_path, ["warmth"], DIRECT, claude())
    assert load_trait(file) == before and len(server.requests) == count


def test_the_cap_is_kept_and_what_was_paid_for_is_written(
    server: AnthropicServer, tmp_path: Path
) -> None:
    cap = replace(DIRECT, max_cost=0.05, concurrency=1)
    with pytest.raises(BudgetError, match=r"the cap of \$0.05 is reached"):
        generate(spec(100), tmp_path, ["warmth"], cap, claude())
    spent = read_state(tmp_path / "data" / NAME).spent
    assert 0 < spent <= 0.05
    assert load_trait(tmp_path / "data" / "warmth_training.json")


def test_the_cap_holds_for_batches_too(server: AnthropicServer, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="cap"):
        generate(spec(500), tmp_path, ["warmth"], replace(BATCH, max_cost=0.05), claude(BATCH))
    assert 0 < read_state(tmp_path / "data" / NAME).spent <= 0.05


def test_near_duplicates_are_left_out_and_asked_for_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    fields = {"prompt": 0, "neutral": 0}
    one = server.example(fields)
    alike = {**one, "prompt": one["prompt"].replace("Can you", "can YOU") + "!"}
    others = [server.example(fields) for _ in range(3)]
    server.faults = [Fault(text=json.dumps({"examples": [one, alike, *others]}))]
    outcome = generate(spec(5), tmp_path, ["warmth"], replace(DIRECT, per_request=6), claude())
    assert outcome.duplicates["warmth"] == 1 and outcome.counts["warmth"] >= 5


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(status=400, message="model not found"), r"refused the request \(400\): model not"),
        (Fault(status=401), r"does not accept the key in ANTHROPIC_API_KEY \(401\)"),
        (Fault(status=403, message="no"), r"may not do this \(403\): no"),
        (Fault(status=404, message="no model"), r"does not know 'claude-sonnet-5-5'"),
    ],
)
def test_a_refusal_is_one_sentence_and_is_not_tried_again(
    server: AnthropicServer, tmp_path: Path, fault: Fault, sentence: str
) -> None:
    server.faults = [fault]
    with pytest.raises(ApiError, match=sentence):
        generate(spec(5), tmp_path, ["warmth"], replace(DIRECT, concurrency=1), claude())
    assert len(server.seen) == 1
    assert read_state(tmp_path / "data" / NAME).spent == 0


@pytest.mark.parametrize("status", [408, 429, 500, 529])
def test_a_passing_fault_is_tried_again(
    server: AnthropicServer, tmp_path: Path, status: int
) -> None:
    server.faults = [Fault(status=status), Fault(status=status)]
    outcome = generate(spec(5), tmp_path, ["warmth"], DIRECT, claude())
    assert outcome.counts["warmth"] >= 5
    assert [each[2] for each in server.seen][:2] == [status, status]


def test_retry_after_is_obeyed(server: AnthropicServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=429, headers={"retry-after": "0.4"})]
    said: list[str] = []
    start = time.monotonic()
    generate(spec(5), tmp_path, ["warmth"], DIRECT, claude(say=said.append))
    assert time.monotonic() - start >= 0.4


def test_a_fault_that_does_not_pass_is_one_sentence(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(status=529)] * 20
    with pytest.raises(ApiError, match=r"overloaded \(529\) 3 times.*nothing that was paid for"):
        generate(spec(5), tmp_path, ["warmth"], DIRECT, claude(attempts=3))


def test_of_a_cut_stream_what_is_complete_is_kept(server: AnthropicServer, tmp_path: Path) -> None:
    server.faults = [Fault(cut_after=1100)]
    outcome = generate(spec(10), tmp_path, ["warmth"], replace(DIRECT, concurrency=1), claude())
    first = read_state(tmp_path / "data" / NAME).answers[0]
    assert first["stop_reason"] == "cut" and first["usage"]["estimated"] is True
    assert first["usage"]["output_tokens"] >= 200
    assert outcome.counts["warmth"] >= 10
    kept = load_trait(tmp_path / "data" / "warmth_training.json")
    assert sum(f'"{each.prompt}"' in first["text"] for each in kept) >= 2


def test_a_stream_that_is_cut_before_any_text_is_counted_and_tried_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(cut_after=0)]
    outcome = generate(spec(5), tmp_path, ["warmth"], replace(DIRECT, concurrency=1), claude())
    events = [json.loads(line) for line in (tmp_path / "data" / NAME).read_text().splitlines()]
    lost = [each for each in events if each["event"] == "attempt"]
    assert len(lost) == 1 and lost[0]["cost"] > 0
    assert outcome.counts["warmth"] >= 5


@pytest.mark.parametrize("raw", ["", "event: message_start\ndata: {not json\n\n", "hello"])
def test_a_stream_of_nonsense_is_tried_again(
    server: AnthropicServer, tmp_path: Path, raw: str
) -> None:
    server.faults = [Fault(raw=raw)]
    assert generate(spec(5), tmp_path, ["warmth"], DIRECT, claude()).counts["warmth"] >= 5


def test_an_answer_at_the_token_limit_gives_what_is_complete(
    server: AnthropicServer, tmp_path: Path
) -> None:
    made = [server.example({"prompt": 0}) for _ in range(5)]
    whole = json.dumps({"examples": made})
    server.faults = [Fault(text=whole[:-30], stop_reason="max_tokens")]
    outcome = generate(spec(5), tmp_path, ["warmth"], replace(DIRECT, concurrency=1), claude())
    assert outcome.refused["warmth"] == 1 and outcome.counts["warmth"] >= 5
    kept = [each.prompt for each in load_trait(tmp_path / "data" / "warmth_training.json")]
    assert kept[:4] == [each["prompt"] for each in made[:4]] and made[4]["prompt"] not in kept


@pytest.mark.parametrize("text", ["I cannot.", '{"examples": "none"}', '{"examples": [1]}'])
def test_answers_of_no_use_end_the_run_instead_of_costing_for_ever(
    server: AnthropicServer, tmp_path: Path, text: str
) -> None:
    server.faults = [Fault(text=text)] * 100
    with pytest.raises(DataError, match="a whole round of requests gave no new example"):
        generate(spec(10), tmp_path, ["warmth"], DIRECT, claude())
    assert len(server.requests) <= 4
    assert not (tmp_path / "data" / "warmth_training.json").exists()


def test_batches_are_matched_by_id_whatever_their_order(
    server: AnthropicServer, tmp_path: Path
) -> None:
    outcome = generate(spec(30), tmp_path, ["warmth", "coding"], BATCH, claude(BATCH))
    assert min(outcome.counts.values()) >= 30
    assert all(
        each.domain == "coding"
        for each in load_knowledge(tmp_path / "data" / "coding_knowledge.json")
    )
    assert all(params["system"][0]["cache_control"]["ttl"] == "1h" for params in server.requests)
    half = (100 * 2.0 + 1500 * 0.10 + 800 * 10.0) / 2e6
    assert outcome.spent == pytest.approx(half * len(server.requests))


def test_failed_requests_of_a_batch_cost_nothing_and_are_made_up_for(
    server: AnthropicServer, tmp_path: Path
) -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "it broke"}}
    server.batch_faults = {
        "warmth-000001": {"type": "errored", "error": error},
        "warmth-000002": {"type": "expired"},
    }
    said: list[str] = []
    outcome = generate(spec(20), tmp_path, ["warmth"], BATCH, claude(BATCH), say=said.append)
    assert outcome.counts["warmth"] >= 20 and len(server.batches) >= 2
    assert any("2 of" in each for each in said)
    one = (100 * 2.0 + 1500 * 0.10 + 800 * 10.0) / 2e6
    assert outcome.spent == pytest.approx(one * (len(server.requests) - 2))


def test_results_that_are_cut_off_are_read_again(server: AnthropicServer, tmp_path: Path) -> None:
    # create, retrieve, then results (which the SDK asks for by retrieving the batch first)
    server.faults = [Fault(), Fault(), Fault(), Fault(cut_after=2500)]
    outcome = generate(spec(20), tmp_path, ["warmth"], BATCH, claude(BATCH))
    assert outcome.counts["warmth"] >= 20
    identities = [each["id"] for each in read_state(tmp_path / "data" / NAME).answers]
    assert len(identities) == len(set(identities)) == len(server.requests)
    reads = [each for each in server.seen if each[1].endswith("/results")]
    assert len(reads) > len(server.batches)


def test_a_batch_that_arrived_although_its_answer_did_not_is_not_sent_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.faults = [Fault(drop=True)]
    generate(spec(4), tmp_path, ["warmth"], BATCH, claude(BATCH))
    assert len(server.batches) == 1


def test_a_refused_batch_is_one_sentence(server: AnthropicServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=400, message="too large")]
    with pytest.raises(ApiError, match=r"\(400\): too large"):
        generate(spec(4), tmp_path, ["warmth"], BATCH, claude(BATCH))
    generate(spec(4), tmp_path, ["warmth"], BATCH, claude(BATCH))
    assert len(server.batches) == 1


def test_two_processes_cannot_make_data_for_one_run(
    server: AnthropicServer, tmp_path: Path
) -> None:
    with (
        Journal(tmp_path / "data"),
        pytest.raises(DataError, match="another process makes data for this run"),
    ):
        generate(spec(4), tmp_path, ["warmth"], DIRECT, claude())


def test_a_journal_with_a_line_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("sent", id="a", dimension="warmth", cell=0, most=0.25)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"event": "answer", "id": "a", "co')
    with Journal(tmp_path) as journal:
        journal.append("sent", id="b", dimension="warmth", cell=1, most=0.5)
        state = journal.state()
    assert state.lost == 2 and state.spent == 0.75 and state.asked == {"warmth": 2}


def run_command(
    folder: Path, server: AnthropicServer, *arguments: str, most_bytes: int | None = None
) -> subprocess.Popen[str]:
    """Start the command; with `most_bytes`, no file of its can grow beyond them."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    # As from a terminal: a shell's background job would ignore Ctrl-C, and so would its children.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from clara_training.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, "data", "generate", "--run", str(folder), *arguments],
        cwd=folder,
        env={**os.environ, "WANDB_MODE": "disabled"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,
    )


def test_kill_9_in_the_middle_pays_for_no_answer_twice(
    server: AnthropicServer, tmp_path: Path
) -> None:
    held = threading.Event()
    server.faults = [Fault(), Fault(), Fault(wait=held)]
    options = ("--only", "warmth", "--count", "30", "--per-request", "5", "--mode", "direct")
    options += ("--concurrency", "1", "--yes")
    first = run_command(tmp_path, server, *options)
    wait_for(lambda: len(server.requests) == 3, "the third request is under way")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    held.set()
    paid = asked(server)
    second = run_command(tmp_path, server, *options)
    said, _ = second.communicate(timeout=LIMIT_S)
    assert second.returncode == 0, said
    assert (tmp_path / "metrics" / "data_generation.jsonl").exists()
    assert "1 requests were under way when an earlier process died" in said
    assert not set(asked(server)[3:]) & set(paid)
    state = read_state(tmp_path / "data" / NAME)
    assert len(state.answers) == len(server.requests) - 1 and state.lost == 1
    answers = {"".join(each["text"]) for each in state.answers}
    assert len(answers) == len(state.answers)
    assert len(load_trait(tmp_path / "data" / "warmth_training.json")) >= 30


def test_kill_9_while_a_batch_is_waited_for_takes_the_same_batch_up_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.hold_batches.clear()
    options = ("--only", "warmth", "--count", "20", "--per-request", "10", "--mode", "batch")
    first = run_command(tmp_path, server, *options, "--yes")
    wait_for(lambda: any(each[0] == "GET" for each in server.seen), "the batch is waited for")
    assert '"batch_id": "msgbatch_0000"' in (tmp_path / "data" / NAME).read_text()
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    server.hold_batches.set()
    sent = len(server.requests)
    second = run_command(tmp_path, server, *options, "--yes")
    said, _ = second.communicate(timeout=LIMIT_S)
    assert second.returncode == 0, said
    assert "taken up again" in said
    # Of three requests for 20 examples none was wanting.
    assert len(server.requests) == sent and len(server.batches) == 1
    assert len(load_trait(tmp_path / "data" / "warmth_training.json")) >= 20


def test_a_disk_that_takes_no_more_stops_the_spending_and_the_next_run_goes_on(
    server: AnthropicServer, tmp_path: Path
) -> None:
    options = ("--only", "warmth", "--count", "30", "--per-request", "5", "--concurrency", "1")
    full = run_command(tmp_path, server, *options, "--yes", most_bytes=4000)
    said, _ = full.communicate(timeout=LIMIT_S)
    assert full.returncode == 1 and "Traceback" not in said
    assert "cannot be written" in said.splitlines()[-1]
    assert 1 <= len(server.requests) <= 3
    again = run_command(tmp_path, server, *options, "--yes")
    said, _ = again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0, said
    assert len(load_trait(tmp_path / "data" / "warmth_training.json")) >= 30


def test_ctrl_c_keeps_the_answers_that_are_being_paid_for(
    server: AnthropicServer, tmp_path: Path
) -> None:
    held = threading.Event()
    server.faults = [Fault(wait=held)]
    options = ("--only", "warmth", "--count", "30", "--per-request", "5", "--concurrency", "1")
    process = run_command(tmp_path, server, *options, "--yes")
    wait_for(lambda: len(server.requests) == 1, "the first request is under way")
    process.send_signal(signal.SIGINT)
    held.set()
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130 and "Traceback" not in said
    assert "the same command goes on from here" in said
    state = read_state(tmp_path / "data" / NAME)
    assert len(state.answers) == len(server.requests) == 1 and state.lost == 0


def test_a_batch_that_is_still_out_is_not_estimated_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    server.hold_batches.clear()
    options = ("--only", "warmth", "--count", "20", "--per-request", "10", "--mode", "batch")
    process = run_command(tmp_path, server, *options, "--yes")
    wait_for(lambda: any(each[0] == "GET" for each in server.seen), "the batch is waited for")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, said
    estimates, _ = estimate(spec(20), tmp_path, ["warmth"], replace(BATCH, per_request=10))
    assert estimates[0].requests == 0


def test_nothing_is_sent_when_it_would_cost_more_than_the_cap(
    server: AnthropicServer, tmp_path: Path
) -> None:
    done = run_command(tmp_path, server, "--count", "2000", "--max-cost", "0.5", "--yes")
    said, _ = done.communicate(timeout=LIMIT_S)
    assert done.returncode == 1 and "nothing was sent" in said
    assert server.seen == []


def test_nobody_is_asked_so_nothing_is_spent(server: AnthropicServer, tmp_path: Path) -> None:
    done = run_command(tmp_path, server, "--only", "warmth", "--count", "5")
    said, _ = done.communicate(timeout=LIMIT_S)
    assert done.returncode == 1 and "--yes agrees" in said and server.seen == []


def test_no_key_is_ever_in_what_is_said_logged_or_written(
    server: AnthropicServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = "sk-ant-wrong-9876543210"
    monkeypatch.setenv("ANTHROPIC_API_KEY", wrong)
    with caplog.at_level(logging.DEBUG), pytest.raises(ApiError) as caught:
        # The server's own message has the key in it.
        generate(spec(5), tmp_path, ["warmth"], DIRECT, claude())
    done = run_command(tmp_path, server, "--only", "warmth", "--count", "5", "--yes")
    said, _ = done.communicate(timeout=LIMIT_S)
    assert done.returncode == 1 and "Traceback" not in said
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for text in (str(caught.value), caplog.text, said, written):
        assert wrong not in text
    server.faults = [Fault(status=400, message=f"bad key {server.key}")]
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
    with pytest.raises(ApiError, match="bad key <ANTHROPIC_API_KEY>"):
        generate(spec(5), tmp_path, ["warmth"], DIRECT, claude())


def test_without_a_key_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ApiError, match="ANTHROPIC_API_KEY is not set"):
        claude()
    for pasted in ("sk-ant-test-01234 \n56789", "“sk-ant-test-0123456789”", "sk-ant-\t0123456789"):
        monkeypatch.setenv("ANTHROPIC_API_KEY", pasted)
        with pytest.raises(ApiError, match="has white space or signs in it that no key has"):
            claude()


def test_a_model_without_a_known_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="the price of 'claude-2' is not known"):
        estimate(spec(5), tmp_path, ["warmth"], replace(DIRECT, model="claude-2"))
