# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 interface`: show and list messages, services and actions."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ros2_on_pip.yaml_messages import load, to_yaml

KINDS = {"msg": "Messages", "srv": "Services", "action": "Actions"}
CODE = re.compile(r"""^([^#"']|"[^"]*"|'[^']*')*""")
FIELD = re.compile(r"^(?P<type>[A-Za-z][\w/]*)(<=\d+)?(\[[^\]]*\])?\s+\w+")
PRIMITIVES = {"bool", "byte", "char", "string", "wstring", "float32", "float64"}
PRIMITIVES |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    show = verbs.add_parser("show", help="Output the interface definition")
    show.add_argument(
        "type", type=given, help="Type of the interface, as pkg/msg/Name; - reads it from stdin"
    )
    comments = show.add_mutually_exclusive_group()
    comments.add_argument("--all-comments", action="store_true", help="Those of nested types too")
    comments.add_argument("--no-comments", action="store_true", help="No comments")
    show.set_defaults(main=main_show)
    listing = verbs.add_parser("list", help="List all interface types available")
    only = listing.add_mutually_exclusive_group()
    for short, kind in (("-m", "msg"), ("-s", "srv"), ("-a", "action")):
        only.add_argument(short, f"--only-{kind}s", dest="kind", action="store_const", const=kind)
    listing.set_defaults(main=main_list)
    package = verbs.add_parser("package", help="Output a list of available types of one package")
    package.add_argument("package_name", help="Name of the package")
    package.set_defaults(main=main_package)
    packages = verbs.add_parser(
        "packages", help="Output a list of packages that provide interfaces"
    )
    packages.set_defaults(main=main_packages)
    proto = verbs.add_parser("proto", help="Output an interface prototype")
    proto.add_argument("type", help="Type of the interface, as pkg/msg/Name")
    proto.set_defaults(main=main_proto)


def given(text: str) -> str:
    """Return an argument, or for - the line that is piped in."""
    if text == "-":
        if sys.stdin.isatty():
            raise argparse.ArgumentTypeError("expected stdin pipe")
        text = sys.stdin.readline().strip()
    if not text:
        raise argparse.ArgumentTypeError("the passed value is empty")
    return text


def interfaces() -> dict[str, list[str]]:
    """Return the interfaces of each package, as msg/Name."""
    from ament_index_python.resources import get_resource, get_resources

    found = {}
    for package in get_resources("rosidl_interfaces"):
        content, _ = get_resource("rosidl_interfaces", package)
        names = {Path(line) for line in content.splitlines() if line}
        found[package] = sorted(
            f"{path.parent}/{path.stem}" for path in names if path.suffix[1:] in KINDS
        )
    return found


def definition(name: str) -> list[str]:
    """Return the lines of an interface's file.

    Raises:
        LookupError: there is no such package or interface.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    parts = name.split("/")
    if len(parts) != 3 or parts[1] not in KINDS:
        raise LookupError(f"Invalid name '{name}'. Expected three parts separated by '/'")
    package, kind, last = parts
    try:
        share = get_package_share_directory(package)
    except (PackageNotFoundError, ValueError):
        raise LookupError(f"Unknown package '{package}'") from None
    path = Path(share, kind, f"{last}.{kind}")
    if not path.is_file():
        raise LookupError(f"Could not find the interface '{name}'")
    return path.read_text(encoding="utf-8").splitlines()


def lines(name: str, depth: int, *, comments: bool, nested_comments: bool) -> Iterator[str]:
    """Yield the lines to show; the fields of nested types follow them, a tab deeper."""
    keep = comments if depth == 0 else nested_comments
    for line in definition(name):
        code = CODE.match(line)[0].rstrip()  # type: ignore[index]
        if keep or (code.strip() and not line.startswith("#")):
            yield "\t" * depth + (line if keep else code)
        found = FIELD.match(code)
        if found and found["type"] not in PRIMITIVES:
            inner = found["type"].split("/")
            package = inner[0] if len(inner) > 1 else name.split("/")[0]
            yield from lines(
                f"{package}/msg/{inner[-1]}",
                depth + 1,
                comments=comments,
                nested_comments=nested_comments,
            )


def main_show(args: argparse.Namespace) -> None:
    """Print an interface's definition."""
    shown = lines(args.type, 0, comments=not args.no_comments, nested_comments=args.all_comments)
    print("\n".join(shown))


def main_list(args: argparse.Namespace) -> None:
    """Print all interfaces by kind."""
    every = interfaces()
    for kind, title in KINDS.items():
        if args.kind in (None, kind):
            print(f"{title}:")
            for package in sorted(every):
                for name in every[package]:
                    if name.startswith(f"{kind}/"):
                        print(f"    {package}/{name}")


def main_package(args: argparse.Namespace) -> str | None:
    """Print the interfaces of a package."""
    every = interfaces()
    if args.package_name not in every:
        return f"Unknown package '{args.package_name}'"
    for name in every[args.package_name]:
        print(f"{args.package_name}/{name}")
    return None


def main_packages(args: argparse.Namespace) -> None:
    """Print the packages with interfaces."""
    print("\n".join(sorted(interfaces())))


def main_proto(args: argparse.Namespace) -> None:
    """Print an interface filled with defaults."""
    parts = args.type.split("/")
    kind = parts[1] if len(parts) == 3 else "msg"
    cls = load(args.type, kind)
    cls = {"srv": getattr(cls, "Request", cls), "action": getattr(cls, "Goal", cls)}.get(kind, cls)
    print(f'"{to_yaml(cls())}"')
