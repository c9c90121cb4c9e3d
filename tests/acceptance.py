# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What the interface files say must be refused, written anew from their comments: the oracle.

`must_refuse` gives the reason, or "" for a request that must be accepted, or None where it depends
on more than the request (a file, an episode, a slider). It shares no code with the nodes.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clara_interfaces.action import Chat
from clara_interfaces.msg import ActionEvent, ActionResult, Utterance
from clara_interfaces.srv import (
    CorrectEpisode,
    Embed,
    ForgetEpisodes,
    GetSession,
    LoadAdapter,
    MergeMemory,
    PinEpisodes,
    QueryMemory,
    ResetSession,
    ScaleAdapters,
    SetPersonality,
    StoreEpisode,
    Tokenize,
    UnloadAdapter,
)

Verdict = str | None
STANDARD = ("subject", "action", "object", "result")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


def must_refuse(request: Any) -> Verdict:
    """Return why a message must be refused; "" where it must not be; None: either."""
    rule = _RULES.get(type(request))
    if rule is None:
        return ""  # nothing in it can be wrong
    return rule(request)


def _first(reasons: Iterable[Verdict]) -> Verdict:
    """Return the first reason; where there is none, None if anything was doubtful."""
    doubtful = False
    for reason in reasons:
        if reason:
            return reason
        doubtful = doubtful or reason is None
    return None if doubtful else ""


def _control(text: str, allowed: str = "") -> bool:
    return any(each not in allowed for each in _CONTROL.findall(text))


def _text(name: str, text: str, limit: int, lines: bool = False) -> Verdict:
    if len(text) > limit:
        return f"{name} has {len(text)} characters"
    return f"{name} has a control character" if _control(text, "\t\n\r" * lines) else ""


def _required(name: str, text: str) -> Verdict:
    if not text or text.isspace():
        return f"{name} is empty"
    # What separates words is set aside, so that a name of nothing else is none.
    folded = unicodedata.normalize("NFKC", text)
    return None if all(each in "-_" or each.isspace() for each in folded) else ""


def _time(name: str, time: Any) -> Verdict:
    return f"{name} is before 1970" if time.sec < 0 else "" if time.nanosec < 10**9 else None


def _ns(time: Any) -> int:
    return int(time.sec) * 10**9 + int(time.nanosec)


def _fillers(name: str, fillers: Sequence[Any], standard: bool = False) -> Verdict:
    if len(fillers) > 16:
        return f"{name} has {len(fillers)} roles"
    roles = [filler.role for filler in fillers]
    if len(set(roles)) < len(roles):
        return f"{name} has a role twice"
    return _first(_filler(name, filler, standard) for filler in fillers)


def _filler(name: str, filler: Any, standard: bool) -> Verdict:
    if not _ROLE.match(filler.role):
        return f"{name} has the role {filler.role[:40]!r}"
    if filler.role in STANDARD and not standard:
        return f"{name} has the role {filler.role}, which has a field of its own"
    wanted = {filler.TEXT: 0, filler.NUMBER: 1, filler.POSITION: 3}.get(filler.kind)
    if wanted is None or len(filler.values) != wanted:
        return f"{name} has kind {filler.kind} with {len(filler.values)} values"
    if not all(map(math.isfinite, filler.values)):
        return f"{name} has a value that is not finite"
    if filler.role in STANDARD and filler.kind:
        return f"{name} has {filler.role} that is no text"
    if filler.kind == filler.NUMBER and filler.filler:
        return f"{name} has a number with a filler"
    empty = _required(f"{name}.filler", filler.filler) if filler.kind == filler.TEXT else ""
    return _first((_text(f"{name}.filler", filler.filler, 256), empty))


def _ranges(ranges: Sequence[Any]) -> Verdict:
    if len(ranges) > 16:
        return f"ranges has {len(ranges)}"
    roles = [one.role for one in ranges]
    if len(set(roles)) < len(roles):
        return "ranges has a role twice"
    return _first(_range(one) for one in ranges)


def _range(one: Any) -> Verdict:
    if not _ROLE.match(one.role):
        return f"ranges has the role {one.role[:40]!r}"
    bounds = (one.low, one.high)
    if not len(one.center):
        if one.radius != 0 or one.frame:
            return f"{one.role} has a radius or a frame without a center"
        return "" if one.low <= one.high else f"{one.role} from {one.low} to {one.high}"
    if len(one.center) != 3 or not all(map(math.isfinite, one.center)):
        return f"{one.role} is around {list(one.center)[:4]}"
    if any(each not in (0.0, math.inf, -math.inf) for each in bounds):
        return f"{one.role} has bounds {bounds} beside a center"
    if not one.radius >= 0:
        return f"{one.role} has the radius {one.radius}"
    return _text("frame", one.frame, 256)


def _numbers(
    name: str, values: Iterable[float], low: float, high: float, of: str = "values"
) -> Verdict:
    outside = [value for value in values if not low <= value <= high]
    return f"{name} has {of} {outside[:3]}" if outside else ""


def _store(request: StoreEpisode.Request) -> Verdict:
    episode = request.episode
    contradicts = bool(episode.outcome and episode.result)
    start, end = _ns(episode.start), _ns(episode.end)
    return _first(
        (
            *(
                _text(name, getattr(episode, name), 256)
                for name in ("robot", "subject", "action", "object", "result")
            ),
            _text("action_id", episode.action_id, 128),
            _text("episode_id", episode.episode_id, 64),
            _text("detail", episode.detail, 1024, lines=True),
            _required("action", episode.action),
            "outcome" if episode.outcome > 4 else "",
            _fillers("context", episode.context),
            _fillers("effects", episode.effects),
            _time("start", episode.start),
            _time("end", episode.end),
            "end is before start" if end and end < start else "",
            # An id may be there already; a word for a result may contradict the outcome.
            None if episode.episode_id or contradicts else "",
        )
    )


def _query(request: QueryMemory.Request) -> Verdict:
    since, until = _ns(request.since), _ns(request.until)
    roles = list(request.ask)
    return _first(
        (
            _fillers("cue", request.cue, standard=True),
            _text("text", request.text, 1024, lines=True),
            f"ask has {len(roles)} roles" if len(roles) > 16 else "",
            *(f"ask has {role[:40]!r}" for role in roles if not _ROLE.match(role)),
            "ask has a role twice" if len(set(roles)) < len(roles) else "",
            "top_k" if request.top_k > 100 else "",
            "max_episodes" if request.max_episodes > 1000 else "",
            _time("since", request.since),
            _time("until", request.until),
            "until is before since" if until and until < since else "",
            "outcomes" if any(each > 4 for each in request.outcomes) else "",
            *(_text("robots", each, 256) for each in request.robots),
            *(_text("subjects", each, 256) for each in request.subjects),
            _ranges(request.ranges),
            "weights" if len(request.weights) not in (0, len(request.cue)) else "",
            _numbers("weights", request.weights, 0.0, 100.0),
            _numbers("recency_half_life", [request.recency_half_life], 0.0, 3.5e38),
            # A time of day may be one that there is not.
            *(None for filler in request.cue if filler.role == "time_of_day"),
        )
    )


def _forget(request: ForgetEpisodes.Request) -> Verdict:
    conditions = request.episode_ids or request.where or _ns(request.since) or _ns(request.until)
    return _first(
        (
            "" if conditions else "no condition at all",
            _fillers("where", request.where, standard=True),
            _time("since", request.since),
            _time("until", request.until),
            _text("reason", request.reason, 1024, lines=True),
        )
    )


def _correct(request: CorrectEpisode.Request) -> Verdict:
    roles = [change.role for change in request.changes]
    return _first(
        (
            "" if roles else "nothing is to be changed",
            f"changes has a role of {roles}" if {*roles} - {*STANDARD, "detail"} else "",
            "changes has a role twice" if len(set(roles)) < len(roles) else "",
            *(_change(change) for change in request.changes),
            None,  # an episode of that id may be there
        )
    )


def _change(change: Any) -> Verdict:
    if change.kind != change.TEXT or len(change.values):
        return f"changes has kind {change.kind} with {len(change.values)} values"
    limit = 1024 if change.role == "detail" else 256
    return _first(
        (
            _text("changes", change.filler, limit, lines=change.role == "detail"),
            _required("changes", change.filler) if change.role == "action" else "",
        )
    )


def _pin(request: PinEpisodes.Request) -> Verdict:
    return None if request.episode_ids else "no episode is named"


def _merge(request: MergeMemory.Request) -> Verdict:
    return None if request.path else "no file is named"


def _pairs(names: Sequence[str], values: Sequence[float], low: float, high: float) -> Verdict:
    if len(names) != len(values):
        return f"{len(names)} names and {len(values)} values"
    if len(set(names)) < len(names):
        return "a name is given twice"
    return _numbers("values", values, low, high) or (None if len(names) else "")


def _set_personality(request: SetPersonality.Request) -> Verdict:
    return _first(
        (
            _pairs(request.names, request.values, 0.0, 1.0),
            _numbers("fade", [request.fade], 0.0, 3600.0),
            None if request.preset else "",
        )
    )


def _scale(request: ScaleAdapters.Request) -> Verdict:
    return _pairs(request.names, request.scales, -4.0, 4.0)


def _load(request: LoadAdapter.Request) -> Verdict:
    name = request.name
    if not 1 <= len(name) <= 64 or _control(name):
        return f"name is {name[:70]!r}"
    return _numbers("scale", [request.scale], -4.0, 4.0) or None


def _embed(request: Embed.Request) -> Verdict:
    if not 1 <= len(request.texts) <= 64:
        return f"{len(request.texts)} texts"
    if any(not text or text.isspace() for text in request.texts):
        return "a text is empty"
    # A token is a byte at least, and tokens are what is limited.
    return None if any(len(text) > 60 for text in request.texts) else ""


def _tokenize(request: Tokenize.Request) -> Verdict:
    return "text is too long" if len(request.text) > 65_536 else ""


def _said(text: str) -> Verdict:
    if not text or text.isspace() or len(text) > 16_384:
        return f"text has {len(text)} characters"
    return ""


def _chat(goal: Chat.Goal) -> Verdict:
    sampling = goal.sampling
    return _first(
        (
            _said(goal.text),
            f"session_id has {len(goal.session_id)} characters"
            if len(goal.session_id) > 128
            else "",
            "memory_policy" if goal.memory_policy > 3 else "",
            "skill_policy" if goal.skill_policy not in (0, 1, 3, 4) else "",
            "deadline" if goal.deadline.sec < 0 else "",
            _numbers("temperature", [sampling.temperature], -math.inf, 2.0),
            _numbers("top_p", [sampling.top_p], -math.inf, 1.0),
            _numbers("min_p", [sampling.min_p], -math.inf, 1.0),
            _numbers("repeat_penalty", [sampling.repeat_penalty], -math.inf, 2.0),
            "repeat_penalty is 0" if sampling.repeat_penalty == 0 else "",
            _numbers("presence_penalty", [sampling.presence_penalty], -2.0, 2.0),
            _numbers("frequency_penalty", [sampling.frequency_penalty], -2.0, 2.0),
            f"{len(sampling.stop)} stops" if len(sampling.stop) > 8 else "",
            *("a stop" for stop in sampling.stop if not 1 <= len(stop) <= 64),
            "biases" if len(sampling.bias_tokens) != len(sampling.bias_values) else "",
            "biases" if len(sampling.bias_tokens) > 1024 else "",
            "" if all(value < math.inf for value in sampling.bias_values) else "a bias",
            None if len(sampling.bias_tokens) else "",
            "a grammar and a schema" if sampling.grammar and sampling.json_schema else "",
            _schema(sampling.json_schema),
            None if sampling.grammar else "",
            # A text that is long in tokens may not fit; a deadline may pass, a client be gone.
            None if len(goal.text) > 60 or _ns(goal.deadline) or goal.client else "",
        )
    )


def _schema(schema: str) -> Verdict:
    if not schema:
        return ""
    try:
        parsed = json.loads(schema)
    except (ValueError, RecursionError):
        return "json_schema is no JSON"
    return None if isinstance(parsed, (dict, bool)) else "json_schema is no schema"


def _say(said: Utterance) -> Verdict:
    return _first(
        (
            _said(said.text),
            "request_id" if len(said.request_id) > 128 else "",
            "session_id" if len(said.session_id) > 128 else "",
            None if len(said.text) > 60 else "",
        )
    )


def _action_id(action_id: str) -> Verdict:
    return _text("action_id", action_id, 128) if action_id else "action_id is empty"


def _event(event: ActionEvent) -> Verdict:
    return _first(
        (
            _action_id(event.action_id),
            *(_text(name, getattr(event, name), 256) for name in ("subject", "action", "object")),
            _required("action", event.action),
            _fillers("context", event.context),
            _time("stamp", event.header.stamp),
        )
    )


def _result(result: ActionResult) -> Verdict:
    return _first(
        (
            _action_id(result.action_id),
            "" if 1 <= result.outcome <= 4 else "outcome",
            _text("detail", result.detail, 1024, lines=True),
            _fillers("effects", result.effects),
            _time("stamp", result.header.stamp),
        )
    )


_RULES: dict[type, Callable[[Any], Verdict]] = {
    StoreEpisode.Request: _store,
    QueryMemory.Request: _query,
    ForgetEpisodes.Request: _forget,
    CorrectEpisode.Request: _correct,
    PinEpisodes.Request: _pin,
    MergeMemory.Request: _merge,
    SetPersonality.Request: _set_personality,
    ScaleAdapters.Request: _scale,
    LoadAdapter.Request: _load,
    Embed.Request: _embed,
    Tokenize.Request: _tokenize,
    # Whether there is one of that name.
    UnloadAdapter.Request: lambda request: None,
    GetSession.Request: lambda request: None,
    ResetSession.Request: lambda request: None,
    Chat.Goal: _chat,
    Utterance: _say,
    ActionEvent: _event,
    ActionResult: _result,
}
