# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Build clara_console as an ament_python package."""

from setuptools import find_packages, setup

PACKAGE = "clara_console"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={PACKAGE: ["assets/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "starlette", "uvicorn"],
    zip_safe=False,
    maintainer="The Clara Authors",
    maintainer_email="clara@example.org",
    description="A web page for the operator of a robot with Clara",
    license="Apache-2.0",
    extras_require={"test": ["pytest"]},
    entry_points={"console_scripts": ["console = clara_console.start:main"]},
)
