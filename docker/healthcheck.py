# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What a container's health check asks: exit code 0 and nothing said where all is well.

    healthcheck.py lifecycle NODE...   are these lifecycle nodes active?
    healthcheck.py node NODE...        are these nodes in the graph?
    healthcheck.py http URL            does a web server answer there, be it with "sign in first"?

Node names are relative to CLARA_NAMESPACE, which is `clara` unless it is set.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

from clara_brain.errors import ClientError

LIMIT_S = 8.0


def _namespace() -> str:
    return "/" + (os.environ.get("CLARA_NAMESPACE") or "clara").strip("/")


def lifecycle(nodes: list[str]) -> list[str]:
    """Return what is wrong with the lifecycle nodes."""
    from clara_brain.ros_client import RosClient

    faults = []
    with RosClient(_namespace(), LIMIT_S) as client:
        for node in nodes:
            try:
                state = client.lifecycle_state(node)
            except ClientError as error:
                faults.append(f"{node}: {error}")
                continue
            if state != "active":
                faults.append(f"{node}: {state}")
    return faults


def present(nodes: list[str]) -> list[str]:
    """Return which nodes are not in the graph."""
    from clara_brain.ros_client import RosClient

    with RosClient(_namespace(), LIMIT_S) as client:

        def absent() -> list[str]:
            seen = client.node.get_node_names_and_namespaces()
            return [node for node in nodes if (node, client.namespace) not in seen]

        client.spin_until(lambda: not absent(), LIMIT_S)
        return [f"{node}: not in the graph" for node in absent()]


def http(urls: list[str]) -> list[str]:
    """Return which URLs nobody answers at."""
    faults = []
    for url in urls:
        try:
            urllib.request.urlopen(url, timeout=LIMIT_S).close()
        except urllib.error.HTTPError as error:
            if error.code >= 500:
                faults.append(f"{url}: {error.code}")
        except OSError as error:
            faults.append(f"{url}: {error}")
    return faults


def main(words: list[str]) -> int:
    """Check, say what is wrong, and return the exit code."""
    checks = {"lifecycle": lifecycle, "node": present, "http": http}
    if len(words) < 2 or words[0] not in checks:
        print("usage: healthcheck.py lifecycle|node|http WHAT...", file=sys.stderr)
        return 2
    try:
        faults = checks[words[0]](words[1:])
    except ClientError as error:
        faults = [str(error)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
