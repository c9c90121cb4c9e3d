# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build clara_demo as an ament_python package."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "clara_demo"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/config", glob("config/*")),
        (f"share/{PACKAGE}/launch", glob("launch/*")),
    ],
    install_requires=["setuptools", "click", "rich"],
    zip_safe=True,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="A small simulated robot that shows Clara at work in a minute",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "demo = clara_demo.demo:main",
            "robot_node = clara_demo.start:main",
        ]
    },
)
