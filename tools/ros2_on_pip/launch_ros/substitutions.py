# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a package is."""

from __future__ import annotations

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution, describe, perform
from launch.substitutions import SubstitutionFailure


class FindPackagePrefix(Substitution):
    """The prefix a package is installed in."""

    find = staticmethod(get_package_prefix)

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = package

    def perform(self, context: LaunchContext) -> str:
        """Return the folder.

        Raises:
            SubstitutionFailure: there is no such package.
        """
        try:
            return str(self.find(perform(context, self.package)))
        except PackageNotFoundError as error:
            raise SubstitutionFailure(str(error)) from error

    def describe(self) -> str:
        """Return the package as the real one shows it."""
        return f"{type(self).__name__}(pkg={describe(self.package)})"


class FindPackageShare(FindPackagePrefix):
    """The share folder of a package."""

    find = staticmethod(get_package_share_directory)


FindPackage = FindPackagePrefix
