# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 topic`: list, describe, print and publish topics."""

from __future__ import annotations

import argparse
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from ros2_on_pip.discovery import FIND_S, Direct, add_discovery_arguments, shown
from ros2_on_pip.yaml_messages import fill, load, parse, to_yaml

RELIABILITIES = ("system_default", "reliable", "best_effort")
DURABILITIES = ("system_default", "transient_local", "volatile")
Number = TypeVar("Number", int, float)


def above(limit: int, kind: type[Number]) -> Callable[[str], Number]:
    """Return the type of an argument that is a number above `limit`."""

    def convert(text: str) -> Number:
        value = kind(text)
        if not value > limit:
            raise argparse.ArgumentTypeError(f"value must be above {limit}")
        return value

    convert.__name__ = kind.__name__
    return convert


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of available topics")
    listing.add_argument("-t", "--show-types", action="store_true", help="Show the type too")
    listing.add_argument("-c", "--count-topics", action="store_true", help="Only their number")
    listing.add_argument("-v", "--verbose", action="store_true", help="By who talks and who hears")
    listing.set_defaults(main=main_list)
    kind = verbs.add_parser("type", help="Print a topic's type")
    kind.add_argument("topic_name", help="Name of the ROS topic")
    kind.set_defaults(main=main_type)
    find = verbs.add_parser("find", help="Output a list of available topics of a given type")
    find.add_argument("topic_type", help="Name of the ROS message type")
    find.add_argument("-c", "--count-topics", action="store_true", help="Only their number")
    find.set_defaults(main=main_find)
    for one in (listing, kind, find):
        one.add_argument(
            "-a", "--include-hidden-topics", action="store_true", help="Hidden ones too"
        )
        add_discovery_arguments(one)
    info = verbs.add_parser("info", help="Print information about a topic")
    info.add_argument("topic_name", help="Name of the ROS topic")
    info.add_argument("-v", "--verbose", action="store_true", help="Nodes and QoS profiles too")
    add_discovery_arguments(info)
    info.set_defaults(main=main_info)
    echo = verbs.add_parser("echo", help="Output messages from a topic")
    echo.add_argument("topic_name", help="Name of the ROS topic to listen to")
    echo.add_argument("message_type", nargs="?", help="Type of the ROS message")
    echo.add_argument("--once", action="store_true", help="Print the first message and exit")
    echo.add_argument("--timeout", type=above(0, float), metavar="N", help="Exit after N seconds")
    echo.add_argument("--field", metavar="FIELD", help="Print only this field, as header.stamp")
    echo.add_argument("--no-arr", action="store_true", help="Don't print array fields of messages")
    echo.add_argument("--flow-style", action="store_true", help="Print lists in a line")
    echo.add_argument(
        *("-l", "--truncate-length"),
        type=above(-1, int),
        default=128,
        help="Length to cut strings and arrays at",
    )
    echo.add_argument("-f", "--full-length", action="store_true", help="Cut nothing")
    add_discovery_arguments(echo)
    echo.set_defaults(main=main_echo)
    hz = verbs.add_parser("hz", help="Print the average receiving rate to screen")
    hz.add_argument("topic_name", help="Name of the ROS topic to listen to")
    hz.add_argument(
        "-w", "--window", type=above(0, int), default=10000, help="Gaps to average over"
    )
    add_discovery_arguments(hz)
    hz.set_defaults(main=main_hz)
    pub = verbs.add_parser("pub", help="Publish a message to a topic")
    pub.add_argument("topic_name", help="Name of the ROS topic to publish to")
    pub.add_argument("message_type", help="Type of the ROS message")
    pub.add_argument("values", nargs="?", default="{}", help="Values of the message in YAML")
    pub.add_argument(
        *("-r", "--rate"),
        type=above(0, float),
        default=1.0,
        metavar="N",
        help="Hz (default: 1)",
    )
    pub.add_argument("-p", "--print", type=int, default=1, metavar="N", help="Print every N-th")
    times = pub.add_mutually_exclusive_group()
    times.add_argument("-1", "--once", action="store_true", help="Publish one message and exit")
    times.add_argument(
        "-t", "--times", type=above(-1, int), default=0, help="Publish this many and exit"
    )
    pub.add_argument(
        "-w",
        "--wait-matching-subscriptions",
        type=above(-1, int),
        help="Subscriptions to wait for",
    )
    pub.add_argument(
        "--max-wait-time-secs", type=above(0, float), help="Longest wait for subscriptions"
    )
    pub.add_argument(
        "--keep-alive",
        type=above(0, float),
        default=0.1,
        metavar="N",
        help="Seconds after the last",
    )
    pub.add_argument("-n", "--node-name", help="Name of the created publishing node")
    pub.set_defaults(main=main_pub)
    for one in (echo, hz, pub):
        one.add_argument("--qos-reliability", choices=RELIABILITIES, help="Quality of service")
        one.add_argument("--qos-durability", choices=DURABILITIES, help="Quality of service")
        one.add_argument("--qos-depth", type=int, metavar="N", help="Queue size")


def topics(direct: Direct, *, hidden: bool) -> list[tuple[str, list[str]]]:
    """Return names and types."""
    found = direct.node.get_topic_names_and_types()
    return [(name, types) for name, types in found if shown(name, hidden=hidden)]


def full_name(direct: Direct, name: str) -> str:
    """Return an absolute topic name; raises ValueError when it is not valid."""
    from rclpy.exceptions import NameValidationException
    from rclpy.expand_topic_name import expand_topic_name
    from rclpy.validate_full_topic_name import validate_full_topic_name

    try:
        full = str(expand_topic_name(name, direct.node.get_name(), "/"))
        validate_full_topic_name(full)
    except NameValidationException as error:
        raise ValueError(str(error)) from None
    return full


def main_list(args: argparse.Namespace) -> None:
    """Print all topics."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        found = topics(direct, hidden=args.include_hidden_topics)
        ends = {
            ("Published", "publisher"): [direct.node.count_publishers(name) for name, _ in found],
            ("Subscribed", "subscriber"): [
                direct.node.count_subscribers(name) for name, _ in found
            ],
        }
    if args.count_topics:
        print(len(found))
        return
    if args.verbose:
        for (title, word), counts in ends.items() if found else ():
            print(f"{title} topics:")
            for (name, types), count in zip(found, counts, strict=True):
                if count:
                    print(f" * {name} [{', '.join(types)}] {count} {word}{'s'[: count > 1]}")
            print()
        return
    for name, types in found:
        print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def main_type(args: argparse.Namespace) -> int | None:
    """Print a topic's type."""
    with Direct(args.spin_time) as direct:
        name = full_name(direct, args.topic_name)
        found = direct.wait(lambda: dict(topics(direct, hidden=True)).get(name), FIND_S)
    if not found:
        return 1
    print("\n".join(found))
    return None


def main_find(args: argparse.Namespace) -> None:
    """Print the topics of a type."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        found = topics(direct, hidden=args.include_hidden_topics)
    names = [name for name, types in found if args.topic_type in types]
    print(len(names) if args.count_topics else "\n".join(names))


def main_info(args: argparse.Namespace) -> str | None:
    """Print a topic's type and ends."""
    with Direct(args.spin_time) as direct:
        name = full_name(direct, args.topic_name)
        types = direct.wait(lambda: dict(topics(direct, hidden=True)).get(name), FIND_S)
        if not types:
            return f"Unknown topic '{args.topic_name}'"
        direct.settle()
        publishers = direct.node.get_publishers_info_by_topic(name)
        subscriptions = direct.node.get_subscriptions_info_by_topic(name)
    print(f"Type: {types[0] if len(types) == 1 else types}")
    for title, ends in (("Publisher", publishers), ("Subscription", subscriptions)):
        gap = "\n" if args.verbose else ""
        print(f"{gap}{title} count: {len(ends)}")
        if args.verbose:
            for end in ends:
                print(f"\n{end}")
    if args.verbose:
        print()
    return None


def profile(args: argparse.Namespace, direct: Direct, name: str | None) -> Any:
    """Return the QoS asked for; where nothing is said, one that all publishers of a topic fit."""
    from rclpy.qos import (
        DurabilityPolicy,
        QoSDurabilityPolicy,
        QoSProfile,
        QoSReliabilityPolicy,
        ReliabilityPolicy,
    )

    qos = QoSProfile(depth=args.qos_depth or 10)
    ends = direct.node.get_publishers_info_by_topic(name) if name else []
    if ends:
        reliable = all(end.qos_profile.reliability == ReliabilityPolicy.RELIABLE for end in ends)
        latched = all(
            end.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for end in ends
        )
        qos.reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        if latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    if args.qos_reliability:
        qos.reliability = QoSReliabilityPolicy[args.qos_reliability.upper()]
    if args.qos_durability:
        qos.durability = QoSDurabilityPolicy[args.qos_durability.upper()]
    return qos


def main_echo(args: argparse.Namespace) -> str | None:
    """Print what comes on a topic."""
    with Direct(args.spin_time) as direct:
        name = full_name(direct, args.topic_name)
        kind_name = args.message_type
        if kind_name is None:
            types = direct.wait(lambda: dict(topics(direct, hidden=True)).get(name), FIND_S)
            if not types:
                print(f"WARNING: topic [{args.topic_name}] does not appear to be published yet")
                return "Could not determine the type for the passed topic"
            if len(types) > 1:
                return f"Cannot echo topic '{name}', as it contains more than one type: {types}"
            kind_name = types[0]
        kind = load(kind_name, "msg")
        longest = None if args.full_length else args.truncate_length
        printed = []

        def show(message: Any) -> None:
            part = field(message, args.field) if args.field else message
            if hasattr(part, "get_fields_and_field_types"):
                text = to_yaml(part, flow=args.flow_style, arrays=not args.no_arr, longest=longest)
            else:
                text = f"{part}\n"
            print(text + "---", flush=True)
            printed.append(True)

        direct.wait(lambda: direct.node.count_publishers(name), 1.0)
        direct.node.create_subscription(kind, name, show, profile(args, direct, name))
        direct.wait(lambda: args.once and printed, args.timeout)
    return None


def field(message: Any, path: str) -> Any:
    """Return what is at `path`, as header.stamp; raises RuntimeError where there is none."""
    try:
        for part in filter(None, path.split(".")):
            message = getattr(message, part)
    except AttributeError as error:
        raise RuntimeError(f"Invalid field '{path}': {error}") from None
    return message


def main_hz(args: argparse.Namespace) -> str | None:
    """Print the rate of a topic once a second."""
    with Direct(args.spin_time) as direct:
        name = full_name(direct, args.topic_name)
        types = direct.wait(lambda: dict(topics(direct, hidden=True)).get(name), FIND_S)
        if not types:
            return f"WARNING: topic [{args.topic_name}] does not appear to be published yet"
        rate = Rate(args.window)
        qos = profile(args, direct, name)
        direct.node.create_subscription(load(types[0], "msg"), name, rate.heard, qos)
        while True:
            direct.wait(lambda: False, 1.0)
            line = rate.line()
            if line:
                print(line, flush=True)


class Rate:
    """How often messages come, over the latest `window` gaps between them."""

    def __init__(self, window: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=window + 1)
        self._new = False

    def heard(self, _message: Any) -> None:
        """Note that a message came now."""
        self._times.append(self._clock())
        self._new = True

    def line(self) -> str | None:
        """Return what to print; None where nothing came since the last time."""
        new, self._new = self._new, False
        gaps = [after - before for before, after in itertools.pairwise(self._times)]
        if not gaps or not new:
            return None
        mean = sum(gaps) / len(gaps)
        spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
        return (
            f"average rate: {1 / mean:.3f}\n\tmin: {min(gaps):.3f}s max: {max(gaps):.3f}s "
            f"std dev: {spread:.5f}s window: {len(gaps)}"
        )


def main_pub(args: argparse.Namespace) -> str | None:
    """Publish a message, once, some times or for ever."""
    kind = load(args.message_type, "msg")
    message = kind()
    stamps: list[Callable[[Any], None]] = []
    fill(message, parse(args.values), stamps)
    with Direct(name=args.node_name) as direct:
        publisher = direct.node.create_publisher(
            kind, full_name(direct, args.topic_name), profile(args, direct, None)
        )
        times = 1 if args.once else args.times
        wanted = args.wait_matching_subscriptions
        if wanted is None:
            wanted = 1 if times else 0
        began = time.monotonic()
        said = 0.0
        while publisher.get_subscription_count() < wanted:
            limit = args.max_wait_time_secs
            if limit is not None and time.monotonic() - began > limit:
                return (
                    f"Timed out waiting for subscribers: Expected {wanted} subscribers but found 0"
                )
            if time.monotonic() - said >= 1.0:
                print(f"Waiting for at least {wanted} matching subscription(s)...", flush=True)
                said = time.monotonic()
            direct.spin(0.02)
        print("publisher: beginning loop", flush=True)
        count = 0
        while not times or count < times:
            for stamp in stamps:
                stamp(direct.node.get_clock().now().to_msg())
            count += 1
            if args.print and count % args.print == 0:
                print(f"publishing #{count}: {message!r}\n", flush=True)
            publisher.publish(message)
            if not times or count < times:
                direct.wait(lambda: False, 1.0 / args.rate)
        publisher.wait_for_all_acked()
        direct.wait(lambda: False, args.keep_alive)
    return None
