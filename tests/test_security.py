# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The SROS2 policy: well-formed, least privilege, and just what the nodes really do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import active
from running import Peer, Process

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from check_policy import (
    POLICY,
    Access,
    PolicyError,
    missing,
    read_policy,
    unused,
    used,
    who_may,
)

NODES = ("brain", "memory", "console", "robot")
# The grants that an attacker would want, and all who have them.
GUARDED = {
    ("publish", "/clara/action_request"): {"brain"},
    ("publish", "/clara/action_event"): {"robot"},
    ("publish", "/clara/action_result"): {"robot"},
    ("publish", "/clara/memory/episodes"): {"memory"},
    ("publish", "/clara/reply"): {"brain"},
    ("publish", "/clara/reply_sentence"): {"brain"},
    ("publish", "/clara/say"): set(),
    ("publish", "/clock"): set(),
    ("request", "/clara/memory/correct"): {"console", "operator"},
    ("request", "/clara/memory/forget"): {"operator"},
    ("request", "/clara/memory/merge"): {"operator"},
    ("request", "/clara/memory/pin"): {"operator"},
    ("request", "/clara/memory/store"): {"operator"},
    ("request", "/clara/memory/query"): {"brain", "console", "operator"},
    ("request", "/clara/adapter/load"): {"operator"},
    ("request", "/clara/personality/set"): {"console", "operator"},
    ("request", "/clara/brain/set_parameters"): {"operator"},
    ("request", "/clara/brain/change_state"): {"operator"},
    ("request", "/clara/memory/change_state"): {"operator"},
    ("request", "/clara/chat/_action/send_goal"): {"console", "operator"},
    ("reply", "/clara/memory/query"): {"memory"},
}


def described(accesses: list[Access]) -> str:
    return "\n".join(map(str, accesses)) or "nothing"


def test_only_those_who_must_may_act_forget_and_change_settings() -> None:
    policy = read_policy(POLICY)
    assert {path.rpartition("/")[2] for path in policy} == {*NODES, "operator"}
    for (how, name), allowed in GUARDED.items():
        assert who_may(policy, how, name) == allowed, f"{how} {name}"


def test_only_the_operators_own_nodes_are_granted_by_pattern() -> None:
    patterns = {
        (path, one.name)
        for path, granted in read_policy(POLICY).items()
        for one in granted
        if any(sign in one.name for sign in "*?[")
    }
    assert {path for path, _ in patterns} == {"/clara/operator"}
    for _, name in patterns:
        assert name.startswith(("/clara/clara_cli_*/", "/clara_doctor_*")), name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('version="0.2.0"', 'version="0.1.0"', "does not begin with"),
        ('path="/clara/robot"', 'path="/clara/brain"', "stands there twice"),
        ('execute="ALLOW"', 'execute="YES"', "only ALLOW"),
        ('execute="ALLOW"', 'publish="ALLOW"', "means nothing there"),
        ('ns="/clara" node="memory"', 'node="memory"', "needs the attribute ns"),
        ("<topic>say</topic>", "<service>say</service>", "may not contain <service>"),
        ("<topic>say</topic>", "<topic> say</topic>", "spaces"),
        ("<topic>say</topic>", "<topic/>", "no name"),
        ("<enclaves>", "<enclaves><!-- all -->", "put it into an <enclave>"),
        ("</policy>", "", "not XML"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = POLICY.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "changed.policy.xml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=said):
        read_policy(file)


def test_each_node_does_what_its_enclave_grants_and_nothing_else(
    start: Callable[..., Process], peer: Peer, tmp_path: Path
) -> None:
    # With use_sim_time, for /clock is granted too; the console on any port that is free.
    params = tmp_path / "params.yaml"
    params.write_text(
        "/**:\n  ros__parameters:\n    use_sim_time: true\n"
        "/**/console:\n  ros__parameters:\n    port: 0\n"
    )
    start(
        *("ros2", "launch", "clara_brain", "clara.launch.py", "demo:=true", "console:=true"),
        *("enclaves:=/clara", f"params_file:={params}"),
    )
    for name in ("memory", "brain"):
        peer.spin_until(lambda name=name: active(peer, name), 90.0, f"{name} active")
    policy = read_policy(POLICY)

    def enclaves() -> dict[str, str]:
        seen = peer.node.get_node_names_and_namespaces_with_enclaves()
        return {node: path for node, namespace, path in seen if namespace == "/clara"}

    own = {name: f"/clara/{name}" for name in NODES}
    peer.spin_until(lambda: own.items() <= enclaves().items(), 60.0, "each node in its enclave")
    served: set[Access] = set()
    for name in NODES:
        granted = policy[f"/clara/{name}"]

        def done(name: str = name) -> set[Access]:
            return used(peer.node, name, "/clara")

        # The graph comes bit by bit; what is still idle at the end is unused.
        def complete(granted: set[Access] = granted, done: Callable = done) -> bool:
            return not unused(granted, done())

        try:
            peer.spin_until(complete, 15.0, f"{name} uses all it is granted")
        except AssertionError as error:
            raise AssertionError(f"{error}: {described(unused(granted, done()))}") from None
        lacking = missing(granted, done())
        assert not lacking, f"{name} would be denied: {described(lacking)}; see security/"
        served |= done() if name in ("brain", "memory") else set()
    requests = {one for one in policy["/clara/operator"] if one.how == "request"}
    offered = {Access("request", one.name) for one in served if one.how == "reply"}
    assert requests == offered, described(sorted(requests ^ offered))


def test_the_commands_do_what_the_operators_enclave_grants(domain: int) -> None:
    from clara_brain.ros_client import RosClient
    from clara_memory.node_client import NodeClient

    granted = read_policy(POLICY)["/clara/operator"]
    probe = Peer(domain)
    client, memory = RosClient("clara", 1.0), NodeClient("clara", 1.0)
    try:
        for name in (client.node.get_name(), "clara_memory_cli"):
            probe.spin_until(
                lambda name=name: (
                    name in [node for node, _ in probe.node.get_node_names_and_namespaces()]
                    and len(used(probe.node, name, "/clara")) >= 9
                ),
                20.0,
                f"the graph of {name}",
            )
            assert not missing(granted, used(probe.node, name, "/clara"))
    finally:
        client.close()
        memory.close()
        probe.close()


def test_each_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    files = [*ROOT.glob("src/*/test/test_*.py"), *ROOT.glob("tests/test_*.py")]
    there = "\n".join(file.read_text(encoding="utf-8") for file in files)
    absent = [name for name in sorted(named) if f"def {name}(" not in there]
    assert len(named) > 10 and not absent


def test_the_checker_prints_who_may_do_what() -> None:
    command = [sys.executable, str(ROOT / "tools" / "check_policy.py")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "publish /clara/action_request: /clara/brain\n" in shown
    refused = subprocess.run([*command, "no-such-file"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == "no-such-file: No such file or directory\n"
