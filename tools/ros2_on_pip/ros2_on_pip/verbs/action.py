# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 action`: list actions and send goals."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from ros2_on_pip.discovery import FIND_S, Direct, add_discovery_arguments
from ros2_on_pip.yaml_messages import fill, load, parse, to_yaml

STATUSES = (
    *("UNKNOWN", "ACCEPTED", "EXECUTING", "CANCELING"),
    *("SUCCEEDED", "CANCELED", "ABORTED"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of action names")
    listing.add_argument("-t", "--show-types", action="store_true", help="Show the type too")
    listing.add_argument("-c", "--count-actions", action="store_true", help="Only their number")
    add_discovery_arguments(listing)
    listing.set_defaults(main=main_list)
    info = verbs.add_parser("info", help="Print information about an action")
    info.add_argument("action_name", help="Name of the ROS action")
    info.add_argument("-t", "--show-types", action="store_true", help="Show the type too")
    info.add_argument("-c", "--count", action="store_true", help="Only the numbers")
    add_discovery_arguments(info)
    info.set_defaults(main=main_info)
    kind = verbs.add_parser("type", help="Print an action's type")
    kind.add_argument("action_name", help="Name of the ROS action")
    add_discovery_arguments(kind)
    kind.set_defaults(main=main_type)
    send = verbs.add_parser("send_goal", help="Send an action goal")
    send.add_argument("action_name", help="Name of the ROS action")
    send.add_argument("action_type", help="Type of the ROS action")
    send.add_argument("goal", nargs="?", default="{}", help="Goal request values in YAML format")
    send.add_argument("-f", "--feedback", action="store_true", help="Echo feedback messages")
    send.add_argument(
        "-t", "--timeout", type=float, metavar="N", help="Wait for N seconds at most"
    )
    send.set_defaults(main=main_send_goal)


def actions(direct: Direct) -> dict[str, list[str]]:
    """Return names and types of the actions that are served."""
    suffix = "/_action/status"
    types = dict(direct.node.get_topic_names_and_types())
    found = {}
    for name in types:
        if name.endswith(suffix):
            base = name.removesuffix(suffix)
            feedback = types.get(f"{base}/_action/feedback", [])
            found[base] = [kind.removesuffix("_FeedbackMessage") for kind in feedback]
    return found


def main_list(args: argparse.Namespace) -> None:
    """Print all actions."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        found = actions(direct)
    if args.count_actions:
        print(len(found))
        return
    for name, types in sorted(found.items()):
        print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def main_type(args: argparse.Namespace) -> str | None:
    """Print an action's type."""
    with Direct(args.spin_time) as direct:
        found = direct.wait(lambda: actions(direct).get(args.action_name), FIND_S)
    if not found:
        return f"Action '{args.action_name}' not found"
    print("\n".join(found))
    return None


def main_info(args: argparse.Namespace) -> None:
    """Print the nodes that serve and use an action."""
    with Direct(args.spin_time) as direct:
        direct.wait(lambda: args.action_name in actions(direct), FIND_S)
        direct.settle()
        kinds = actions(direct).get(args.action_name, [])
        base = f"{args.action_name}/_action/feedback"
        ends = {
            "clients": direct.node.get_subscriptions_info_by_topic(base),
            "servers": direct.node.get_publishers_info_by_topic(base),
        }
    print(f"Action: {args.action_name}")
    for title, found in ends.items():
        print(f"Action {title}: {len(found)}")
        for end in found if not args.count else []:
            name = f"{end.node_namespace.rstrip('/')}/{end.node_name}"
            print(f"    {name} [{', '.join(kinds)}]" if args.show_types else f"    {name}")


def main_send_goal(args: argparse.Namespace) -> int | str | None:
    """Send a goal, print feedback and result; Ctrl-C cancels the goal."""
    from rclpy.action import ActionClient

    kind = load(args.action_type, "action")
    goal = kind.Goal()
    fill(goal, parse(args.goal), failure="Failed to populate message fields: {!r}")
    with Direct() as direct:
        client = ActionClient(direct.node, kind, args.action_name)
        print("Waiting for an action server to become available...", flush=True)
        direct.wait(client.server_is_ready, None)
        print(f"Sending goal:\n     {to_yaml(goal)}", flush=True)

        def show(message: Any) -> None:
            print(f"Feedback:\n    {to_yaml(message.feedback)}", flush=True)

        with _Interrupt() as interrupt:
            sent = client.send_goal_async(goal, show if args.feedback else None)
            direct.wait(lambda: sent.done() or interrupt.came, None)
            # A goal that is out may be accepted yet, and then it must not run on alone.
            if not direct.wait(sent.done):
                return "Failed to cancel goal: its server does not answer"
            handle = sent.result()
            if not handle.accepted:
                print("Goal was rejected.")
                return 1
            print(f"Goal accepted with ID: {bytes(handle.goal_id.uuid).hex()}\n", flush=True)
            ended = handle.get_result_async()
            direct.wait(lambda: ended.done() or interrupt.came, args.timeout)
            if not ended.done():
                failure = _cancel(direct, handle)
                if failure or interrupt.came:
                    return failure
                return "Timeout reached while waiting for the result"
        answer = ended.result()
        print(f"Result:\n    {to_yaml(answer.result)}")
        print(f"Goal finished with status: {STATUSES[answer.status]}")
    return None


class _Interrupt:
    """Notes a Ctrl-C where an exception could be raised inside rclpy and lose an answer.

    A second one raises KeyboardInterrupt as ever.
    """

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        self.came = True
        signal.signal(signal.SIGINT, self._before)


def _cancel(direct: Direct, handle: Any) -> str | None:
    print("Canceling goal...", flush=True)
    canceled = handle.cancel_goal_async()
    if not direct.wait(canceled.done) or not canceled.result().goals_canceling:
        return "Failed to cancel goal"
    print("Goal canceled.")
    return None
