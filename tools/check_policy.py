#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Check an SROS2 policy file, and hold it against the nodes that run.

`python tools/check_policy.py FILE` says where FILE is not what `ros2 security` takes (format
0.2.0), and prints who may do what. With `--graph` each enclave whose nodes run is compared with
what they really publish, subscribe to, serve and call: what is missing would be denied, what is
granted and not used should go.
"""

from __future__ import annotations

import argparse
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "security" / "clara.policy.xml"
VERSION = "0.2.0"
# What may stand in each element: its attributes (True: it must be there) and its children.
SCHEMA: dict[str, tuple[dict[str, bool], set[str]]] = {
    "policy": ({"version": True}, {"enclaves"}),
    "enclaves": ({}, {"enclave"}),
    "enclave": ({"path": True}, {"profiles"}),
    "profiles": ({"type": False}, {"profile"}),
    "profile": ({"ns": True, "node": True}, {"topics", "services", "actions"}),
    "topics": ({"publish": False, "subscribe": False}, {"topic"}),
    "services": ({"reply": False, "request": False}, {"service"}),
    "actions": ({"execute": False, "call": False}, {"action"}),
    "topic": ({}, set()),
    "service": ({}, set()),
    "action": ({}, set()),
}
ACTION_SERVICES = ("send_goal", "cancel_goal", "get_result")
ACTION_TOPICS = ("feedback", "status")
DISCOVERY_S = 3.0


class PolicyError(Exception):
    """The file is not a policy; the message says what is wrong and where."""


@dataclass(frozen=True, order=True)
class Access:
    """One thing done to one topic or service: "publish", "subscribe", "reply" or "request"."""

    how: str
    name: str

    def covers(self, other: Access) -> bool:
        """Tell whether this grant, whose name may be a pattern, allows what `other` does."""
        return self.how == other.how and fnmatchcase(other.name, self.name)

    def __str__(self) -> str:
        return f"{self.how} {self.name}"


def read_policy(path: Path) -> dict[str, set[Access]]:
    """Return what each enclave is granted, actions taken apart into their topics and services.

    Raises:
        PolicyError: the file cannot be read, or is not a policy of this format.
    """
    try:
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
        root = ElementTree.parse(path, parser).getroot()
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise PolicyError(f"{path}: not XML: {error}") from error
    if root.tag != "policy" or root.get("version") != VERSION:
        raise PolicyError(f'{path}: does not begin with <policy version="{VERSION}">')
    _validate(root, path)
    granted: dict[str, set[Access]] = {}
    for enclave in root.iter("enclave"):
        name = enclave.attrib["path"]
        if name in granted:
            raise PolicyError(f"{path}: enclave {name} stands there twice")
        granted[name] = set()
        for profile in enclave.iter("profile"):
            granted[name] |= _profile(profile)
    return granted


def _validate(element: ElementTree.Element, path: Path) -> None:
    attributes, children = SCHEMA[element.tag]
    where = f"{path}: <{element.tag}{''.join(f' {k}={v!r}' for k, v in element.attrib.items())}>"
    for name in element.attrib:
        if name not in attributes:
            raise PolicyError(f"{where} has the attribute {name}, which means nothing there")
    for name, needed in attributes.items():
        if needed and not element.get(name):
            raise PolicyError(f"{where} needs the attribute {name}")
    if element.tag in ("topics", "services", "actions"):
        if not element.attrib:
            raise PolicyError(f"{where} says nothing: give it one of {', '.join(attributes)}")
        for value in element.attrib.values():
            if value != "ALLOW":
                raise PolicyError(f"{where} has {value!r}: only ALLOW; all else is denied anyway")
    text = (element.text or "").strip()
    if bool(text) == bool(children):
        raise PolicyError(f"{where} has {'text' if text else 'no name'} in it")
    if children and not len(element):
        raise PolicyError(f"{where} is empty")
    if not children and (text != element.text or " " in text):
        raise PolicyError(f"{where} has spaces in its name {element.text!r}")
    for child in element:
        if child.tag is ElementTree.Comment:
            if element.tag == "enclaves":
                # `ros2 security generate_artifacts` takes everything in there for an enclave.
                raise PolicyError(f"{where} has a comment in it: put it into an <enclave>")
            continue
        if child.tag not in children:
            raise PolicyError(f"{where} may not contain <{child.tag}>")
        _validate(child, path)


def _profile(profile: ElementTree.Element) -> set[Access]:
    namespace, node = profile.attrib["ns"].rstrip("/"), profile.attrib["node"]

    def full(name: str) -> str:
        if name.startswith("/"):
            return name
        if name.startswith("~"):
            return f"{namespace}/{node}{name[1:]}"
        return f"{namespace}/{name}"

    found: set[Access] = set()
    for group in (child for child in profile if child.tag is not ElementTree.Comment):
        for how in group.attrib:
            for entry in group.iter(group.tag[:-1]):
                name = full((entry.text or "").strip())
                found |= _action(how, name) if entry.tag == "action" else {Access(how, name)}
    return found


def _action(how: str, name: str) -> set[Access]:
    topics, services = ("publish", "reply") if how == "execute" else ("subscribe", "request")
    return {Access(topics, f"{name}/_action/{part}") for part in ACTION_TOPICS} | {
        Access(services, f"{name}/_action/{part}") for part in ACTION_SERVICES
    }


def used(asking: Any, node: str, namespace: str) -> set[Access]:
    """Return what a node does, as the rclpy node `asking` sees it in the graph."""
    return {
        Access(how, name)
        for how, names in (
            ("publish", asking.get_publisher_names_and_types_by_node(node, namespace)),
            ("subscribe", asking.get_subscriber_names_and_types_by_node(node, namespace)),
            ("reply", asking.get_service_names_and_types_by_node(node, namespace)),
            ("request", asking.get_client_names_and_types_by_node(node, namespace)),
        )
        for name, _ in names
    }


def missing(granted: Iterable[Access], needed: Iterable[Access]) -> list[Access]:
    """Return what is needed and no grant covers."""
    grants = list(granted)
    return sorted(one for one in needed if not any(grant.covers(one) for grant in grants))


def unused(granted: Iterable[Access], needed: Iterable[Access]) -> list[Access]:
    """Return the grants that cover nothing of what is needed."""
    ones = list(needed)
    return sorted(grant for grant in granted if not any(grant.covers(one) for one in ones))


def who_may(policy: dict[str, set[Access]], how: str, name: str) -> set[str]:
    """Return the last part of each enclave's path that may do this."""
    wanted = Access(how, name)
    return {
        path.rsplit("/", 1)[-1]
        for path, granted in policy.items()
        if any(grant.covers(wanted) for grant in granted)
    }


def compare(policy: dict[str, set[Access]]) -> int:
    """Print how each enclave differs from its nodes that run; return the exit code."""
    import rclpy

    rclpy.init()
    asking = rclpy.create_node("_check_policy", start_parameter_services=False)
    try:
        time.sleep(DISCOVERY_S)  # nothing tells when all of a graph is known
        running: dict[str, set[Access]] = defaultdict(set)
        for node, namespace, enclave in asking.get_node_names_and_namespaces_with_enclaves():
            if not node.startswith("_"):
                running[enclave] |= used(asking, node, namespace)
    finally:
        asking.destroy_node()
        rclpy.try_shutdown()
    code = 0
    for path, granted in policy.items():
        if path not in running:
            print(f"{path}: no node of this enclave runs")
            continue
        lacking, idle = missing(granted, running[path]), unused(granted, running[path])
        print(f"{path}: {len(running[path])} used, {len(lacking)} missing, {len(idle)} unused")
        for one in lacking:
            print(f"  missing: {one}")
            code = 1
        for one in idle:
            print(f"  unused: {one}")
    for path in sorted(set(running) - set(policy)):
        print(f"{path}: nodes run in this enclave, which the policy does not have")
    return code


def main() -> int:
    """Check the file and return the exit code."""
    parser = argparse.ArgumentParser(description="Check an SROS2 policy file.")
    parser.add_argument("policy", type=Path, nargs="?", default=POLICY, help="the file")
    parser.add_argument("--graph", action="store_true", help="compare it with the nodes that run")
    parser.add_argument("--quiet", action="store_true", help="say nothing where all is well")
    options = parser.parse_args()
    try:
        policy = read_policy(options.policy)
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    if options.graph:
        return compare(policy)
    if options.quiet:
        return 0
    may: dict[Access, set[str]] = defaultdict(set)
    for path, granted in policy.items():
        for access in granted:
            may[access].add(path)
    for access in sorted(may):
        print(f"{access}: {', '.join(sorted(may[access]))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
