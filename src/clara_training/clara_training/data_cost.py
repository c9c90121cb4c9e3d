# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What Claude costs: the price table, the cost of an answer, an estimate, and the cap.

Nothing is sent unless the most that it could cost still fits under the cap; what it did cost is
then counted from the usage that the API reports.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clara_training.errors import ApiError, BudgetError

# US dollars for a million tokens, from Anthropic's published list.
PRICED_ON = "2026-10-24"
PRICES_SOURCE = "https://platform.claude.com/docs/en/about-claude/pricing"
BATCH_SHARE = 0.5  # of the price, through the Message Batches API
CACHE_WRITE_5M = 1.25  # of the input price
CACHE_WRITE_1H = 2.0
# English text has 4 characters a token or more; with fewer the estimate is on the safe side.
CHARACTERS_A_TOKEN = 3.0


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_read: float


PRICES = {
    "claude-haiku-5-5": Price(0.10, 0.50, 0.01),
    "claude-haiku-4-5": Price(1.0, 5.0, 0.10),
    "claude-sonnet-5-5": Price(2.0, 10.0, 0.10),
    "claude-sonnet-5": Price(2.0, 10.0, 0.20),
    "claude-opus-5-5": Price(4.0, 20.0, 0.20),
    "claude-opus-5": Price(5.0, 25.0, 0.50),
}
DEFAULT_MODEL = "claude-sonnet-5-5"
# US dollars for a run: the standard spec, and a quarter for what is asked for again.
DEFAULT_CAP = 15.0


def price_of(model: str) -> Price:
    """Return a model's price. Raises ApiError for a model that is not in the table."""
    if model not in PRICES:
        raise ApiError(
            f"the price of {model!r} is not known, so that no cap could be kept; take one of "
            f"{', '.join(PRICES)}, or add it to PRICES in data_cost.py"
        )
    return PRICES[model]


def cost_of(usage: Mapping[str, Any], model: str, batch: bool) -> float:
    """Return the US dollars that an answer cost, from its usage as the API reports it."""
    price = price_of(model)
    written = usage.get("cache_creation") or {}
    hour = int(written.get("ephemeral_1h_input_tokens") or 0)
    short = int(usage.get("cache_creation_input_tokens") or 0) - hour
    dollars = (
        int(usage.get("input_tokens") or 0) * price.input
        + max(short, 0) * price.input * CACHE_WRITE_5M
        + hour * price.input * CACHE_WRITE_1H
        + int(usage.get("cache_read_input_tokens") or 0) * price.cache_read
        + int(usage.get("output_tokens") or 0) * price.output
    ) / 1e6
    return dollars * (BATCH_SHARE if batch else 1.0)


def most_of(characters: int, max_tokens: int, model: str, batch: bool) -> float:
    """Return the most US dollars that a request can cost: no cache read, every token written."""
    price = price_of(model)
    tokens = characters / CHARACTERS_A_TOKEN
    written = CACHE_WRITE_1H if batch else CACHE_WRITE_5M
    dollars = (tokens * price.input * written + max_tokens * price.output) / 1e6
    return dollars * (BATCH_SHARE if batch else 1.0)


class Budget:
    """How much may be spent, has been spent, and is at risk in requests under way."""

    def __init__(self, cap: float, spent: float) -> None:
        self.cap = cap
        self.spent = spent
        self.at_risk = 0.0
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """US dollars that may still be put at risk."""
        with self._lock:
            return self.cap - self.spent - self.at_risk

    def reserve(self, most: float) -> None:
        """Put US dollars at risk. Raises BudgetError when the cap could be passed."""
        with self._lock:
            self._check(most, self.at_risk)
            self.at_risk += most

    def lose(self, most: float) -> None:
        """Count an attempt that gave nothing at its most; what is at risk is then the next one.

        Raises BudgetError when with the next one the cap could be passed.
        """
        with self._lock:
            self.spent += most
            self._check(most, max(self.at_risk - most, 0.0))

    def settle(self, most: float, cost: float) -> None:
        """Take US dollars off what is at risk, and count what they really were."""
        with self._lock:
            self.at_risk = max(self.at_risk - most, 0.0)
            self.spent += cost

    def _check(self, most: float, at_risk: float) -> None:
        if self.spent + at_risk + most > self.cap:
            raise BudgetError(
                f"${self.spent:.2f} are spent and the next request could cost ${most:.4f} more, "
                f"with ${at_risk:.4f} at risk already: the cap of ${self.cap:.2f} is reached; "
                "raise it with --max-cost, all that was paid for is kept"
            )
