# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build clara_training as an ament_python package."""

from setuptools import find_packages, setup

PACKAGE = "clara_training"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        ("bin", ["scripts/clara-train"]),
    ],
    package_data={
        PACKAGE: [
            "py.typed",
            "starter/*.json",
            "general_text.txt",
            "tuning_text.txt",
            "sample_corpus/*.txt",
            "*.json",
        ]
    },
    install_requires=["setuptools", "click", "rich", "tqdm", "rapidfuzz"],
    zip_safe=False,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="From a personality on paper to a GGUF on the robot",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
)
