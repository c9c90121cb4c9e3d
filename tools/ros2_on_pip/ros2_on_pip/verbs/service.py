# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 service`: list, find and call services."""

from __future__ import annotations

import argparse
import time

from ros2_on_pip.discovery import Direct, add_discovery_arguments, shown
from ros2_on_pip.yaml_messages import fill, load, parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of available services")
    listing.add_argument("-t", "--show-types", action="store_true", help="Show the type too")
    listing.add_argument("-c", "--count-services", action="store_true", help="Only their number")
    listing.set_defaults(main=main_list)
    kind = verbs.add_parser("type", help="Output a service's type")
    kind.add_argument("service_name", help="Name of the ROS service")
    kind.set_defaults(main=main_type)
    find = verbs.add_parser("find", help="Output a list of available services of a given type")
    find.add_argument("service_type", help="Name of the ROS service type")
    find.add_argument("-c", "--count-services", action="store_true", help="Only their number")
    find.set_defaults(main=main_find)
    for one in (listing, kind, find):
        one.add_argument(
            "-a", "--include-hidden-services", action="store_true", help="Hidden ones too"
        )
        add_discovery_arguments(one)
    call = verbs.add_parser("call", help="Call a service")
    call.add_argument("service_name", help="Name of the ROS service to call to")
    call.add_argument("service_type", help="Type of the ROS service")
    call.add_argument("values", nargs="?", default="{}", help="Values of the request in YAML")
    call.add_argument("-r", "--rate", type=float, metavar="N", help="Repeat the call at N Hz")
    call.set_defaults(main=main_call)


def services(direct: Direct, *, hidden: bool) -> list[tuple[str, list[str]]]:
    """Return names and types."""
    found = direct.node.get_service_names_and_types()
    own = f"/{direct.node.get_name()}/"
    return [(n, t) for n, t in found if shown(n, hidden=hidden) and not n.startswith(own)]


def main_list(args: argparse.Namespace) -> None:
    """Print all services."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        found = services(direct, hidden=args.include_hidden_services)
    if args.count_services:
        print(len(found))
        return
    for name, types in found:
        print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def main_type(args: argparse.Namespace) -> int | None:
    """Print a service's type."""
    with Direct(args.spin_time) as direct:
        found = direct.wait(
            lambda: dict(services(direct, hidden=True)).get(args.service_name), 3.0
        )
    if not found:
        return 1
    print("\n".join(found))
    return None


def main_find(args: argparse.Namespace) -> None:
    """Print the services of a type."""
    with Direct(args.spin_time) as direct:
        direct.settle()
        found = services(direct, hidden=args.include_hidden_services)
    names = [name for name, types in found if args.service_type in types]
    print(len(names) if args.count_services else "\n".join(names))


def main_call(args: argparse.Namespace) -> str | None:
    """Call a service and print request and response."""
    if args.rate is not None and args.rate <= 0:
        return "rate must be greater than zero"
    kind = load(args.service_type, "srv")
    request = kind.Request()
    fill(request, parse(args.values))
    with Direct() as direct:
        client = direct.node.create_client(kind, args.service_name)
        if not client.service_is_ready():
            print("waiting for service to become available...", flush=True)
            direct.wait(client.service_is_ready, None)
        while True:
            print(f"requester: making request: {request!r}\n", flush=True)
            future = client.call_async(request)
            direct.wait(future.done, None)
            print(f"response:\n{future.result()!r}\n", flush=True)
            if not args.rate:
                return None
            time.sleep(1.0 / args.rate)
