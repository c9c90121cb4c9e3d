# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's command where nothing runs; the whole conversation is a system test."""

import os
import subprocess
import sys

from domain_coordinator import domain_id


def test_without_nodes_the_demo_fails_with_a_sentence() -> None:
    command = [sys.executable, "-m", "clara_demo.demo", "--timeout", "1"]
    with domain_id() as domain:
        done = subprocess.run(
            command,
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 1
    assert "demo: node memory is not there after 1 s" in done.stderr
    assert "Traceback" not in done.stderr
