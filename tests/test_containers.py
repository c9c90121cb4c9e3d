# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The images and the compose files, read: nothing here needs a container engine."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
IMAGES = ("robot.Dockerfile", "training.Dockerfile")
SHIPPED = ("clara_interfaces", "clara_memory", "clara_brain", "clara_console", "clara_demo")
SECRET = re.compile(
    r"(api[_-]?key|token|password|secret)\s*[=:]\s*['\"]?[A-Za-z0-9+/_-]{8,}", re.I
)


def instructions(name: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments, lines joined."""
    text = (DOCKER / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def copied(name: str) -> list[str]:
    """Return what a Dockerfile copies from the checkout."""
    sources = []
    for word, rest in instructions(name):
        if word == "COPY" and "--from=" not in rest:
            sources += rest.split()[:-1]
    return sources


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out of the build context; the last match counts."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!").removeprefix("**/")
        if not pattern or pattern.startswith("#"):
            continue
        parts = path.split("/")
        anywhere = line.lstrip("!").startswith("**/")
        hit = any(
            fnmatch.fnmatchcase(part, pattern) for part in (parts if anywhere else parts[:1])
        )
        if hit:
            out = not line.startswith("!")
    return out


def compose(*names: str) -> dict[str, Any]:
    """Return the services of compose files laid over each other, variables left as written."""
    services: dict[str, Any] = {}
    for name in names:
        read = yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))
        for service, settings in read["services"].items():
            services.setdefault(service, {}).update(settings)
    return services


@pytest.mark.parametrize("name", IMAGES)
def test_what_an_image_copies_is_there_and_not_kept_out_of_the_context(name: str) -> None:
    sources = copied(name)
    assert "constraints.txt" in sources and "requirements" in sources
    for source in sources:
        assert (ROOT / source).exists(), f"{name} copies {source}, which is not there"
        assert not ignored(source), f".dockerignore keeps out {source}"


@pytest.mark.parametrize(
    "path",
    ["models/clara.gguf", "src/x/memory.sqlite3", "src/.env", "log", ".venv", ".git", "a.pem"],
)
def test_models_memories_keys_and_products_stay_out_of_the_context(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_as_a_user_without_rights_and_has_a_health_check(name: str) -> None:
    words = instructions(name)
    users = [rest for word, rest in words if word == "USER"]
    assert users and users[-1] not in ("root", "0"), users
    assert int(users[-1]) > 1000
    assert any(word == "RUN" and f"--uid {users[-1]} " in rest for word, rest in words)
    assert any(word == "HEALTHCHECK" and "CMD" in rest for word, rest in words)
    assert any(word == "VOLUME" for word, _ in words)
    last = max(place for place, (word, _) in enumerate(words) if word == "FROM")
    assert all(words.index(("USER", user)) > last for user in users)


@pytest.mark.parametrize("name", IMAGES)
def test_no_base_is_latest_and_nothing_in_a_file_looks_like_a_secret(name: str) -> None:
    words = instructions(name)
    stages = {rest.rsplit(" ", 1)[-1] for word, rest in words if word == "FROM" and " AS " in rest}
    for word, rest in words:
        if word == "FROM":
            base = rest.split(" ")[0]
            inside = base in stages or base.startswith(("build-$", "runtime-$"))
            assert inside or (":" in base and "latest" not in base), base
    for file in DOCKER.iterdir():
        text = file.read_text(encoding="utf-8")
        assert ":latest" not in text, file
        assert not SECRET.search(text), f"{file}: {SECRET.search(text)}"


def test_the_robot_image_has_no_pytorch_and_each_ros_package_that_is_declared() -> None:
    text = (DOCKER / "robot.Dockerfile").read_text(encoding="utf-8")
    assert "training.txt" not in text and "clara_training" not in text
    declared = set()
    for package in SHIPPED[1:]:
        tree = ElementTree.parse(ROOT / "src" / package / "package.xml")
        declared |= {str(element.text) for element in tree.getroot().iter("exec_depend")}
    ours = {f"ros-${{ROS_DISTRO}}-{name.replace('_', '-')}" for name in declared}
    wanted = {name for name in ours if not re.search(r"-(python3|clara)-", name)}
    assert (
        set(re.findall(r"ros-\$\{ROS_DISTRO\}-[a-z0-9-]+", text)) - {"ros-${ROS_DISTRO}-ros-base"}
        == wanted
    )


def test_layers_that_change_seldom_come_first() -> None:
    order = [rest for word, rest in instructions("robot.Dockerfile") if word in ("COPY", "RUN")]
    places = [
        next(place for place, rest in enumerate(order) if text in rest)
        for text in ("constraints.txt", "set_up.py --runtime", "clara_interfaces", "clara_brain")
    ]
    assert places == sorted(places)


def test_the_services_are_shut_in_and_share_one_network_and_domain() -> None:
    services = compose("compose.yaml")
    assert set(services) == {"clara", "simulated_robot", "console", "training"}
    assert services["training"]["profiles"] == ["training"]
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        build = service["build"]
        assert (DOCKER / build["context"] / build["dockerfile"]).is_file(), name
        if name != "training":
            assert service["read_only"] is True and service["network_mode"] == "host", name
            assert "ROS_DOMAIN_ID" in service["environment"], name
            assert "/tmp" in service["tmpfs"], name
    assert "memory:/data" in services["clara"]["volumes"]
    models = next(volume for volume in services["clara"]["volumes"] if "/models" in volume)
    assert models.endswith(":ro")


def test_a_gpu_is_asked_for_only_in_the_file_that_says_so() -> None:
    assert not any("deploy" in service for service in compose("compose.yaml").values())
    with_gpu = compose("compose.yaml", "compose.cuda.yaml")
    for name in ("clara", "training"):
        devices = with_gpu[name]["deploy"]["resources"]["reservations"]["devices"]
        assert devices[0]["capabilities"] == ["gpu"]
    params = yaml.safe_load((DOCKER / "cuda.params.yaml").read_text(encoding="utf-8"))
    assert params["/**/brain"]["ros__parameters"]["n_gpu_layers"] == -1


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give what an image has, with a `ros2` that says what it was given."""
    shutil.copytree(DOCKER, tmp_path / "docker")
    (tmp_path / "setup.bash").write_text(f'export PATH="{tmp_path}/bin:$PATH" CLARA_IS_SET_UP=1\n')
    (tmp_path / "bin").mkdir()
    ros2 = tmp_path / "bin" / "ros2"
    ros2.write_text('#!/bin/sh\nprintf "%s\\n" "$CLARA_IS_SET_UP" "$@"\n')
    ros2.chmod(0o755)
    return tmp_path


def entrypoint(tree: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tree / "docker" / "entrypoint.bash"), *words],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_entrypoint_launches_with_what_is_set_and_nothing_that_is_empty(tree: Path) -> None:
    plain = entrypoint(tree, "launch", CLARA_MODEL="", CLARA_NAMESPACE="")
    assert plain.stdout.split() == ["1", "launch", "clara_brain", "clara.launch.py"], plain.stderr
    full = entrypoint(
        *(tree, "launch", "demo:=true"),
        CLARA_MODEL="/models/my model.gguf",
        CLARA_NAMESPACE="robot1",
    )
    assert full.stdout.splitlines()[-3:] == [
        "namespace:=robot1",
        "model:=/models/my model.gguf",
        "demo:=true",
    ]


def test_the_entrypoint_runs_any_other_command_and_hands_on_its_exit_code(tree: Path) -> None:
    assert entrypoint(tree, "bash", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    ("given", "launched", "node"),
    [
        ("/robot1/clara", "namespace:=robot1/clara", "__ns:=/robot1/clara"),
        ("robot1//", "namespace:=robot1", "__ns:=/robot1"),
        ("/", "namespace:=/", "__ns:=/"),
        ("", "clara.launch.py", "__ns:=/clara"),
    ],
)
def test_a_namespace_may_be_written_with_slashes_around_it(
    tree: Path, given: str, launched: str, node: str
) -> None:
    said = entrypoint(tree, "launch", CLARA_NAMESPACE=given)
    assert said.stdout.split()[-1] == launched, said.stderr
    command = compose("compose.yaml")["console"]["command"]
    said = entrypoint(tree, *command, CLARA_NAMESPACE=given)
    console = ["1", "run", "clara_console", "console", "--ros-args", "-r", node, "-p"]
    assert said.stdout.split()[:-1] == console, said.stderr


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[str]:
    """Give the address of a web server that answers with the status asked for."""
    server = HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5.0)


def test_a_console_that_asks_for_its_token_is_healthy_and_a_failing_one_is_not(page: str) -> None:
    def code(*words: str) -> int:
        command = [sys.executable, str(DOCKER / "healthcheck.py"), *words]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert code("http", f"{page}/200") == 0
    assert code("http", f"{page}/401") == 0
    assert code("http", f"{page}/500") == 1
    assert code("http", "http://127.0.0.1:9/") == 1
    assert code("pulse") == 2


def test_licences_are_judged_and_a_group_has_only_what_it_asks_for(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    import sbom
    from packaging.requirements import Requirement

    for name, needs in (
        ("a", ["b", 'c; extra == "more"', 'd; python_version < "3"']),
        ("b", ["e[more]"]),
        ("c", []),
        ("d", []),
        ("e", ['f; extra == "more"']),
        ("f", []),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = [f"Requires-Dist: {need}" for need in needs]
        lines += ["Provides-Extra: more"]
        text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines])
        (folder / "METADATA").write_text(text + "\n")
    machine = {"python_version": "3.12", "extra": ""}
    folders = [str(tmp_path)]
    assert sbom.closure([Requirement("a")], folders, machine) == {"a", "b", "e", "f"}
    assert "c" in sbom.closure([Requirement("a[more]")], folders, machine)
    assert sbom.is_allowed("MIT") and sbom.is_allowed("GPL-2.0-only OR MIT")
    assert sbom.is_allowed("BSD License, BSD-3-Clause")
    assert not sbom.is_allowed("AGPL-3.0-only") and not sbom.is_allowed("")
    assert not sbom.is_allowed("MIT AND GPL-3.0-only")
    bom = json.loads(
        '{"components": [{"bom-ref": "a", "name": "a", "version": "1"},'
        ' {"bom-ref": "m", "name": "mergekit", "version": "1",'
        ' "licenses": [{"license": {"id": "LGPL-3.0-only"}}]}], "dependencies": []}'
    )
    packages = [sbom.licensed(part) for part in sbom.part_of(bom, {"a", "mergekit"})["components"]]
    assert sbom.refused(packages) == ["a 1: states no licence"]
