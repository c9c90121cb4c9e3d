#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Check packages as the ROS build farm wants them; `make lint` runs it.

package.xml valid by REP-149, names by REP-144, one version everywhere, agreeing with setup.py, a
CHANGELOG.rst that bloom can read, and every ROS package that is imported declared. `--rosdep
FOLDER`, a checkout of github.com/ros/rosdistro, also checks that each key is known for a
distribution; `--release` names what must be filled in before the first release.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from catkin_pkg.changelog import InvalidSectionTitle, get_changelog_from_path
from catkin_pkg.package import InvalidPackage, Package, parse_package

DISTROS = ("jazzy", "kilted", "lyrical")
# REP-144: lower case, begins with a letter, at least two characters, no underscore twice.
NAME = re.compile(r"[a-z](?:[a-z0-9]|_(?!_))*[a-z0-9]")
NOT_RELEASED = {"clara_system_tests"}  # bloom: listed in *.ignored
# ROS packages that a module is imported from; the rest are Python's own or come from pip.
ROS_MODULE = re.compile(
    r"clara_\w+|\w+_msgs|\w+_interfaces|rclpy|rosidl_\w+|launch(_ros|_testing)?|ament_index_python"
    r"|domain_coordinator"
)


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the package in `folder`, a sentence each."""
    warnings: list[str] = []
    try:
        package = parse_package(folder, warnings=warnings)
    except InvalidPackage as error:
        return [str(error)]
    found = [*warnings, *changelog_faults(folder, package), *undeclared(folder, package)]
    if not NAME.fullmatch(package.name):
        found.append(f"the name {package.name} is not one by REP-144")
    if package.package_format != 3:
        found.append(f"format is {package.package_format}, not 3")
    build_type = package.get_build_type()
    setup = folder / "setup.py"
    if build_type == "ament_python":
        text = setup.read_text(encoding="utf-8")
        version = re.search(r'version="([^"]+)"', text)
        if version is None or version[1] != package.version:
            found.append(f"version {package.version} is not the one in setup.py")
        if not (folder / "resource" / package.name).is_file():
            found.append(f"resource/{package.name} is missing: ament would not find the package")
    elif build_type != "ament_cmake":
        found.append(f"build type {build_type} is not one of this workspace")
    return found


def changelog_faults(folder: Path, package: Package) -> list[str]:
    """Return what keeps bloom from reading the package's CHANGELOG.rst."""
    path = folder / "CHANGELOG.rst"
    if package.name in NOT_RELEASED:
        return []
    if not path.is_file():
        return ["CHANGELOG.rst is missing"]
    try:
        log = get_changelog_from_path(str(path), package.name)
    except InvalidSectionTitle as error:
        return [f"CHANGELOG.rst: {error}"]
    versions = [version for version, _, _ in log.foreach_version()]
    text = path.read_text(encoding="utf-8")
    faults = []
    if f"Changelog for package {package.name}\n" not in text:
        faults.append(f"CHANGELOG.rst is not titled 'Changelog for package {package.name}'")
    if package.version not in versions and "\nForthcoming\n---" not in text:
        faults.append(f"CHANGELOG.rst has neither {package.version} nor Forthcoming")
    return faults


def undeclared(folder: Path, package: Package) -> list[str]:
    """Return a sentence for each ROS package that is imported and not declared."""
    run = {one.name for one in [*package.exec_depends, *package.build_export_depends]}
    test = run | {one.name for one in package.test_depends}
    found = []
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder)
        tests = place.parts[0] == "test" or package.name in NOT_RELEASED
        for module in sorted(set(imported(file))):
            known = {package.name, *(test if tests else run)}
            if ROS_MODULE.fullmatch(module) and module not in known and not local(file, module):
                found.append(f"{place} imports {module}, which is not declared")
    return found


def local(file: Path, module: str) -> bool:
    """Tell whether a module is a file beside the one that imports it."""
    return (file.parent / f"{module}.py").is_file()


def imported(file: Path) -> Iterator[str]:
    """Yield the top-level modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def keys_of(folder: Path) -> dict[str, set[str]]:
    """Return what can be depended on in each distribution, from a checkout of rosdistro."""
    import yaml

    system: set[str] = set()
    for name in ("base", "python"):
        system |= set(yaml.safe_load((folder / "rosdep" / f"{name}.yaml").read_text("utf-8")))
    keys = {}
    for distro in DISTROS:
        index = yaml.safe_load((folder / distro / "distribution.yaml").read_text("utf-8"))
        keys[distro] = system | {
            package
            for name, repository in index["repositories"].items()
            for package in (repository.get("release") or {}).get("packages", [name])
        }
    return keys


def unknown_keys(package: Package, keys: dict[str, set[str]], ours: set[str]) -> list[str]:
    """Return a sentence for each dependency that rosdep does not know."""
    wanted = {
        one.name
        for kind in (package.build_depends, package.buildtool_depends, package.exec_depends)
        for one in [*kind, *package.test_depends]
    }
    return [
        f"{name} is no rosdep key in {distro}"
        for name in sorted(wanted - ours)
        for distro, known in keys.items()
        if name not in known
    ]


def placeholders(package: Package) -> list[str]:
    """Return what must be filled in before the first release."""
    found = [
        f"the maintainer's address {person.email} is a placeholder"
        for person in package.maintainers
        if person.email.endswith(("example.org", "example.com"))
    ]
    if not package.urls:
        found.append("there is no <url>: where the source and the issues are")
    return found


def main() -> int:
    """Check every folder and return the exit code."""
    parser = argparse.ArgumentParser(description="Check packages as the ROS build farm does.")
    parser.add_argument("folders", type=Path, nargs="+", help="folders with a package.xml")
    parser.add_argument("--rosdep", type=Path, help="checkout of rosdistro, for the keys")
    parser.add_argument("--release", action="store_true", help="also what a release needs")
    options = parser.parse_args()
    keys = keys_of(options.rosdep) if options.rosdep else {}
    ours = {folder.resolve().name for folder in options.folders}
    code = 0
    versions: dict[str, str] = {}
    for folder in options.folders:
        found = faults(folder)
        if not found:
            package = parse_package(folder)
            found += unknown_keys(package, keys, ours)
            if options.release and package.name not in NOT_RELEASED:
                found += placeholders(package)
        for fault in found:
            print(f"{folder / 'package.xml'}: {fault}")
            code = 1
        text = (folder / "package.xml").read_text(encoding="utf-8")
        version = re.search(r"<version>([^<]+)</version>", text)
        versions[str(folder)] = version[1] if version else "none"
    if len(set(versions.values())) > 1:
        print(f"package versions differ: {versions}")
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
