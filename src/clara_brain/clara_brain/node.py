# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node `brain`: the thin room where ROS comes in.

Weights load in configure, turns are taken while active. One SingleThreadedExecutor runs all
callbacks; the model works on the engine's own thread.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rclpy.timer import Timer

from clara_brain import governance_file, model_info, parameters
from clara_brain.adapters import Adapters, beside
from clara_brain.backend import Backend
from clara_brain.chat_server import ChatServer
from clara_brain.diagnostics import Diagnostics
from clara_brain.engine import Engine
from clara_brain.errors import (
    AdapterError,
    BrainError,
    GovernanceError,
    ModelError,
    QosError,
    SkillFileError,
    SpecError,
    StateError,
    Unforeseen,
)
from clara_brain.kept_sliders import KeptSliders
from clara_brain.model_info import ModelInfo
from clara_brain.model_services import ModelServices
from clara_brain.openai_backend import OpenAIBackend
from clara_brain.persona import Spec, load_presets, load_spec
from clara_brain.probe import probe
from clara_brain.promise import RosPromise
from clara_brain.services import Services
from clara_brain.session_store import SessionStore
from clara_brain.sessions import Sessions
from clara_brain.settings import BrainSettings
from clara_brain.signals import resolve_on_signals
from clara_brain.skill_file import load_skills
from clara_brain.skill_services import SkillServices
from clara_brain.skill_targets import SkillTargets
from clara_brain.skills import Skill
from clara_brain.speech import Speech
from clara_brain.state_folder import StateFolder
from clara_brain.state_topics import StateTopics
from clara_brain.together import read_together
from clara_brain.turn_desk import TurnDesk

_log = logging.getLogger(__name__)

_LAST_ANSWERS_S = 1.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
_NO_MODEL = "no model is loaded; configure the node"


class BrainNode(LifecycleNode):  # type: ignore[misc]
    """Hosts a language model with a personality, and answers what is said to it."""

    # rclpy destroys what is left at its shutdown (from Kilted on), also a node that a wrong
    # parameter stopped half-way.
    _complete = False

    def __init__(self, **options: object) -> None:
        super().__init__("brain", **options)
        group = ReentrantCallbackGroup()
        # Before they are declared, for what is given at the start is checked then.
        self.add_on_set_parameters_callback(parameters.check)
        parameters.declare(self)
        self.spec_path = self.get_parameter("spec").value
        self.spec = self._spec_for_sliders()
        parameters.declare_sliders(self, self.spec)
        self._kept_sliders = KeptSliders(self, group, self.spec_path)
        self.presets: dict[str, dict[str, float]] = {}
        self.sessions: Sessions | None = None
        self.no_model = _NO_MODEL
        self.engine: Backend | None = None
        self.adapters: Adapters | None = None
        self._state_folder: StateFolder | None = None
        self.skills: tuple[Skill, ...] | None = None
        self.skills_path = ""
        self.targets = SkillTargets(self, group)
        self._state_topics = StateTopics(self, group)
        self._desk = TurnDesk(self, self.targets, self._state_topics, group)
        self._chat = ChatServer(self, self._desk, group)
        self._speech = Speech(self, self._desk, group)
        Services(self, self, group)
        ModelServices(self, self, group)
        SkillServices(self, self, group)
        self._health = Diagnostics(self, self._desk, group)
        self._group = group
        self._lacks_server = False
        self._retry: Timer | None = None
        if self.get_parameter("autostart").value:
            # A guard condition runs once something spins, under any executor and any clock.
            self._start = self.create_guard_condition(self._autostart, callback_group=group)
            self._start.trigger()
        self._complete = True

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the personality and load the weights.

        FAILURE with a sentence when that cannot be done.
        """
        self._stop_retrying()
        try:
            settings = parameters.read(self)
            self._configure_spec(settings.spec)
            self.presets = load_presets(_path(settings.presets, "presets.json"), self.spec.values)
            self._open_skills(settings.skills)
            self._state_topics.open(settings.state_topics)
            self._open_state(settings.state_path)
            if settings.keep_sliders:
                self._find_sliders()
            self._load(settings)
        except Exception as error:
            if not isinstance(error, BrainError):
                # rclpy would say nothing of it.
                _log.exception("configuring failed in a way nobody foresaw")
                error = Unforeseen(error)
            self._unload()
            self.no_model = str(error)
            served = self.get_parameter("backend").value == "openai"
            self._lacks_server = served and isinstance(error, ModelError)
            return self._failure(str(error))
        assert self.engine is not None
        # The hash takes a moment for a large model: begin now, off the executor's thread.
        self._look_at_model(self.engine)
        self.get_logger().info(f"uses {self.engine.description}")
        return self._reached("inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take turns."""
        assert self.engine is not None and self.sessions is not None
        assert self.adapters is not None
        self._desk.open(self.engine, self.sessions, self.skills or (), self.adapters)
        try:
            self._speech.listen()
        except QosError as error:
            self._stop_turns()
            return self._failure(str(error), "activate")
        super().on_activate(state)
        self.get_logger().info("active: takes turns on 'chat' and 'say'")
        return self._reached("active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Refuse new turns and end those under way."""
        self._stop_turns()
        super().on_deactivate(state)
        return self._reached("inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model; conversations stay on disk, where they are kept."""
        self._unload()
        return self._reached("unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, whatever the state was."""
        self._stop_retrying()
        self._stop_turns()
        self._unload()
        return self._reached("finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a fault nobody foresaw."""
        self._stop_turns()
        self._unload()
        return self._reached("unconfigured")

    async def model_info(self) -> ModelInfo:
        """Lineage of the loaded model. Raises ModelError when none is loaded."""
        engine = self.engine
        if engine is None:
            raise ModelError(self.no_model)
        promise = RosPromise(self)
        self._look_at_model(engine, promise)
        answer = await promise
        if isinstance(answer, ModelError):
            raise answer
        assert isinstance(answer, ModelInfo)
        return answer

    def stop(self) -> None:
        """End the turns under way; `idle` says when all of them were answered."""
        self._stop_turns()

    @property
    def idle(self) -> bool:
        """Whether no turn waits for its answer, and no goal for its end."""
        return not self._desk.under_way and not self.targets.busy

    def destroy_node(self) -> None:
        """Free the model, then take the node down."""
        if self._complete:
            self._stop_turns()
            self._unload()
            self._chat.destroy()
        super().destroy_node()

    def _autostart(self) -> None:
        self.destroy_guard_condition(self._start)
        self._begin(_FIRST_RETRY_S)

    def _begin(self, wait: float) -> None:
        """Start; where the model's server is not there yet, again after `wait` s, and so on."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
        elif self._lacks_server:
            self.get_logger().info(f"tries again in {wait:g} s")
            self._retry = self.create_timer(
                wait,
                lambda: self._begin(min(2 * wait, _LONGEST_RETRY_S)),
                callback_group=self._group,
                clock=Clock(clock_type=ClockType.STEADY_TIME),
            )

    def _stop_retrying(self) -> None:
        """Start by itself no more: somebody configures the node, or it ends."""
        if self._retry:
            self.destroy_timer(self._retry)
        self._retry = None

    def _spec_for_sliders(self) -> Spec:
        try:
            return load_spec(_path(self.spec_path, "clara_spec.json"))
        except SpecError:
            # Configure reads the file again and fails with the reason; until then the shipped one
            # stands in.
            self.spec_path = ""
            return load_spec(parameters.shipped("clara_spec.json"))

    def system_prompt(self) -> str:
        """Return what the prompt says of the personality as it stands."""
        silent = self.adapters.silent(parameters.personality_by(self)) if self.adapters else ()
        return parameters.persona(self, silent)

    def _open_skills(self, given: str) -> None:
        self.skills_path = str(Path(os.path.expanduser(given))) if given else ""
        skills = load_skills(self.skills_path) if given else ()
        self.targets.open(skills)
        self.skills = skills

    def _open_state(self, path: str) -> None:
        """Take the folder of this node; without it nothing is kept."""
        if not path:
            return
        own = self.get_fully_qualified_name().strip("/").replace("/", ".")
        try:
            self._state_folder = StateFolder(Path(os.path.expanduser(path)) / own)
        except StateError as error:
            self.get_logger().warning(f"conversations, sliders and KV cache are not kept: {error}")

    def _find_sliders(self) -> None:
        """Move the sliders to where they were left."""
        if not self._state_folder:
            return
        path = self._state_folder.sliders
        if left := self._kept_sliders.open(path, self.spec_path, self.spec.values):
            found = ", ".join(f"{name} {value:g}" for name, value in left.items())
            self.get_logger().info(f"sliders as they were left: {found}")

    def _load(self, settings: BrainSettings) -> None:
        if settings.backend == "openai":
            self._reach_server(settings)
        else:
            self._load_weights(settings)
        assert self.engine is not None
        if self.skills and (refusal := self.engine.refuse_grammar()):
            raise SkillFileError(f"skills cannot be used: {refusal}")
        folder = self._state_folder
        kept = settings.max_sessions, settings.max_turns
        try:
            store = SessionStore(folder.sessions, self.engine.heads_sha256) if folder else None
            self.sessions = Sessions(self._now, *kept, store)
        except StateError as error:
            self.get_logger().warning(f"conversations are not kept: {error}")
            self.sessions = Sessions(self._now, *kept)
        self._health.engine, self._health.sessions = self.engine, self.sessions

    def _load_weights(self, settings: BrainSettings) -> None:
        given = settings.model
        path = Path(os.path.expanduser(given)) if given else model_info.default_model()
        folder = self._state_folder
        cache = folder.cache if folder and settings.engine.cache_bytes else None
        if given:  # the model that ships is known to be sound
            probe(path, folder.sound_models if folder else None)
        given = settings.governance_path
        heads = Path(os.path.expanduser(given)) if given else governance_file.beside(path)
        self.engine = engine = Engine(
            path,
            replace(settings.engine, cache_path=cache),
            heads,
            unproven_heads=settings.governance_unproven,
        )
        if engine.no_heads:
            self.get_logger().error(f"the model is served without read-outs: {engine.no_heads}")
        elif heads:
            self.get_logger().info(f"governance heads: {engine.readouts}")
        if engine.continues_text:
            self.get_logger().warning(
                f"{path.name} continues a text: it has learned no conversation, so it is shown"
                " neither the personality nor memory, and does not choose skills"
            )
        merged = model_info.merged_strengths(engine.header)
        self.adapters = Adapters(engine, merged, self.spec.values)
        folder_given = settings.adapters_path
        adapters = Path(os.path.expanduser(folder_given)) if folder_given else beside(path)
        if adapters and not adapters.is_dir():
            raise AdapterError(f"adapters_path: there is no folder {adapters}")
        if adapters and (names := self.adapters.load_folder(adapters)):
            self.get_logger().info(f"adapters of {adapters}: {', '.join(names)}")
            self._bound_together(adapters)

    def _bound_together(self, folder: Path) -> None:
        assert self.adapters is not None
        try:
            together = read_together(folder)
            if together:
                self.adapters.bound_together(together)
        except AdapterError as error:
            self.get_logger().error(str(error))

    def _reach_server(self, settings: BrainSettings) -> None:
        if settings.governance_path:
            raise GovernanceError(
                "governance_path is for the backend llama_cpp: a server does not give the hidden"
                " states that governance heads read"
            )
        if settings.adapters_path:
            raise AdapterError(
                "adapters_path is for the backend llama_cpp: a server has the adapters that it was"
                " started with (llama-server --lora FILE)"
            )
        self.engine = OpenAIBackend(settings.server, settings.engine)
        self.adapters = Adapters(self.engine, sliders=self.spec.values)
        if names := self.adapters.load_served():
            self.get_logger().info(f"adapters of the server: {', '.join(names)}")

    def _configure_spec(self, path: str) -> None:
        spec = load_spec(_path(path, "clara_spec.json"))
        parameters.declare_sliders(self, spec)
        if path != self.spec_path:
            parameters.set_sliders(self, spec.values)
        self.spec, self.spec_path = spec, path

    def _stop_turns(self) -> None:
        self._speech.stop()
        self._desk.close()
        self.targets.cancel_all("Clara was stopped")

    def _unload(self) -> None:
        self.targets.close()
        self._state_topics.close()
        self.skills = None
        engine, self.engine = self.engine, None
        self._health.engine = self._health.sessions = self.adapters = None
        if self.sessions:
            self.sessions.close()
        self.sessions = None
        self.no_model = _NO_MODEL
        if engine:
            engine.close()
        self._kept_sliders.close()
        if self._state_folder:
            self._state_folder.close()
        self._state_folder = None

    def _look_at_model(self, engine: Backend, promise: RosPromise | None = None) -> None:
        def look() -> None:
            answer: object
            try:
                answer = engine.model_info()
            except ModelError as error:
                answer = error
            if promise:
                promise.resolve(answer)

        threading.Thread(target=look, name="hash", daemon=True).start()

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds / 1e9)

    def _reached(self, state: str) -> TransitionCallbackReturn:
        self._health.state, self._health.fault = state, ""
        return TransitionCallbackReturn.SUCCESS

    def _failure(self, reason: str, wanted: str = "configure") -> TransitionCallbackReturn:
        self.get_logger().error(f"cannot {wanted}: {reason}")
        self._health.fault = reason
        return TransitionCallbackReturn.FAILURE


def _path(given: str, shipped: str) -> Path:
    return Path(os.path.expanduser(given)) if given else parameters.shipped(shipped)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then stop in order."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = BrainNode()
    except (ParameterException, QosError) as error:
        print(f"brain_node: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    asked: Future = Future()
    # A guard condition is work, so that `spin_once` returns for it.
    watching = resolve_on_signals(asked, node.create_guard_condition(lambda: None))
    try:
        # `spin_until_future_complete` would hang one more callback on the future for each message.
        while not asked.done():
            executor.spin_once()
        watching.join()  # it wakes the executor, which must still be there then
        for number in (signal.SIGINT, signal.SIGTERM):
            # Python's handlers go before the process does; a second signal must not kill it then.
            signal.signal(number, signal.SIG_IGN)
        node.stop()
        end = time.monotonic() + _LAST_ANSWERS_S
        while not node.idle and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
