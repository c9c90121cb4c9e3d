# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's services on the personality and on conversations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from clara_brain import conversions, parameters, persona
from clara_brain.backend import Backend
from clara_brain.errors import SessionNotFound, SpecError, StateError
from clara_brain.fade import LONGEST_S, Fade
from clara_brain.sessions import Sessions
from clara_interfaces.msg import Trait
from clara_interfaces.srv import (
    GetPersonality,
    GetSession,
    ListSessions,
    ResetSession,
    SetPersonality,
)

_SPEC = "spec"  # the personality file's own values
_INACTIVE = "the brain is not active; configure and activate its node"


class State(Protocol):
    """What the services show of the node."""

    spec: persona.Spec
    spec_path: str
    presets: dict[str, dict[str, float]]
    sessions: Sessions | None
    engine: Backend | None

    def system_prompt(self) -> str:
        """Return what the prompt says of the personality as it stands."""


class Services:
    """Serves personality/set, personality/get, session/list, session/get and session/reset."""

    def __init__(self, node: Node, state: State, group: CallbackGroup) -> None:
        self._node = node
        self._state = state
        self._fade = Fade(node, group, lambda values: parameters.set_sliders(node, values))
        for kind, name, callback in (
            (SetPersonality, "personality/set", self._set_personality),
            (GetPersonality, "personality/get", self._get_personality),
            (ListSessions, "session/list", self._list_sessions),
            (GetSession, "session/get", self._get_session),
            (ResetSession, "session/reset", self._reset_session),
        ):
            node.create_service(kind, name, callback, callback_group=group)

    def _set_personality(
        self, request: SetPersonality.Request, response: SetPersonality.Response
    ) -> SetPersonality.Response:
        try:
            values = {**self._preset(request.preset), **self._given(request)}
            if not 0.0 <= request.fade <= LONGEST_S:
                raise SpecError(f"fade must be from 0 to {LONGEST_S:g} seconds")
            self._fade.end()
            if request.fade:
                self._fade.begin(parameters.sliders(self._node), values, request.fade)
            else:
                outcome = parameters.set_sliders(self._node, values)
                if not outcome.successful:
                    raise SpecError(outcome.reason)
        except SpecError as error:
            response.error_code = SetPersonality.Response.INVALID_REQUEST
            response.error_msg = str(error)
        response.traits = self._traits()
        return response

    def _get_personality(
        self, request: GetPersonality.Request, response: GetPersonality.Response
    ) -> GetPersonality.Response:
        response.traits = self._traits()
        response.system_prompt = self._state.system_prompt()
        response.presets = [_SPEC, *self._state.presets]
        response.spec_path = self._state.spec_path
        return response

    def _list_sessions(
        self, request: ListSessions.Request, response: ListSessions.Response
    ) -> ListSessions.Response:
        if self._state.sessions is None:
            response.error_code, response.error_msg = ListSessions.Response.NOT_ACTIVE, _INACTIVE
            return response
        sessions = self._state.sessions.latest_first()
        response.sessions = [conversions.session_message(session) for session in sessions]
        return response

    def _get_session(
        self, request: GetSession.Request, response: GetSession.Response
    ) -> GetSession.Response:
        if self._state.sessions is None:
            response.error_code, response.error_msg = GetSession.Response.NOT_ACTIVE, _INACTIVE
            return response
        try:
            session = self._state.sessions.get(request.session_id)
            response.session = conversions.session_message(session)
            response.exchanges = conversions.exchange_messages(session)
        except SessionNotFound as error:
            response.error_code = GetSession.Response.SESSION_NOT_FOUND
            response.error_msg = str(error)
        return response

    def _reset_session(
        self, request: ResetSession.Request, response: ResetSession.Response
    ) -> ResetSession.Response:
        if self._state.sessions is None:
            response.error_code, response.error_msg = ResetSession.Response.NOT_ACTIVE, _INACTIVE
            return response
        try:
            response.turns = self._state.sessions.reset(request.session_id)
            if self._state.engine:
                self._state.engine.forget(request.session_id)
        except SessionNotFound as error:
            response.error_code = ResetSession.Response.SESSION_NOT_FOUND
            response.error_msg = str(error)
        except StateError as error:
            response.error_code, response.error_msg = ResetSession.Response.UNKNOWN, str(error)
        return response

    def _preset(self, name: str) -> Mapping[str, float]:
        presets = {_SPEC: self._state.spec.values, **self._state.presets}
        if name and name not in presets:
            raise SpecError(f"there is no preset {name!r}; there are {', '.join(presets)}")
        return presets[name] if name else {}

    def _given(self, request: SetPersonality.Request) -> dict[str, float]:
        return _slider_values(request, self._state.spec.values)

    def _traits(self) -> list[Trait]:
        return conversions.traits(self._state.spec, parameters.sliders(self._node))


def _slider_values(request: SetPersonality.Request, sliders: Collection[str]) -> dict[str, float]:
    if len(request.names) != len(request.values):
        raise SpecError(
            f"there are {len(request.names)} names but {len(request.values)} values;"
            " give one for each"
        )
    values: dict[str, float] = {}
    for name, value in zip(request.names, request.values, strict=True):
        if name in values:
            raise SpecError(f"{name} is given twice")
        # A float32 as 0.8 has digits that nobody wrote; seven digits are what it holds.
        values[name] = round(persona.check_value(name, float(value), sliders), 7)
    return values
