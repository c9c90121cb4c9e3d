# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Events and results from a bag that `ros2 bag record` wrote (MCAP), to rebuild a memory from.

The messages come in the order and with the times at which they were recorded, and what waits too
long is given up at the time when the node would have; ids of episodes depend on robot, action_id
and start only. So the rebuilt memory equals the one that watched, where messages are stamped.
Needs no ROS, only the packages `mcap` and `mcap-ros2-support`.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from clara_memory.episode import Kind, Outcome, RoleFiller
from clara_memory.errors import InvalidRequest, MemoryFault
from clara_memory.memory import EpisodicMemory
from clara_memory.messages import Event, Result, check_event, check_result
from clara_memory.pairing import PairingSettings

_EVENT = "clara_interfaces/msg/ActionEvent"
_RESULT = "clara_interfaces/msg/ActionResult"
_ANSWERS = ("action_event", "action_result")
_BATCH = 1000
# Messages of one batch are so near in time that none can fall due within it.
_SPAN_NS = int(min(PairingSettings().result_timeout_s, PairingSettings().event_timeout_s) * 1e9)


def read_bag(path: Path) -> Iterator[tuple[int, Event | Result]]:
    """Yield time of recording in ns and message, for every event and result of an MCAP file.

    Of a folder that `ros2 bag record` made, its MCAP files are read in order. Topics count by
    their last part, so any namespace will do. Messages that are not valid are left out, as the
    node leaves them out.

    Raises:
        InvalidRequest: there is no such bag, or it is damaged.
        MemoryFault: the packages that read bags are not installed.
    """
    try:
        from mcap.exceptions import McapError
        from mcap_ros2.reader import read_ros2_messages
    except ImportError as error:
        raise MemoryFault(
            f"reading a bag needs mcap and mcap-ros2-support ({error}): "
            "pip install mcap mcap-ros2-support"
        ) from error
    files = sorted(path.glob("*.mcap"), key=_number) if path.is_dir() else [path]
    if not files:
        raise InvalidRequest("bag", f"{path} holds no .mcap file")
    for file in files:
        try:
            for read in read_ros2_messages(str(file)):
                if read.channel.topic.rsplit("/", 1)[-1] not in _ANSWERS:
                    continue
                made = _message(read.schema.name, read.ros_msg)
                if made is not None:
                    yield int(read.log_time_ns), made
        except OSError as error:
            raise InvalidRequest("bag", f"{file} cannot be read: {error.strerror}") from error
        except McapError as error:
            raise InvalidRequest("bag", f"{file} is damaged or no MCAP file: {error}") from error


def _number(file: Path) -> tuple[str, int]:
    """Return a key that sorts the parts of a bag as they were recorded: _2 before _10."""
    name = file.stem.rstrip("0123456789")
    return name, int(file.stem[len(name) :] or 0)


def replay(
    memory: EpisodicMemory,
    arrived: Iterable[tuple[int, Event | Result]],
    progress: Callable[[int], None],
) -> int:
    """Have a memory live through what was recorded; returns how many messages there were.

    `progress` is called with how many were taken in so far. The memory waits as long as a node
    with the default settings.

    Raises:
        StorageFailed: the disk refused.
    """
    batch: list[tuple[int, Event | Result]] = []
    count = 0

    def take() -> None:
        memory.record_arrived(batch)
        batch.clear()
        progress(count)

    for moment, message in arrived:
        if len(batch) == _BATCH or (batch and moment - batch[0][0] >= _SPAN_NS):
            take()
        if memory.overdue(moment):
            take()
            memory.expire(moment)
        batch.append((moment, message))
        count += 1
    take()
    return count


def _message(kind: str, message: Any) -> Event | Result | None:
    stamp = message.header.stamp
    stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
    try:
        if kind == _EVENT:
            event = Event(
                action_id=message.action_id,
                action=message.action,
                subject=message.subject,
                object=message.object,
                start_ns=stamp_ns,
                context=_fillers(message.context),
            )
            check_event(event)
            return event
        if kind == _RESULT:
            result = Result(
                action_id=message.action_id,
                outcome=Outcome(message.outcome),
                end_ns=stamp_ns,
                detail=message.detail,
                effects=_fillers(message.effects),
            )
            check_result(result)
            return result
    except (InvalidRequest, ValueError):
        return None
    return None


def _fillers(messages: Any) -> tuple[RoleFiller, ...]:
    return tuple(
        RoleFiller(one.role, one.filler, Kind(one.kind), tuple(map(float, one.values)))
        for one in messages
    )
