# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara` as a process, against a small brain made of the interfaces alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from domain_coordinator import domain_id
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.task import Future

from clara_interfaces.action import Chat
from clara_interfaces.msg import Trait
from clara_interfaces.srv import GetPersonality, SetPersonality

LIMIT_S = 30.0


class SmallBrain:
    """Answers turns as their text says: "say", "lose", "slow", "full" or "reject"."""

    def __init__(self, domain: int) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("brain", namespace="clara", context=self.context)
        self.goals: list[Any] = []
        self.sliders: dict[str, float] = {}
        group = ReentrantCallbackGroup()
        self.server = ActionServer(
            self.node,
            Chat,
            "chat",
            self._execute,
            callback_group=group,
            goal_callback=lambda goal: (
                GoalResponse.REJECT if goal.text == "reject" else GoalResponse.ACCEPT
            ),
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self.node.create_service(
            SetPersonality, "personality/set", self._set, callback_group=group
        )
        self.lost = 0
        self.node.create_service(
            GetPersonality, "personality/get", self._get, callback_group=group
        )
        self.executor = MultiThreadedExecutor(num_threads=2, context=self.context)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def _execute(self, handle: Any) -> Any:
        self.goals.append(handle.request)
        pieces = ["I ", "see ", "a ", "cüp."]
        offset = 0
        for seq, delta in enumerate(pieces):
            lost = handle.request.text == "lose" and seq == 1
            if not lost:
                feedback = Chat.Feedback(seq=seq, text_offset=offset, delta=delta)
                handle.publish_feedback(feedback)
            offset += len(delta)
        result = Chat.Result(text="".join(pieces), memory_ids=["e1"])
        end = time.monotonic() + LIMIT_S
        while handle.request.text == "slow" and time.monotonic() < end:
            if handle.is_cancel_requested:
                result.error_code = Chat.Result.CANCELED
                handle.canceled()
                return result
            time.sleep(0.02)
        if handle.request.text == "full":
            handle.abort()
            return Chat.Result(error_code=Chat.Result.QUEUE_FULL, error_msg="8 turns wait")
        handle.succeed()
        return result

    def _set(self, request: Any, response: Any) -> Any:
        if "nosuch" in request.names:
            response.error_code = SetPersonality.Response.INVALID_REQUEST
            response.error_msg = "there is no slider nosuch"
            return response
        self.sliders.update(zip(request.names, request.values, strict=True))
        response.traits = [Trait(name=name, value=value) for name, value in self.sliders.items()]
        return response

    async def _get(self, request: Any, response: Any) -> Any:
        if self.lost:
            self.lost -= 1
            await Future(executor=self.executor)  # an answer that never comes
        response.traits = [Trait(name="warmth", value=0.5)]
        return response

    def close(self) -> None:
        self.executor.shutdown()
        self.thread.join()
        self.server.destroy()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="module")
def domain() -> Iterator[int]:
    before = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    with domain_id() as number:
        yield int(number)
    if before is None:
        del os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"]
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = before


@pytest.fixture(scope="module")
def brain(domain: int) -> Iterator[SmallBrain]:
    one = SmallBrain(domain)
    yield one
    one.close()


def start(domain: int, *words: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from clara_brain.cli import main; main()", *words],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",  # bytes that are no UTF-8, in and out
    )


def clara(domain: int, *words: str, said: str = "", **env: str) -> tuple[int, str, str]:
    process = start(domain, *words, **env)
    out, err = process.communicate(said, timeout=LIMIT_S)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_ask_prints_the_reply_and_nothing_else(brain: SmallBrain, domain: int) -> None:
    assert clara(domain, "ask", "say") == (0, "I see a cüp.\n", "")


def test_ask_prints_what_feedback_lost(brain: SmallBrain, domain: int) -> None:
    assert clara(domain, "ask", "lose")[1] == "I see a cüp.\n"


def test_what_changes_nothing_is_asked_again_where_its_answer_was_lost(
    brain: SmallBrain, domain: int
) -> None:
    brain.lost = 1
    code, out, _ = clara(domain, "persona")
    assert (code, brain.lost) == (0, 0) and "warmth" in out


def test_verbose_adds_the_footer_on_stderr(brain: SmallBrain, domain: int) -> None:
    code, out, err = clara(domain, "ask", "say", "--verbose")
    assert (code, out) == (0, "I see a cüp.\n")
    assert "memory e1" in err


def test_ask_sends_the_options_and_prints_json(brain: SmallBrain, domain: int) -> None:
    options = ["--memory", "never", "--skills", "dry-run", "--max-tokens", "7", "--session", "s"]
    code, out, _ = clara(domain, "ask", "say", "--json", "--temperature", "0", *options)
    assert code == 0
    assert json.loads(out)["text"] == "I see a cüp."
    goal = brain.goals[-1]
    assert (goal.memory_policy, goal.skill_policy) == (Chat.Goal.NEVER, Chat.Goal.DRY_RUN)
    assert (goal.max_tokens, goal.session_id, goal.sampling.temperature) == (7, "s", 0.0)


def test_ask_sends_the_form_of_a_reply_and_what_is_piped(
    brain: SmallBrain, domain: int, tmp_path: Path
) -> None:
    schema, grammar = tmp_path / "order.json", 'root ::= "yes"'
    schema.write_text('{"type": "integer"}')
    options = ["--schema", str(schema), "--seed", "7", "--stop", "\n", "--stop", "é"]
    assert clara(domain, "ask", "Sum", "up:", "-", *options, said="a\nb\n")[0] == 0
    goal = brain.goals[-1]
    assert goal.text == "Sum up:\na\nb\n"
    assert goal.sampling.json_schema == '{"type": "integer"}' and goal.sampling.seed == 7
    assert list(goal.sampling.stop) == ["\n", "é"]
    assert clara(domain, "ask", "-", "--schema", ' {"type": "null"}', said="caf\udce9")[0] == 0
    assert brain.goals[-1].text == "caf\ufffd"
    assert brain.goals[-1].sampling.json_schema == ' {"type": "null"}'
    assert clara(domain, "ask", "5", "-", "3", "--grammar", grammar)[0] == 0
    assert (brain.goals[-1].text, brain.goals[-1].sampling.grammar) == ("5 - 3", grammar)
    empty = tmp_path / "empty"
    empty.write_bytes(b" \n")
    for path, said in (
        (tmp_path / "nowhere", "No such file"),
        (tmp_path, "Is a directory"),
        (empty, "is empty"),
        (sys.executable, "is no UTF-8"),
    ):
        code, _, err = clara(domain, "ask", "say", "--schema", str(path))
        assert code == 1 and said in err and err.startswith("clara: the schema")


@pytest.mark.parametrize(
    ("text", "sentence"), [("full", "QUEUE_FULL: 8 turns wait"), ("reject", "rejected the turn")]
)
def test_a_turn_that_fails_is_one_sentence(
    brain: SmallBrain, domain: int, text: str, sentence: str
) -> None:
    code, _, err = clara(domain, "ask", text)
    assert code == 1
    assert err.startswith("clara: ") and sentence in err and err.count("\n") == 1


def test_ctrl_c_cancels_the_turn_and_exits_130(brain: SmallBrain, domain: int) -> None:
    process = start(domain, "ask", "slow")
    assert process.stdout is not None
    assert process.stdout.read(2) == "I "
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_no_brain_is_one_sentence_within_the_limit(domain: int) -> None:
    begun = time.monotonic()
    code, _, err = clara(domain, "ask", "hi", "--namespace", "nobody", "--timeout", "0.5")
    assert code == 1 and "nobody answers chat in namespace /nobody" in err
    assert time.monotonic() - begun < 10.0


def test_a_bad_namespace_is_one_sentence(domain: int) -> None:
    code, _, err = clara(domain, "model", CLARA_NAMESPACE="not well")
    assert code == 1 and "'not well' is not well-formed" in err


def test_chat_reads_lines_from_a_pipe(brain: SmallBrain, domain: int) -> None:
    code, out, err = clara(domain, "chat", "--session", "s", said="say\n\n/help\n/nosuch\nsay\n")
    assert code == 0
    assert out.count("I see a cüp.\n") == 2 and "/reset" in out
    assert "there is no command /nosuch" in err
    assert brain.goals[-1].session_id == "s"


def test_bytes_that_are_no_utf8_are_asked_as_such_and_end_no_conversation(
    brain: SmallBrain, domain: int
) -> None:
    assert clara(domain, "ask", "caf\udce9")[0] == 0
    assert brain.goals[-1].text == "caf\ufffd"
    code, out, _ = clara(domain, "chat", said="caf\udce9\nsay\n")
    assert code == 0 and out.count("I see a cüp.\n") >= 1
    assert [goal.text for goal in brain.goals[-2:]] == ["caf\ufffd", "say"]


def test_ctrl_c_in_chat_cancels_the_turn_and_not_the_program(
    brain: SmallBrain, domain: int
) -> None:
    process = start(domain, "chat")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("slow\n")
    process.stdin.flush()
    assert process.stdout.read(2) == "I "
    process.send_signal(signal.SIGINT)
    out, err = process.communicate("say\n", timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "canceled" in err and out.endswith("I see a cüp.\n")


def test_persona_moves_sliders_and_names_what_is_wrong(brain: SmallBrain, domain: int) -> None:
    code, out, _ = clara(domain, "persona", "warmth=0.25")
    assert code == 0 and "warmth" in out and "0.25" in out
    assert brain.sliders == {"warmth": 0.25}
    code, _, err = clara(domain, "persona", "nosuch=1")
    assert code == 1 and "INVALID_REQUEST: there is no slider nosuch" in err
    code, _, err = clara(domain, "persona", "warmth")
    assert code == 1 and "write it as warmth=0.2" in err


def test_a_glide_is_announced_beside_the_values_that_it_begins_with(
    brain: SmallBrain, domain: int
) -> None:
    code, out, err = clara(domain, "persona", "warmth=0.5", "--fade", "300")
    assert code == 0 and "warmth" in out
    assert err == "gliding there takes 300 s; this is where it begins\n"
    assert clara(domain, "persona", "warmth=0.5")[2] == ""


def test_the_installed_script_is_executable() -> None:
    script = Path(__file__).parents[1] / "scripts" / "clara"
    assert os.access(script, os.X_OK)
