# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Between messages and the library's own types; every field of a goal is checked here."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from typing import TypeVar

from diagnostic_msgs.msg import KeyValue
from rclpy.time import Time

from clara_brain import errors
from clara_brain.asking_memory import MemoryPolicy
from clara_brain.decoding import Stop
from clara_brain.earlier_turns import Hit
from clara_brain.kv_cache import AdapterScales
from clara_brain.model_info import ModelInfo
from clara_brain.persona import Spec
from clara_brain.readout import Readout
from clara_brain.sampler import SamplerSettings, check_biases
from clara_brain.sessions import Session
from clara_brain.settings import BrainSettings, SamplingSettings
from clara_brain.skill_decision import Decision
from clara_brain.skill_use import Decided, SkillPolicy
from clara_brain.turn import TurnRequest, TurnResult
from clara_brain.units import to_si
from clara_interfaces.action import Chat
from clara_interfaces.msg import (
    ActionEvent,
    Adapter,
    ConversationHit,
    Exchange,
    Governance,
    RoleFiller,
    Sampling,
    SkillDecision,
    Timing,
    Trait,
    Usage,
)
from clara_interfaces.msg import Session as SessionMsg
from clara_interfaces.srv import GetModelInfo

LONGEST_TEXT = 16_384
LONGEST_NAME = 128
_MOST_STOPS, _LONGEST_STOP = 8, 64
_LONGEST_GRAMMAR = 65_536
_MOST_BIASES = 1024
_STRONGEST_PENALTY = 2.0
_LONGEST_HIT = 300

_MEMORY = {
    Chat.Goal.NEVER: MemoryPolicy.NEVER,
    Chat.Goal.AUTO: MemoryPolicy.AUTO,
    Chat.Goal.ALWAYS: MemoryPolicy.ALWAYS,
}
_SKILLS = {
    Chat.Goal.NEVER: SkillPolicy.NEVER,
    Chat.Goal.ALWAYS: SkillPolicy.ALWAYS,
    Chat.Goal.DRY_RUN: SkillPolicy.DRY_RUN,
}
_CODES = {
    errors.InvalidRequest: Chat.Result.INVALID_REQUEST,
    errors.QueueFull: Chat.Result.QUEUE_FULL,
    errors.ContextOverflow: Chat.Result.CONTEXT_OVERFLOW,
    errors.BackendError: Chat.Result.BACKEND_FAILED,
    errors.SchemaMismatch: Chat.Result.SCHEMA_MISMATCH,
    errors.AdapterError: Chat.Result.ADAPTER_FAILED,
    errors.ShuttingDown: Chat.Result.SHUTTING_DOWN,
}


def error_code(error: errors.BrainError) -> int:
    """Error code of the Chat action for an error of the library."""
    return int(_CODES.get(type(error), Chat.Result.UNKNOWN))


def turn_request(
    goal: Chat.Goal, settings: BrainSettings, system: str, adapters: AdapterScales = ()
) -> TurnRequest:
    """Check a goal and fill in what it leaves to the parameters. Raises InvalidRequest."""
    if not goal.text.strip():
        raise errors.InvalidRequest("text is empty")
    _longest("text", goal.text, LONGEST_TEXT)
    _longest("session_id", goal.session_id, LONGEST_NAME)
    seconds = goal.deadline.sec + goal.deadline.nanosec / 1e9
    if seconds < 0:
        raise errors.InvalidRequest(f"deadline must not be negative, but is {seconds} s")
    return TurnRequest(
        text=goal.text,
        system=system,
        sampling=_sampling(goal, settings.sampling),
        max_tokens=goal.max_tokens or settings.max_tokens,
        session=goal.session_id,
        memory=_policy(
            "memory_policy", goal.memory_policy, _MEMORY, MemoryPolicy(settings.memory_policy)
        ),
        skills=_policy(
            "skill_policy", goal.skill_policy, _SKILLS, SkillPolicy(settings.skill_policy)
        ),
        stop=_stops(goal),
        deadline=time.monotonic() + seconds if seconds else None,
        quote_memory=settings.quote_memory,
        json_schema=goal.sampling.json_schema,
        adapters=adapters,
    )


def chat_result(result: TurnResult) -> Chat.Result:
    """Fill the result of the Chat action."""
    completion = result.completion
    message = Chat.Result(
        text=completion.text,
        stop_reason=int(completion.stop),
        memory_ids=result.memory_ids,
        memory_abstained=result.memory_abstained,
        decisions=[_skill_decision(decided) for decided in result.decided],
        dropped_turns=completion.dropped_turns,
        adapters=[Adapter(name=name, scale=scale) for name, scale in result.adapters],
        governance=governance(completion.readout, result.hits),
        usage=Usage(
            prompt_tokens=completion.prompt_tokens,
            cached_tokens=completion.cached_tokens,
            completion_tokens=completion.completion_tokens,
        ),
        timing=Timing(
            queued=completion.queued,
            time_to_first_token=completion.time_to_first_token,
            generating=completion.generating,
            tokens_per_second=completion.tokens_per_second,
        ),
    )
    if completion.error:
        message.error_code = error_code(completion.error)
        message.error_msg = str(completion.error)
    elif completion.stop is Stop.CANCELED:
        message.error_code = Chat.Result.CANCELED
        message.error_msg = "the turn was canceled"
    elif completion.stop is Stop.DEADLINE:
        message.error_code = Chat.Result.DEADLINE_EXCEEDED
        message.error_msg = "the turn was not finished by its deadline"
    return message


def governance(readout: Readout | None, hits: Sequence[Hit] = ()) -> Governance:
    """Return what the heads read in a reply; empty when they read nothing."""
    if readout is None:
        return Governance()
    return Governance(
        policy=readout.policy,
        policy_labels=readout.labels,
        policy_probabilities=readout.probabilities,
        policy_tokens=readout.policy_tokens,
        trace_offsets=readout.trace_offsets,
        trace_nats=readout.trace_nats,
        trace_unsure=readout.unsure,
        hits=[
            ConversationHit(
                turn=hit.span.turn,
                by_clara=hit.span.by_clara,
                text=hit.span.text[:_LONGEST_HIT],
                similarity=hit.similarity,
                recalled=hit.recalled,
            )
            for hit in hits
        ],
    )


def action_event(decision: Decision, action_id: str) -> ActionEvent:
    """Return the request that a decision makes; the time stamp is left open.

    Numbers are in SI units, whatever the skills file has.
    """
    event = ActionEvent(action_id=action_id, action=decision.action, object=decision.object)
    for name, value in decision.context.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = to_si(value, decision.units.get(name, ""))
            filler = RoleFiller(role=name, kind=RoleFiller.NUMBER, values=[number])
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            filler = RoleFiller(role=name, kind=RoleFiller.TEXT, filler=text)
        event.context.append(filler)
    return event


def _skill_decision(decided: Decided) -> SkillDecision:
    return SkillDecision(
        status=decided.status.value,
        skill=decided.decision.skill,
        reason=decided.decision.reason,
        request=action_event(decided.decision, decided.action_id),
    )


def failed(code: int, reason: str) -> Chat.Result:
    """Return the result of a turn that never started."""
    return Chat.Result(stop_reason=Chat.Result.STOP_NONE, error_code=code, error_msg=reason)


def traits(spec: Spec, values: dict[str, float]) -> list[Trait]:
    """All sliders with their values and the defaults of the personality file."""
    return [
        Trait(
            name=name,
            kind=Trait.DOMAIN if name in spec.domains else Trait.TRAIT,
            value=value,
            default_value=spec.values[name],
        )
        for name, value in values.items()
    ]


def session_message(session: Session) -> SessionMsg:
    """Describe a conversation; its times are seconds of the node's clock."""
    return SessionMsg(
        session_id=session.name,
        created=Time(nanoseconds=int(session.created * 1e9)).to_msg(),
        last_used=Time(nanoseconds=int(session.last_used * 1e9)).to_msg(),
        turns=session.turns,
        tokens=session.tokens,
    )


def exchange_messages(session: Session) -> list[Exchange]:
    """Return what was said in a conversation, oldest first."""
    return [Exchange(user=each.user, assistant=each.assistant) for each in session.history]


def fill_model_info(response: GetModelInfo.Response, info: ModelInfo) -> None:
    """Fill the answer of model/info."""
    response.path = info.path
    response.sha256 = info.sha256
    response.bytes = info.bytes
    response.name = info.name
    response.architecture = info.architecture
    response.quantization = info.quantization
    response.parameters = info.parameters
    response.context_length = info.context_length
    response.trained_context_length = info.trained_context_length
    response.backend = info.backend
    response.metadata = [KeyValue(key=key, value=value) for key, value in info.metadata]
    response.governance_error = info.no_heads
    if info.heads:
        response.governance_path = str(info.heads.path)
        response.governance_heads = list(info.heads.heads)
        response.governance_unused = list(info.heads.unused)
        response.governance_unproven = list(info.heads.unproven)
        response.governance_metrics = [
            KeyValue(key=key, value=value) for key, value in info.heads.metrics
        ]


def _longest(name: str, value: str, limit: int) -> None:
    if len(value) > limit:
        raise errors.InvalidRequest(
            f"{name} has {len(value)} characters; at most {limit} are allowed"
        )


_Policy = TypeVar("_Policy", MemoryPolicy, SkillPolicy)


def _policy(name: str, value: int, table: dict[int, _Policy], default: _Policy) -> _Policy:
    if value == Chat.Goal.DEFAULT:
        return default
    if value not in table:
        allowed = ", ".join(str(number) for number in (0, *table))
        raise errors.InvalidRequest(f"{name} must be one of {allowed}, not {value}")
    return table[value]


def _sampling(goal: Chat.Goal, defaults: SamplingSettings) -> SamplerSettings:
    sampling = goal.sampling

    def number(name: str, highest: float) -> float:
        value = getattr(sampling, name)
        if math.isnan(value) or value > highest:
            raise errors.InvalidRequest(
                f"sampling.{name} must be at most {highest:g}, not {value}"
            )
        return float(getattr(defaults, name) if value < 0 else value)

    if sampling.repeat_penalty == 0.0:
        raise errors.InvalidRequest(
            "sampling.repeat_penalty must be more than 0; 1 switches it off"
        )
    for name in ("presence_penalty", "frequency_penalty"):
        if not abs(getattr(sampling, name)) <= _STRONGEST_PENALTY:
            raise errors.InvalidRequest(
                f"sampling.{name} must be from -2 to 2, not {getattr(sampling, name)}"
            )
    seed = sampling.seed if sampling.seed >= 0 else defaults.seed
    return SamplerSettings(
        temperature=number("temperature", 2.0),
        top_p=number("top_p", 1.0),
        top_k=defaults.top_k if sampling.top_k < 0 else sampling.top_k,
        min_p=number("min_p", 1.0),
        repeat_penalty=number("repeat_penalty", 2.0),
        seed=seed if seed >= 0 else random.getrandbits(32),
        grammar=_grammar(sampling),
        presence_penalty=float(sampling.presence_penalty),
        frequency_penalty=float(sampling.frequency_penalty),
        logit_bias=_biases(sampling),
        json_schema=str(sampling.json_schema),
    )


def _grammar(sampling: Sampling) -> str:
    _longest("sampling.grammar", sampling.grammar, _LONGEST_GRAMMAR)
    _longest("sampling.json_schema", sampling.json_schema, _LONGEST_GRAMMAR)
    if sampling.json_schema and sampling.grammar:
        raise errors.InvalidRequest("sampling has both a grammar and a json_schema; give one")
    return str(sampling.grammar)


def _biases(sampling: Sampling) -> tuple[tuple[int, float], ...]:
    tokens, values = sampling.bias_tokens, sampling.bias_values
    if len(tokens) != len(values):
        raise errors.InvalidRequest(
            f"sampling has {len(tokens)} bias_tokens but {len(values)} bias_values"
        )
    if len(tokens) > _MOST_BIASES:
        raise errors.InvalidRequest(
            f"sampling.bias_tokens has {len(tokens)} entries; at most {_MOST_BIASES} are allowed"
        )
    pairs = tuple(zip(map(int, tokens), map(float, values), strict=True))
    check_biases(pairs)
    return pairs


def _stops(goal: Chat.Goal) -> tuple[str, ...]:
    stops = tuple(goal.sampling.stop)
    if len(stops) > _MOST_STOPS:
        raise errors.InvalidRequest(
            f"sampling.stop has {len(stops)} entries; at most {_MOST_STOPS}"
        )
    for stop in stops:
        if not stop:
            raise errors.InvalidRequest("sampling.stop has an empty entry")
        _longest("an entry of sampling.stop", stop, _LONGEST_STOP)
    return stops
