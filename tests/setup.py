# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Whole-system tests: nothing is installed but the package's name."""

from setuptools import setup

setup(
    name="clara_system_tests",
    version="0.1.0",
    packages=[],
    py_modules=[],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/clara_system_tests"]),
        ("share/clara_system_tests", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="Whole-system tests of Clara.",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
)
