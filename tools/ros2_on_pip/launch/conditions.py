# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Conditions on actions."""

from __future__ import annotations

from typing import Any

from .launch_context import LaunchContext
from .substitution import perform

__all__ = ["IfCondition", "UnlessCondition"]

TRUE = ("true", "on", "1")
FALSE = ("false", "off", "0")


class InvalidConditionExpressionError(RuntimeError):
    """A condition is neither true nor false."""


class IfCondition:
    """Holds when the text says true."""

    def __init__(self, predicate_expression: Any) -> None:
        self.predicate_expression = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether it holds.

        Raises:
            InvalidConditionExpressionError: the text is neither true nor false.
        """
        text = perform(context, self.predicate_expression).strip().lower()
        if text in TRUE:
            return True
        if text in FALSE:
            return False
        raise InvalidConditionExpressionError(
            f"invalid condition expression '{text}', expected one of {[*TRUE, *FALSE]}"
        )


class UnlessCondition(IfCondition):
    """Holds when the text says false."""

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether it holds."""
        return not super().evaluate(context)
