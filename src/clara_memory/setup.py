# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build clara_memory as an ament_python package."""

from setuptools import find_packages, setup

PACKAGE = "clara_memory"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    py_modules=[f"{PACKAGE}_start"],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        ("bin", ["scripts/clara-memory"]),
    ],
    package_data={PACKAGE: ["py.typed"]},
    install_requires=["setuptools", "numpy", "rapidfuzz", "click", "rich"],
    zip_safe=True,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="A robot's episodic memory: what it did, to what, and how it went",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
    entry_points={"console_scripts": ["memory_node = clara_memory_start:main"]},
)
