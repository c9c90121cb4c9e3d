# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 node`: nodes and what they offer."""

from __future__ import annotations

import argparse

from ros2_on_pip.discovery import Direct, add_discovery_arguments, split_name

ACTION_PARTS = ("/_action/send_goal", "/_action/get_result", "/_action/cancel_goal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of available nodes")
    listing.add_argument(
        "-a", "--all", action="store_true", help="Display all nodes even hidden ones"
    )
    listing.add_argument("-c", "--count-nodes", action="store_true", help="Only their number")
    add_discovery_arguments(listing)
    listing.set_defaults(main=main_list)
    info = verbs.add_parser("info", help="Output information about a node")
    info.add_argument("node_name", help="Node name to request information")
    info.add_argument(
        "--include-hidden", action="store_true", help="Hidden topics and services too"
    )
    add_discovery_arguments(info)
    info.set_defaults(main=main_info)


def main_list(args: argparse.Namespace) -> None:
    """Print all nodes."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        names = direct.nodes(hidden=args.all)
    if args.count_nodes or names:
        print(len(names) if args.count_nodes else "\n".join(names))


def main_info(args: argparse.Namespace) -> str | None:
    """Print what a node publishes, subscribes to, serves and calls."""
    with Direct(args.spin_time) as direct:
        full = direct.find_node(args.node_name)
        if full is None:
            return f"Unable to find node '{args.node_name}'"
        direct.settle()
        node, (name, namespace) = direct.node, split_name(full)
        publishers = node.get_publisher_names_and_types_by_node(name, namespace)
        subscribers = node.get_subscriber_names_and_types_by_node(name, namespace)
        services = node.get_service_names_and_types_by_node(name, namespace)
        clients = node.get_client_names_and_types_by_node(name, namespace)
    sections = {
        "Subscribers": subscribers,
        "Publishers": publishers,
        "Service Servers": services,
        "Service Clients": clients,
        "Action Servers": _actions(services),
        "Action Clients": _actions(clients),
    }
    print(full)
    for title, found in sections.items():
        print(f"  {title}:")
        lines = [
            f"    {topic}: {', '.join(types)}"
            for topic, types in sorted(found)
            if args.include_hidden or "/_" not in topic
        ]
        print("\n".join(lines))
    return None


def _actions(services: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    suffix = ACTION_PARTS[0]
    return [
        (name.removesuffix(suffix), [kind.removesuffix("_SendGoal") for kind in types])
        for name, types in services
        if name.endswith(suffix)
    ]
