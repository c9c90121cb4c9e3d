# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node `memory`: the thin room where ROS comes in.

The file opens in configure; events are taken and questions answered while active. One executor
thread runs all callbacks; the recorder's thread does all writing, so no query waits for a disk.
"""

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.guard_condition import GuardCondition
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.task import Future

from clara_interfaces.msg import ActionEvent, ActionResult, Match
from clara_interfaces.msg import Episode as EpisodeMessage
from clara_memory import conversions, parameters
from clara_memory.action_watcher import ActionWatcher, parse_watched
from clara_memory.diagnostics import Diagnostics, Health
from clara_memory.episode import Episode
from clara_memory.errors import InvalidRequest, MeaningUnavailable, MemoryFault
from clara_memory.meaning import Embedder, wordllama_embedder
from clara_memory.memory import EpisodicMemory
from clara_memory.messages import Event, Result, check_event, check_result
from clara_memory.patterns import Pattern, parse
from clara_memory.recorder import Recorder
from clara_memory.services import LOG_THROTTLE_S, Services, Shared
from clara_memory.settings import MemorySettings

# Reliable, keep-last, unless parameters as qos_overrides./clara/action_event.* say otherwise.
DEPTH = 1000
LAST_ANSWERS_S = 1.0


class MemoryNode(LifecycleNode):  # type: ignore[misc]
    """Remembers what the robot does, and answers questions about it."""

    # rclpy destroys what is left at its shutdown (from Kilted on), also a node that a wrong
    # parameter stopped half-way.
    _complete = False

    def __init__(self, **options: Any) -> None:
        super().__init__("memory", **options)
        parameters.declare(self)
        self._settings = MemorySettings()
        self._shared = Shared()
        self._subscriptions_made: list[Subscription] = []
        self._watchers: list[ActionWatcher] = []
        self._patterns: list[Pattern] = []
        overrides = QoSOverridingOptions.with_default_policies()
        self._episodes = self.create_publisher(
            EpisodeMessage, "memory/episodes", DEPTH, qos_overriding_options=overrides
        )
        self._matches = self.create_publisher(
            Match, "memory/match", DEPTH, qos_overriding_options=overrides
        )
        self._memory_services = Services(self, self._shared, self._tell)
        self._diagnostics = Diagnostics(self, self._health)
        if self.get_parameter("autostart").value:
            # A guard condition runs once something spins, under any executor and any clock.
            self._start = self.create_guard_condition(self._autostart)
            self._start.trigger()
        self._complete = True

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the file; FAILURE with a sentence where that cannot be done."""
        try:
            self._settings = parameters.read(self)
            self._patterns = [
                parse("match_patterns", written) for written in self._settings.match_patterns
            ]
            self._shared.memory = EpisodicMemory(
                self._settings.memory_path,
                robot=self._settings.robot,
                pairing=self._settings.pairing,
                bounds=self._settings.bounds,
                meaning=self._embedder(),
                damaged=self._on_damaged,
            )
        except MemoryFault as error:
            self._shared.fault = self._shared.last_error = str(error)
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        if self._shared.memory.set_aside is not None:
            self._shared.last_error = (
                f"{self._settings.memory_path} was damaged: it was set aside whole as "
                f"{self._shared.memory.set_aside}, and an empty memory begun"
            )
            self.get_logger().error(self._shared.last_error)
        self.get_logger().info(
            f"opened {self._settings.memory_path} with {len(self._shared.memory):,} episodes"
        )
        return self._reached("inactive")

    def _on_damaged(self, row: str) -> None:
        self._shared.last_error = f"a damaged episode is left out: {row}"
        self.get_logger().error(self._shared.last_error, throttle_duration_sec=LOG_THROTTLE_S)

    def _embedder(self) -> Embedder | None:
        wanted = self._settings.meaning
        if wanted == "off":
            return None
        try:
            return wordllama_embedder()
        except MeaningUnavailable as error:
            if wanted == "on":
                raise
            self.get_logger().info(f"remembers without synonyms: {error}")
            return None

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take events and results, and answer questions."""
        assert self._shared.memory is not None
        self._shared.memory.reset_counts()
        self._shared.rejected = 0
        self._shared.recorder = Recorder(
            self._shared.memory, self._settings.recorder, self._now_ns, self._publish
        )
        try:
            self._listen()
        except (ParameterException, RuntimeError) as error:
            self._stop_recording()
            self._shared.fault = self._shared.last_error = str(error)
            self.get_logger().error(f"cannot activate: {error}")
            return TransitionCallbackReturn.FAILURE
        self._watchers = [
            ActionWatcher(
                self,
                parse_watched("watched_actions", written),
                self._offer,
                self._awaits,
                self._now_ns,
            )
            for written in self._settings.watched_actions
        ]
        super().on_activate(state)
        self.get_logger().info("active: remembers 'action_event' and 'action_result'")
        return self._reached("active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take nothing more, and write what has been taken."""
        self._stop_recording()
        super().on_deactivate(state)
        return self._reached("inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the file."""
        self._close()
        return self._reached("unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Write what has been taken and close the file, whatever the state was."""
        self._close()
        return self._reached("finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a fault nobody foresaw."""
        self._close()
        return self._reached("unconfigured")

    def destroy_node(self) -> None:
        """Write what has been taken and close the file, then take the node down."""
        if self._complete:
            self._memory_services.stop()
            self._close()
        super().destroy_node()

    def stop(self) -> None:
        """Refuse new work and write what has been taken."""
        self._stop_recording()

    @property
    def idle(self) -> bool:
        """Whether nobody waits for the answer to a store."""
        return self._memory_services.idle

    def _listen(self) -> None:
        overrides = QoSOverridingOptions.with_default_policies()
        for kind, topic, take in (
            (ActionEvent, "action_event", self._on_event),
            (ActionResult, "action_result", self._on_result),
        ):
            self._subscriptions_made.append(
                self.create_subscription(
                    kind, topic, take, DEPTH, qos_overriding_options=overrides
                )
            )

    def _autostart(self) -> None:
        self.destroy_guard_condition(self._start)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _reached(self, state: str) -> TransitionCallbackReturn:
        self._shared.state, self._shared.fault = state, ""
        return TransitionCallbackReturn.SUCCESS

    def _stop_recording(self) -> None:
        for watcher in self._watchers:
            watcher.stop()
        self._watchers = []
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        recorder, self._shared.recorder = self._shared.recorder, None
        if recorder is not None:
            lost = recorder.stop()
            if lost:
                self._shared.last_error = f"{lost} messages could not be written: {recorder.fault}"
                self.get_logger().error(self._shared.last_error)

    def _close(self) -> None:
        self._stop_recording()
        memory, self._shared.memory = self._shared.memory, None
        if memory is not None:
            memory.close()

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_event(self, message: ActionEvent) -> None:
        self._take(message, conversions.event, check_event)

    def _on_result(self, message: ActionResult) -> None:
        self._take(message, conversions.result, check_result)

    def _take(
        self,
        message: Any,
        convert: Callable[[Any], Event | Result],
        check: Callable[[Any], None],
    ) -> None:
        if self._shared.recorder is None:
            return  # deactivated while this message was on its way to the callback
        try:
            converted = convert(message)
            check(converted)
        except InvalidRequest as error:
            self._shared.rejected += 1
            self._shared.last_error = (
                f"{type(message).__name__} {message.action_id[:40]!r}: {error}"
            )
            self.get_logger().warning(
                f"rejected {self._shared.last_error}", throttle_duration_sec=LOG_THROTTLE_S
            )
            return
        self._offer(converted)

    def _offer(self, message: Event | Result) -> None:
        if self._shared.recorder is not None and not self._shared.recorder.offer(message):
            self._shared.last_error = (
                f"the queue is full ({self._settings.recorder.queue_size}): messages are dropped"
            )
            self.get_logger().error(self._shared.last_error, throttle_duration_sec=LOG_THROTTLE_S)

    def _awaits(self, action_id: str) -> bool:
        if self._shared.memory is None:
            return False
        try:
            return self._shared.memory.awaits(action_id)
        except MemoryFault as error:
            self._shared.last_error = str(error)
            self.get_logger().error(self._shared.last_error, throttle_duration_sec=LOG_THROTTLE_S)
            return False

    def _tell(self, corrected: Episode) -> None:
        # It fits no pattern: who waits for one waits for what happens.
        self._episodes.publish(conversions.episode_message(corrected))

    def _publish(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            message = conversions.episode_message(episode)
            self._episodes.publish(message)
            for pattern in self._patterns:
                if pattern.fits(episode):
                    self._matches.publish(Match(pattern=pattern.written, episode=message))

    def _health(self) -> Health:
        recorder, memory = self._shared.recorder, self._shared.memory
        disk = recorder.fault if recorder is not None else ""
        self._shared.last_error = disk or self._shared.last_error
        return Health(
            state=self._shared.state,
            fault=self._shared.fault or disk,
            last_error=self._shared.last_error,
            episodes=len(memory) if memory is not None else 0,
            pending=memory.pending if memory is not None else 0,
            queued=recorder.queued if recorder is not None else 0,
            dropped=recorder.dropped if recorder is not None else 0,
            rejected=self._shared.rejected,
            forgotten=memory.forgotten if memory is not None else 0,
            bytes=memory.bytes_on_disk if memory is not None else 0,
            last_commit_age_s=(
                time.monotonic() - recorder.committed_at
                if recorder is not None and recorder.committed_at
                else None
            ),
            last_commit_s=recorder.commit_s if recorder is not None else 0.0,
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then stop in order."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = MemoryNode()
    except (ParameterException, RuntimeError) as error:  # the latter: a QoS override that is none
        print(f"memory_node: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    asked: Future = Future()
    # A guard condition is work, so that `spin_once` returns for it.
    watching = _resolve_on_signals(asked, node.create_guard_condition(lambda: None))
    try:
        # `spin_until_future_complete` would hang one more callback on the future for each message.
        while not asked.done():
            executor.spin_once()
        watching.join()  # it wakes the executor, which must still be there then
        for number in (signal.SIGINT, signal.SIGTERM):
            # Python's handlers go before the process does; a second signal must not kill it then.
            signal.signal(number, signal.SIG_IGN)
        node.stop()
        # Whoever waits for a store that was just written still gets the answer.
        end = time.monotonic() + LAST_ANSWERS_S
        while not node.idle and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _resolve_on_signals(asked: Future, wake: GuardCondition) -> threading.Thread:
    """Complete the future at SIGINT or SIGTERM, also while the main thread waits inside DDS."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # Python runs its handlers between bytecodes only; the wakeup descriptor is written at once.
    signal.set_wakeup_fd(writer.fileno())

    def wait() -> None:
        reader.recv(1)
        asked.set_result((reader, writer))  # both ends stay open for a second signal
        wake.trigger()

    watching = threading.Thread(target=wait, name="signals", daemon=True)
    watching.start()
    return watching


if __name__ == "__main__":
    sys.exit(main())
