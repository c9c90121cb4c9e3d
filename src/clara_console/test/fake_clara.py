# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A brain and a memory that do what a test says, behind the real interfaces, over real DDS."""

import threading
import time

import rclpy
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterEvent
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.qos import QoSProfile

from clara_interfaces.action import Chat
from clara_interfaces.msg import (
    Adapter,
    CueMatch,
    Episode,
    EpisodeMatch,
    Exchange,
    RoleFiller,
    Session,
    Trait,
)
from clara_interfaces.srv import (
    CorrectEpisode,
    GetMemoryStats,
    GetModelInfo,
    GetPersonality,
    GetSession,
    ListAdapters,
    ListSessions,
    QueryMemory,
    ResetSession,
    ScaleAdapters,
    SetPersonality,
)

REPLY = "Hé, **hello** there 👋!"


class Side:
    """A node in the namespace clara with an executor of its own; its end is that of a process."""

    def __init__(self, name):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node(name, namespace="clara", context=self.context)
        self.group = ReentrantCallbackGroup()
        self.executor = MultiThreadedExecutor(4, context=self.context)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)

    def serve(self, *services):
        for kind, name, answer in services:
            self.node.create_service(kind, name, answer, callback_group=self.group)

    def close(self):
        self.executor.shutdown(5.0)
        self.thread.join(5.0)
        self.node.destroy_node()
        self.context.try_shutdown()


class FakeClara:
    """Serves everything that the console asks for; `requests` has what it asked, by name."""

    def __init__(self):
        self.requests = []
        self.goals = []
        self.canceled = threading.Event()
        self.reply = speak
        self.accepts = True
        self.warmth = 0.5
        self.memory = Side("memory")
        self.node = self.memory.node
        self.episodes = self.node.create_publisher(Episode, "memory/episodes", 100)
        self.diagnostics = self.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.parameters = self.node.create_publisher(ParameterEvent, "/parameter_events", 10)
        self.memory.serve(
            self._noted(GetMemoryStats, "memory/stats", self._stats),
            self._noted(QueryMemory, "memory/query", self._query),
            self._noted(CorrectEpisode, "memory/correct", self._correct),
        )
        self.memory.thread.start()
        self.start_brain()

    def start_brain(self):
        noted = self._noted
        self.brain = Side("brain")
        self.brain.serve(
            noted(GetPersonality, "personality/get", self._get_personality),
            noted(SetPersonality, "personality/set", self._set_personality),
            noted(GetModelInfo, "model/info", self._model),
            noted(ListAdapters, "adapter/list", self._adapters),
            noted(ScaleAdapters, "adapter/scale", self._scale),
            noted(ListSessions, "session/list", self._sessions),
            noted(GetSession, "session/get", self._session),
            noted(ResetSession, "session/reset", self._reset),
        )
        self.action = ActionServer(
            self.brain.node,
            Chat,
            "chat",
            lambda goal: self.reply(self, goal),
            goal_callback=self._on_goal,
            cancel_callback=self._on_cancel,
            callback_group=self.brain.group,
            feedback_pub_qos_profile=QoSProfile(depth=100),
        )
        self.brain.thread.start()

    def stop_brain(self):
        """End the brain; a turn under way never gets its result."""
        # From Kilted on, shutting down waits for callbacks, and one of them waits to be canceled.
        stopping = threading.Thread(target=self.brain.executor.shutdown, args=(0.1,))
        stopping.start()
        self.brain.thread.join(5.0)
        self.canceled.set()
        stopping.join(5.0)
        self.action.destroy()
        self.brain.close()

    def _noted(self, kind, name, answer):
        def note(request, response):
            self.requests.append((name, request))
            return answer(request, response) or response

        return kind, name, note

    def last(self, name):
        return next(request for asked, request in reversed(self.requests) if asked == name)

    def tell_health(self, name, level=DiagnosticStatus.OK, message="active", **values):
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        status = DiagnosticStatus(name=name, level=level, message=message, values=pairs)
        self.diagnostics.publish(DiagnosticArray(status=[status]))

    def close(self):
        self.stop_brain()
        self.memory.close()

    def _stats(self, request, response):
        response.episodes, response.failed = 12, 3

    def _query(self, request, response):
        if request.text == "slow":
            self.canceled.wait(20.0)
        if request.text == "invalid":
            response.error_code = QueryMemory.Response.INVALID_REQUEST
            response.error_msg = "the text is no cue"
        if request.text == "half":
            known = [
                RoleFiller(role="action", filler="WASH"),
                RoleFiller(role="object", filler="cup"),
            ]
            response.readings = [
                CueMatch(cue=cue, by=CueMatch.SAME, accepted=True) for cue in known
            ]
            response.understood, response.matches = known[1:], 1
        one = Episode(episode_id="e1", action="PICK_UP", object="cup", outcome=Episode.FAILED)
        response.episodes = [EpisodeMatch(score=float("nan"), episode=one)]

    def _correct(self, request, response):
        made = {change.role: change.filler for change in request.changes}
        if made.get("object") == "refused":
            response.error_code = CorrectEpisode.Response.INVALID_REQUEST
            response.error_msg = "the memory is full"
            return
        known = {"action": "PICK_UP", "object": "cup", **made}
        response.episode = Episode(episode_id=request.episode_id, **known)
        self.episodes.publish(response.episode)

    def _get_personality(self, request, response):
        response.traits = [Trait(name="warmth", value=self.warmth, default_value=0.5)]
        response.presets = ["spec", "calm"]

    def _set_personality(self, request, response):
        if "nosuch" in request.names:
            response.error_code = SetPersonality.Response.INVALID_REQUEST
            response.error_msg = "there is no slider nosuch"
        elif request.names:
            self.warmth = request.values[0]

    def _model(self, request, response):
        response.error_code = GetModelInfo.Response.NO_MODEL

    def _adapters(self, request, response):
        response.adapters = [Adapter(name="pirate", path="/p.gguf", scale=0.5)]

    def _scale(self, request, response):
        response.adapters = [Adapter(name="pirate", path="/p.gguf", scale=request.scales[0])]

    def _sessions(self, request, response):
        response.sessions = [Session(session_id="a/b", turns=1)]

    def _session(self, request, response):
        response.exchanges = [Exchange(user="hi", assistant="*hello*")]

    def _reset(self, request, response):
        response.turns = 1

    def _on_goal(self, goal):
        self.goals.append(goal)
        return GoalResponse.ACCEPT if self.accepts else GoalResponse.REJECT

    def _on_cancel(self, handle):
        self.canceled.set()
        return CancelResponse.ACCEPT


def speak(clara, handle):
    """Reply with REPLY, its pieces sent out of order, one of them twice, one never."""
    pieces = [(at, REPLY[at : at + 3]) for at in range(0, len(REPLY), 3)]
    lost = pieces.pop(6)
    order = [pieces[1], pieces[0], pieces[0], *pieces[2:]]
    for seq, (at, delta) in enumerate(order):
        handle.publish_feedback(Chat.Feedback(seq=seq, text_offset=at, delta=delta))
    assert lost[1] not in ("", REPLY)
    handle.succeed()
    return Chat.Result(text=REPLY, stop_reason=Chat.Result.STOP_END, memory_ids=["e1"])


def speak_until_canceled(clara, handle):
    """Reply with a word each few milliseconds, until the goal is canceled."""
    text = ""
    seq = 0
    while not clara.canceled.is_set():
        handle.publish_feedback(Chat.Feedback(seq=seq, text_offset=len(text), delta="word "))
        text += "word "
        seq += 1
        time.sleep(0.02)
    if handle.status == GoalStatus.STATUS_CANCELING:
        handle.canceled()
    else:
        handle.abort()
    return Chat.Result(
        text=text, stop_reason=Chat.Result.STOP_CANCELED, error_code=Chat.Result.CANCELED
    )
