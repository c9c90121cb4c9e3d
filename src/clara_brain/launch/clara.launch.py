# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Start Clara: the brain, the memory and, if asked for, the web console and a simulated robot.

An argument left empty is not passed on: the node's own default, or that of `params_file`, holds.
`autostart` is never empty, and wins over the file; with `demo` so do the demo's skills and memory.
"""

import difflib
import os
import re
import sys

import yaml
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity


def in_any_case(*words: str) -> list[str]:
    """Return spellings of the words: a launch file in Python says True, the command line true."""
    return [
        spelling
        for word in words
        for spelling in dict.fromkeys((word, word.capitalize(), word.upper()))
    ]


# What a simulated robot did is nothing that the real one should remember.
DEMO_MEMORY = "~/.clara/demo.sqlite3"

ARGUMENTS = [
    DeclareLaunchArgument(
        "namespace", default_value="clara", description="ROS namespace of all nodes"
    ),
    DeclareLaunchArgument(
        "model",
        default_value="",
        description="GGUF file of the language model; empty: SmolLM2-135M-Instruct",
    ),
    DeclareLaunchArgument(
        "spec",
        default_value="",
        description="clara_spec.json with the personality; empty: the one shipped",
    ),
    DeclareLaunchArgument(
        "skills",
        default_value="",
        description="YAML file of what the robot can do; empty: nothing",
    ),
    DeclareLaunchArgument(
        "memory_path",
        default_value="",
        description=f"file of the memory; empty: ~/.clara/memory.sqlite3, with demo {DEMO_MEMORY}",
    ),
    DeclareLaunchArgument(
        "params_file", default_value="", description="YAML file of parameters for the nodes"
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        choices=in_any_case("true", "false"),
        description="configure and activate the nodes at once, whatever params_file says",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=in_any_case("", "true", "false"),
        description="take the time from /clock; empty: as the launch around this one says",
    ),
    DeclareLaunchArgument(
        "respawn",
        default_value="false",
        choices=in_any_case("true", "false"),
        description="start a node again when it has died",
    ),
    DeclareLaunchArgument(
        "demo",
        default_value="false",
        choices=in_any_case("true", "false"),
        description="start the simulated robot of clara_demo, with its skills",
    ),
    DeclareLaunchArgument(
        "console",
        default_value="false",
        choices=in_any_case("true", "false"),
        description="serve the operator's web page on http://127.0.0.1:8470/",
    ),
    DeclareLaunchArgument(
        "console_port",
        default_value="",
        description="TCP port of that page: each robot on one machine needs its own; empty: 8470",
    ),
    DeclareLaunchArgument(
        "enclaves",
        default_value="",
        description="parent of the nodes' SROS2 enclaves, as /clara; empty: they get none",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=in_any_case("debug", "info", "warn", "error", "fatal"),
        description="least severity that the nodes log",
    ),
]

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
NAMESPACE = re.compile(rf"/?({NAME}(/{NAME})*/?)?")


def refuse_unknown_arguments(context: LaunchContext) -> None:
    """Raise an error for a misspelt argument, which `ros2 launch` would drop in silence.

    Only where this file itself is launched: included from a robot's own launch file, it sees that
    file's arguments too.
    """
    if not any(os.path.basename(word) == os.path.basename(__file__) for word in sys.argv):
        return
    known = [argument.name for argument in ARGUMENTS]
    for name in context.launch_configurations:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean '{close[0]}'?"
                if close
                else f"known are {', '.join(sorted(known))}."
            )
            raise RuntimeError(f"clara.launch.py has no argument '{name}': {hint}")


def refuse_broken_yaml(params_file: str) -> None:
    """Raise an error that names the line: each node would only end, with a traceback."""
    try:
        with open(params_file, encoding="utf-8") as file:
            for _ in yaml.parse(file, Loader=yaml.SafeLoader):
                pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise RuntimeError(f"params_file: {params_file}{line}: {error.problem}") from error
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise RuntimeError(f"params_file: {params_file} cannot be read: {error}") from error


def port_number(text: str) -> int:
    """Return the TCP port that the text is; raise an error where it is none."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise RuntimeError(f"console_port: {text!r} must be a number from 0 (any free) to 65535")
    return int(text)


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the nodes to start, with what the arguments say."""
    refuse_unknown_arguments(context)

    chosen = {argument.name for argument in ARGUMENTS if argument.choices}

    def value(name: str) -> str:
        given = str(LaunchConfiguration(name).perform(context))
        return given.lower() if name in chosen else given

    def path(name: str, otherwise: str = "") -> str:
        given = value(name) or otherwise
        return os.path.abspath(os.path.expanduser(given)) if given else ""

    params_file = path("params_file")
    if params_file and not os.path.isfile(params_file):
        raise RuntimeError(f"params_file: there is no file {params_file}")
    if params_file:
        refuse_broken_yaml(params_file)
    namespace = value("namespace")
    if not NAMESPACE.fullmatch(namespace):
        raise RuntimeError(
            f"namespace: {namespace!r} must be names parted by '/', as robot1/clara: each of"
            " letters, digits and '_', and not beginning with a digit"
        )
    outer = str(context.launch_configurations.get("ros_namespace", ""))  # of PushRosNamespace
    use_sim_time = {"true": True, "false": False}.get(value("use_sim_time"), "")
    demo = value("demo") == "true"
    port = value("console_port") and port_number(value("console_port"))
    enclaves = value("enclaves").rstrip("/")
    if enclaves and not enclaves.startswith("/"):
        raise RuntimeError(f"enclaves: {enclaves!r} must begin with '/', as /clara")

    def node(package: str, executable: str, name: str, **parameters: object) -> Node:
        parameters["use_sim_time"] = use_sim_time
        given = {key: setting for key, setting in parameters.items() if setting != ""}
        full = namespace if namespace.startswith("/") else f"{outer}/{namespace}"
        logger = ".".join([*filter(None, full.split("/")), name])
        enclave = ["--enclave", f"{enclaves}/{name}"] if enclaves else []
        return Node(
            package=package,
            executable=executable,
            name=name,
            namespace=namespace,
            parameters=([params_file] if params_file else []) + ([given] if given else []),
            ros_arguments=["--log-level", f"{logger}:={value('log_level')}", *enclave],
            output="screen",
            respawn=value("respawn") == "true",
            respawn_delay=1.0,
        )

    autostart = value("autostart") == "true"
    skills = path("skills")
    if demo and not skills:
        shipped = PathJoinSubstitution([FindPackageShare("clara_demo"), "config", "skills.yaml"])
        skills = shipped.perform(context)
    started = [
        node(
            "clara_memory",
            "memory_node",
            "memory",
            autostart=autostart,
            memory_path=path("memory_path", DEMO_MEMORY if demo else ""),
        ),
        node(
            "clara_brain",
            "brain_node",
            "brain",
            autostart=autostart,
            model=path("model"),
            spec=path("spec"),
            skills=skills,
        ),
    ]
    if demo:
        started.append(node("clara_demo", "robot_node", "robot"))
    if value("console") == "true":
        started.append(node("clara_console", "console", "console", port=port))
    return started


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=nodes)])
