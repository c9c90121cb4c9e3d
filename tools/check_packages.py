#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Check package.xml files: valid by REP-149, one version everywhere, agreeing with setup.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from catkin_pkg.package import InvalidPackage, parse_package


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the package in `folder`, a sentence each."""
    warnings: list[str] = []
    try:
        package = parse_package(folder, warnings=warnings)
    except InvalidPackage as error:
        return [str(error)]
    found = list(warnings)
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


def main(folders: list[str]) -> int:
    """Check every folder and return the exit code."""
    code = 0
    versions: dict[str, str] = {}
    for folder in map(Path, folders):
        for fault in faults(folder):
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
    sys.exit(main(sys.argv[1:]))
