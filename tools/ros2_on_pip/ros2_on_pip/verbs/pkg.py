# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg`: packages of the ament index."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from xml.etree import ElementTree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    verbs = parser.add_subparsers(metavar="<sub-command>")
    listing = verbs.add_parser("list", help="Output a list of available packages")
    listing.set_defaults(main=main_list)
    prefix = verbs.add_parser("prefix", help="Output the prefix path of a package")
    prefix.add_argument("package_name", help="The package name")
    prefix.add_argument(
        "--share", action="store_true", help="Show share directory for the package"
    )
    prefix.set_defaults(main=main_prefix)
    running = verbs.add_parser("executables", help="Output a list of package specific executables")
    running.add_argument("package_name", nargs="?", help="The package name")
    running.add_argument("--full-path", action="store_true", help="Show the full path")
    running.set_defaults(main=main_executables)
    xml = verbs.add_parser("xml", help="Output the XML of the package manifest or a specific tag")
    xml.add_argument("package_name", help="The package name")
    xml.add_argument("-t", "--tag", help="The XML tag to output, e.g. version")
    xml.set_defaults(main=main_xml)


def executables(package: str) -> list[str]:
    """Return the paths of a package's executables.

    Raises:
        PackageNotFoundError: there is no such package.
    """
    from ament_index_python.packages import get_package_prefix

    folder = Path(get_package_prefix(package), "lib", package)
    if not folder.is_dir():
        return []
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [str(path) for path in found if os.access(path, os.X_OK)]


def main_list(args: argparse.Namespace) -> None:
    """Print all package names."""
    from ament_index_python.packages import get_packages_with_prefixes

    print("\n".join(sorted(get_packages_with_prefixes())))


def main_prefix(args: argparse.Namespace) -> str | None:
    """Print a package's prefix or share folder."""
    from ament_index_python.packages import (
        PackageNotFoundError,
        get_package_prefix,
        get_package_share_directory,
    )

    find = get_package_share_directory if args.share else get_package_prefix
    try:
        print(find(args.package_name))
    except (PackageNotFoundError, ValueError):
        return "Package not found"
    return None


def main_executables(args: argparse.Namespace) -> str | None:
    """Print the executables of one package or of all."""
    from ament_index_python.packages import PackageNotFoundError, get_packages_with_prefixes

    names = [args.package_name] if args.package_name else sorted(get_packages_with_prefixes())
    for name in names:
        try:
            found = executables(name)
        except (PackageNotFoundError, ValueError):
            return f"Package '{name}' not found"
        for path in found:
            print(path if args.full_path else f"{name} {os.path.basename(path)}")
    return None


def main_xml(args: argparse.Namespace) -> str | None:
    """Print package.xml, or the text of one of its tags."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        path = Path(get_package_share_directory(args.package_name), "package.xml")
    except (PackageNotFoundError, ValueError):
        return f"Package '{args.package_name}' not found"
    text = path.read_text(encoding="utf-8")
    if not args.tag:
        print(text)
        return None
    found = [element.text or "" for element in ElementTree.fromstring(text).iter(args.tag)]
    if not found:
        return f"Tag '{args.tag}' not found for package '{args.package_name}'"
    print("\n".join(found))
    return None
