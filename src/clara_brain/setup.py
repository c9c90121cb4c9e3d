# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build clara_brain as an ament_python package."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "clara_brain"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={PACKAGE: ["skills.schema.json"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/config", glob("config/*")),
        (f"share/{PACKAGE}/launch", glob("launch/*.launch.py")),
        ("bin", glob("scripts/clara")),
    ],
    install_requires=["setuptools", "llama-cpp-python", "jinja2", "jsonschema", "PyYAML"],
    zip_safe=True,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="A robot's local mind: a language model with a personality, grounded in memory",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "brain_node = clara_brain.start:main",
            "check_skills = clara_brain.check_skills:main",
        ]
    },
)
