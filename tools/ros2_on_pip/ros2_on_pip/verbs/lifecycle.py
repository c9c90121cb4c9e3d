# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle`: states and transitions of lifecycle nodes."""

from __future__ import annotations

import argparse
from typing import Any

from ros2_on_pip.discovery import FIND_S, Direct, add_discovery_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    nodes = verbs.add_parser("nodes", help="Output a list of nodes with lifecycle")
    nodes.add_argument(
        "-a", "--all", action="store_true", help="Display all nodes even hidden ones"
    )
    nodes.add_argument("-c", "--count-nodes", action="store_true", help="Only their number")
    nodes.set_defaults(main=main_nodes)
    get = verbs.add_parser("get", help="Get lifecycle state for one or more nodes")
    get.add_argument("node_name", nargs="?", help="Name of the ROS node")
    get.set_defaults(main=main_get)
    listing = verbs.add_parser("list", help="Output a list of available transitions")
    listing.add_argument("node_name", help="Name of the ROS node")
    listing.add_argument("-a", "--all", action="store_true", help="All existing transitions")
    listing.set_defaults(main=main_list)
    put = verbs.add_parser("set", help="Trigger lifecycle state transition")
    put.add_argument("node_name", help="Name of the ROS node")
    put.add_argument("transition", help="The lifecycle transition, by label or id")
    put.set_defaults(main=main_set)
    for one in (nodes, get, listing, put):
        add_discovery_arguments(one)


def lifecycle_nodes(direct: Direct, *, hidden: bool = False) -> list[str]:
    """Return the nodes that have lifecycle services."""
    names = dict(direct.node.get_service_names_and_types())
    return [node for node in direct.nodes(hidden=hidden) if f"{node}/get_state" in names]


def find(direct: Direct, name: str) -> str | None:
    """Return the full name of a lifecycle node, waiting a little for it."""
    full = name if name.startswith("/") else f"/{name}"
    found = direct.wait(lambda: full in lifecycle_nodes(direct, hidden=True), FIND_S)
    return full if found else None


def state(direct: Direct, node: str) -> Any:
    """Return a node's state, or None when it does not answer."""
    from lifecycle_msgs.srv import GetState

    answer = direct.call(GetState, f"{node}/get_state", GetState.Request())
    return answer.current_state if answer else None


def transitions(direct: Direct, node: str, *, every: bool = False) -> list[Any]:
    """Return the transitions that are possible now, or all there are."""
    from lifecycle_msgs.srv import GetAvailableTransitions

    service = "get_transition_graph" if every else "get_available_transitions"
    request = GetAvailableTransitions.Request()
    answer = direct.call(GetAvailableTransitions, f"{node}/{service}", request)
    return list(answer.available_transitions) if answer else []


def main_nodes(args: argparse.Namespace) -> None:
    """Print the lifecycle nodes."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        names = lifecycle_nodes(direct, hidden=args.all)
    if args.count_nodes or names:
        print(len(names) if args.count_nodes else "\n".join(names))


def main_get(args: argparse.Namespace) -> str | None:
    """Print the state of one node or of all."""
    with Direct(args.spin_time) as direct:
        if args.node_name:
            node = find(direct, args.node_name)
            if node is None:
                return "Node not found"
            now = state(direct, node)
            if now is None:
                return f"{node} does not answer"
            print(f"{now.label} [{now.id}]")
            return None
        direct.settle()
        for node in lifecycle_nodes(direct):
            now = state(direct, node)
            print(f"{node}: {now.label} [{now.id}]" if now else f"{node}: does not answer")
    return None


def main_list(args: argparse.Namespace) -> str | None:
    """Print transitions with their start and goal states."""
    with Direct(args.spin_time) as direct:
        node = find(direct, args.node_name)
        if node is None:
            return "Node not found"
        for one in transitions(direct, node, every=args.all):
            print(f"- {one.transition.label} [{one.transition.id}]")
            print(f"\tStart: {one.start_state.label}\n\tGoal: {one.goal_state.label}")
    return None


def main_set(args: argparse.Namespace) -> int | str | None:
    """Trigger a transition."""
    from lifecycle_msgs.srv import ChangeState

    with Direct(args.spin_time) as direct:
        node = find(direct, args.node_name)
        if node is None:
            return "Node not found"
        possible = [one.transition for one in transitions(direct, node)]
        request = ChangeState.Request()
        for one in possible:
            if args.transition in (one.label, str(one.id)):
                request.transition = one
                break
        else:
            shown = "".join(f"\n- {one.label} [{one.id}]" for one in possible)
            return f"Unknown transition requested, available ones are:{shown}"
        # Weights load and files open in a transition: it takes the time it takes.
        answer = direct.call(ChangeState, f"{node}/change_state", request, limit=600.0)
    if answer is None or not answer.success:
        return "Transitioning failed"
    print("Transitioning successful")
    return None
