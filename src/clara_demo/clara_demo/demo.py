# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The conversation that `make demo` shows: ask, act, remember, answer.

Everything printed was really said, done and stored by the nodes: the demo only talks to them over
ROS, and fails with a sentence when a step does not come through.
"""

from __future__ import annotations

import signal
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import Any

import click
from clara_brain.cli_text import printable
from clara_brain.errors import BrainError, ClientError
from clara_brain.ros_client import RosClient, error_name
from rich.console import Console
from rich.markup import escape

from clara_demo.bring_up import launch_command, launched
from clara_demo.errors import DemoError
from clara_demo.outcome import Outcome
from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Episode, SkillDecision
from clara_interfaces.srv import GetMemoryStats

CALL_LIMIT_S = 10.0
GLANCE_LIMIT_S = 1.0
STEP_LIMIT_S = 30.0
ATTEMPTS = 5
PICTURE_WIDTH = 100
_TOKENS = 60


class Demo:
    """Plays the conversation with the nodes of one namespace."""

    def __init__(
        self, client: RosClient, console: Console, check_launch: Callable[[], None]
    ) -> None:
        """Take a client of the nodes; `check_launch` raises DemoError once they are gone."""
        self._client = client
        self._check_launch = check_launch
        self._console = console
        self._session = f"demo-{uuid.uuid4().hex[:8]}"
        self._events: dict[str, ActionEvent] = {}
        self._results: dict[str, ActionResult] = {}
        self._episodes: dict[str, Episode] = {}

    def play(self, limit_s: float) -> None:
        """Play all of it. Raises DemoError at the first step that does not come through."""
        self._wait_for_nodes(limit_s)
        self._listen()
        self._say("Hello! Who are you?", skills=Chat.Goal.NEVER)
        self._have_done("Please pick up the cup.", "PICK_UP")
        self._have_done("Put the cup on the shelf.", "PLACE")
        asked = self._say("What happened with the cup?", skills=Chat.Goal.NEVER)
        lived = {each.episode_id for each in self._episodes.values() if each.object == "cup"}
        if not lived & set(asked.memory_ids):
            raise DemoError("the answer does not rest on what just happened with the cup")
        asked = self._say("What happened with the piano?", skills=Chat.Goal.NEVER)
        if not asked.memory_abstained or asked.memory_ids:
            raise DemoError("memory claims to know something about a piano")
        self._have_done("Wave to the people!", "WAVE")
        self._show_figures()

    def _wait_for_nodes(self, limit_s: float) -> None:
        with self._console.status("waiting for brain, memory and robot"):
            end = time.monotonic() + limit_s
            for name in ("memory", "brain"):
                while (state := self._state(name)) != "active":
                    self._check_launch()
                    if time.monotonic() > end:
                        raise DemoError(f"node {name} is {state} after {limit_s:g} s")
            topic = f"{self._client.namespace.rstrip('/')}/action_request"
            node = self._client.node
            self._until(
                lambda: node.count_subscribers(topic) and node.count_publishers(topic),
                "the robot and the brain to be connected",
            )

    def _listen(self) -> None:
        # Only now: the robot's own actions begin when somebody listens, which is to be memory.
        for kind, topic, heard in (
            (ActionEvent, "action_event", self._events),
            (ActionResult, "action_result", self._results),
            (Episode, "memory/episodes", self._episodes),
        ):
            self._client.node.create_subscription(kind, topic, _keep(heard), 100)

    def _state(self, name: str) -> str:
        patience = self._client.timeout_s
        self._client.timeout_s = GLANCE_LIMIT_S
        try:
            return self._client.lifecycle_state(name)
        except ClientError:
            return "not there"
        finally:
            self._client.timeout_s = patience

    def _say(self, text: str, skills: int) -> Any:
        self._console.print(f"\n[bold cyan]you  [/] {text}")
        goal = Chat.Goal(
            text=text,
            session_id=self._session,
            memory_policy=Chat.Goal.AUTO,
            skill_policy=skills,
            max_tokens=_TOKENS,
        )
        result = self._reply(goal)
        if result.error_code == Chat.Result.CANCELED:
            raise KeyboardInterrupt
        if result.error_code:
            name = error_name(Chat.Result, result.error_code)
            raise DemoError(f"the turn {text!r} ended with {name}: {result.error_msg}")
        if result.memory_ids:
            self._note("rests on", ", ".join(result.memory_ids))
        if result.memory_abstained:
            self._note("memory", "knows nothing about it")
        return result

    def _reply(self, goal: Chat.Goal) -> Any:
        """Take the turn and show its reply; return the result."""
        label = "[bold magenta]Clara[/] "
        if self._console.record:
            # A picture has no terminal that breaks what is printed piece by piece into lines.
            pieces: list[str] = []
            result = self._client.chat(goal, pieces.append)
            self._console.print(label + escape(printable("".join(pieces))), highlight=False)
            return result
        self._console.print(label, end="")
        result = self._client.chat(goal, self._show)
        self._console.print()
        return result

    def _show(self, delta: str) -> None:
        self._console.out(printable(delta), end="", highlight=False)

    def _have_done(self, text: str, action: str) -> None:
        for _ in range(ATTEMPTS):
            action_id = self._request(text, action)
            self._until_in(self._events, action_id, f"the robot to start {action}")
            event = self._events[action_id]
            self._note("event", f"{event.action} {event.object}".strip() + f", {action_id}")
            self._until_in(self._results, action_id, f"the robot to end {action}")
            result = self._results[action_id]
            self._note("result", f"{Outcome(result.outcome).name}: {result.detail}")
            self._until_in(self._episodes, action_id, "memory to store the episode")
            self._note("episode", self._episodes[action_id].episode_id)
            if result.outcome == ActionResult.SUCCEEDED:
                return
            if action == "PLACE":
                # What fell while it was put down must be picked up before it can be put again.
                self._have_done("Please pick up the cup.", "PICK_UP")
        raise DemoError(f"the robot failed {ATTEMPTS} times at {action}")

    def _request(self, text: str, action: str) -> str:
        result = self._say(text, skills=Chat.Goal.ALWAYS)
        for each in result.decisions:
            if each.status == SkillDecision.REQUESTED and each.request.action == action:
                self._note("decision", f"{each.request.action} {each.request.object}")
                return str(each.request.action_id)
            self._note("decision", f"{each.skill}: {each.reason}")
        raise DemoError(f"Clara did not choose {action} for {text!r}")

    def _show_figures(self) -> None:
        figures = self._client.call(GetMemoryStats, "memory/stats")
        self._console.print()
        self._note(
            "memory",
            f"{figures.episodes} episodes, {figures.succeeded} succeeded, {figures.failed} failed,"
            f" {figures.dropped} dropped, {figures.bytes / 1000:.0f} kB",
        )

    def _note(self, name: str, said: str) -> None:
        self._console.print(f"      [dim]{name:9} {escape(said)}[/]", highlight=False)

    def _until_in(self, heard: dict[str, Any], action_id: str, what: str) -> None:
        self._until(lambda: action_id in heard, what)

    def _until(self, condition: Callable[[], object], what: str) -> None:
        if not self._client.spin_until(lambda: bool(condition()), STEP_LIMIT_S):
            self._check_launch()
            raise DemoError(f"waited {STEP_LIMIT_S:g} s in vain for {what}")


def _keep(heard: dict[str, Any]) -> Callable[[Any], None]:
    def keep(message: Any) -> None:
        heard[message.action_id] = message

    return keep


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--launch", is_flag=True, help="Start Clara and the robot, and end them afterwards.")
@click.option("--namespace", default="clara", show_default=True, help="Of the nodes.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=90.0,
    show_default=True,
    help="Seconds to wait for the nodes to be active.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True),
    help="Write what the terminal showed to this file, as a picture.",
)
def command(launch: bool, namespace: str, timeout: float, svg: str | None) -> None:
    """Watch Clara talk with a simulated robot for a minute."""
    console = Console(record=True, width=PICTURE_WIDTH) if svg else Console()
    with (
        launched(launch_command(namespace)) if launch else nullcontext(lambda: None) as check,
        RosClient(namespace, CALL_LIMIT_S, name="clara_demo") as client,
    ):
        Demo(client, console, check).play(timeout)
    if svg:
        console.save_svg(svg, title="make demo")


def _hung_up(number: int, frame: FrameType | None) -> None:
    # A terminal that closes says so twice, once through its shell: the end is not to be disturbed.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.default_int_handler(number, frame)


def main() -> None:
    """Run the demo; what goes wrong is a sentence on stderr and exit code 1."""
    # As Ctrl-C: what was launched has its own process group and must be ended with the demo.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # it is not under nohup
        signal.signal(signal.SIGHUP, _hung_up)
    try:
        command.main(prog_name="demo", standalone_mode=False)
    except (DemoError, BrainError) as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


if __name__ == "__main__":
    main()
