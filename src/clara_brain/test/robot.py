# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A brain with the skills of robot.yaml, beside the robot that has their servers."""

from __future__ import annotations

import threading
from pathlib import Path

from world import World

DATA = Path(__file__).parent / "data"


class Robot(World):
    """A brain with the skills of robot.yaml, and the robot that has their servers.

    While `refuses` is set, the server of /drive refuses to cancel.
    """

    def __init__(self, skills: Path = DATA / "robot.yaml") -> None:
        from diagnostic_msgs.srv import AddDiagnostics
        from geometry_msgs.msg import PoseStamped
        from rclpy.action import ActionServer, CancelResponse

        from clara_interfaces.action import Chat
        from clara_interfaces.msg import ActionEvent, ActionResult

        super().__init__(skills=skills)
        self.log: list[str] = []
        # The pipe must be read, or the brain stands still when it is full.
        threading.Thread(target=lambda: self.log.extend(self.brain.stderr), daemon=True).start()
        self.past: list = []
        self.goals: list = []
        self.calls: list[str] = []
        self.points: list[PoseStamped] = []
        self.events: list[ActionEvent] = []
        self.results: list[ActionResult] = []
        self.detail = ""
        self.stopped = 0
        self.refuses = False
        self.drive = ActionServer(
            self.node,
            Chat,
            "/drive",
            self._drive,
            cancel_callback=lambda goal: (
                CancelResponse.REJECT if self.refuses else CancelResponse.ACCEPT
            ),
        )
        self.switch = self.node.create_service(AddDiagnostics, "/switch", self._switch)
        for kind, topic, heard in (
            (PoseStamped, "/look_at", self.points),
            (ActionEvent, "action_event", self.events),
            (ActionResult, "action_result", self.results),
        ):
            self.node.create_subscription(kind, topic, heard.append, 10)

    async def _drive(self, goal):
        from rclpy.task import Future

        from clara_interfaces.action import Chat

        self.goals.append(goal.request)
        if goal.request.text == "wait":
            ended = Future(executor=self.executor)
            timer = self.node.create_timer(
                0.05, lambda: goal.is_cancel_requested and ended.set_result(None)
            )
            await ended
            self.node.destroy_timer(timer)
            self.stopped += 1
            goal.canceled()
            return Chat.Result()
        if goal.request.text == "fail":
            goal.abort()
            return Chat.Result(error_code=2000, error_msg=self.detail)
        goal.succeed()
        return Chat.Result()

    def _switch(self, request, response):
        self.calls.append(request.load_namespace)
        response.success = request.load_namespace == "lamp"
        response.message = self.detail
        return response

    def remember(self, request, response):
        from clara_interfaces.msg import EpisodeMatch

        self.asked = {each.role: each.filler for each in request.cue}
        response.abstained = not self.past
        response.episodes = [EpisodeMatch(score=1.0, episode=each) for each in self.past]
        return response

    def wait_until_ready(self) -> None:
        """Wait until the brain is active, and both sides have found all that is between them."""
        from clara_interfaces.srv import ListSkills

        self.until(lambda: self.state() == "active")
        # The topic look_at is nobody's yet for `launch` and `open_door`: those go to
        # action_request.
        self.until(
            lambda: all(each.reachable for each in self.call(ListSkills, "skill/list").skills)
        )
        for topic in ("action_event", "action_result"):
            self.until(lambda topic=topic: self.node.count_publishers(f"/clara/{topic}"))

    def decision(self, text: str, **fields):
        """Say it and return the decision and the reply."""
        result = self.ask(text, **fields).result
        assert result.error_code == 0 and len(result.decisions) == 1, result
        return result.decisions[0], result.text

    def statuses(self, text: str, **fields):
        """Say it and return the status of each decision, and the result."""
        result = self.ask(text, **fields).result
        assert result.error_code == 0, result
        return [each.status for each in result.decisions], result

    def event_of(self, decision):
        """Return what the brain published on the action that it started."""
        return self._heard(self.events, decision)

    def result_of(self, decision):
        """Return what the brain published on how the action ended."""
        return self._heard(self.results, decision)

    def _heard(self, heard: list, decision):
        name = decision.request.action_id
        self.until(lambda: any(each.action_id == name for each in heard))
        return next(each for each in heard if each.action_id == name)
