# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a generation: what there is, what is wanted, and the requests that fill the gap."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clara_training.data_claude import Request
from clara_training.data_cost import (
    BATCH_SHARE,
    CACHE_WRITE_1H,
    CACHE_WRITE_5M,
    CHARACTERS_A_TOKEN,
    DEFAULT_CAP,
    DEFAULT_MODEL,
    most_of,
    price_of,
)
from clara_training.data_duplicates import SIMILAR, Pool
from clara_training.data_files import (
    begun_anew,
    data_path,
    example_sha256,
    keep_unusable,
    usable,
    write_examples,
)
from clara_training.data_journal import Journal, State
from clara_training.data_prompts import (
    PROMPT_VERSION,
    answer_schema,
    cell,
    instructions,
    prompt_sha256,
    read_answer,
    request_text,
)
from clara_training.examples import Example
from clara_training.spec import Spec
from clara_training.starter import starter_examples

Mode = Literal["auto", "direct", "batch"]
# Tokens that one example takes as JSON: what is expected, and what is allowed for.
TOKENS_OF_A_TRIPLE, TOKENS_OF_A_PAIR = 150, 110
ALLOWANCE = 2.2
BATCH_FROM = 40  # requests, from which on "auto" means batches
USUAL_YIELD = 0.9  # share of what is asked for that is good and new


@dataclass(frozen=True)
class Settings:
    """How data are made."""

    model: str = DEFAULT_MODEL
    mode: Mode = "auto"
    max_cost: float = DEFAULT_CAP  # US dollars, for the whole run folder
    per_request: int = 10
    concurrency: int = 4
    similar: float = SIMILAR
    poll_s: float = 20.0


@dataclass(frozen=True)
class Estimate:
    """What one dimension needs."""

    dimension: str
    have: int
    wanted: int
    requests: int
    expected: float  # US dollars
    most: float


class Work:
    """What there is, what is wanted, and the requests that would fill the gap."""

    def __init__(
        self,
        spec: Spec,
        run_folder: Path,
        names: Sequence[str],
        settings: Settings,
        state: State,
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.names = list(names)
        self.run_folder = run_folder
        self.asked = dict(state.asked)
        self._prompts = {name: prompt_sha256(spec, name) for name in names}
        # Requests in batches that are surely out, which will fill a part of the gap.
        self.awaited = Counter(
            request["dimension"]
            for each in state.pending
            if each.batch_id
            for request in each.requests.values()
            if self.is_asked_so(request)
        )
        self.reasons: list[str] = []
        self.refused: dict[str, int] = dict.fromkeys(names, 0)
        self.duplicates: dict[str, int] = dict.fromkeys(names, 0)
        # Answers to another description of a dimension, and examples that a person took out.
        self.outdated: Counter[str] = Counter()
        self.taken_out: Counter[str] = Counter()
        self._pools: dict[str, Pool] = {}
        self._gone: dict[str, set[str]] = {}
        self._unwanted: dict[str, Pool] = {}
        self._schemas = {trait: answer_schema(trait) for trait in (True, False)}
        self._instructions: dict[str, str] = {}
        for name in names:
            found = usable(data_path(run_folder, spec, name), name, spec.is_trait(name))
            self._pools[name] = Pool(found.examples, settings.similar)
            self._gone[name] = self._taken_out(name, state)
            self._unwanted[name] = Pool(similar=settings.similar)
        for answer in state.answers:
            if answer["dimension"] in self._pools:
                self.take(answer)

    def take(self, answer: Mapping[str, Any]) -> int:
        """Add the good and new examples of an answer; return how many there were.

        `answer` is its event in the journal. None of an answer to another description, and none
        that a person took out of the file, or that is like one.
        """
        name = answer["dimension"]
        if not self.is_asked_so(answer):
            self.outdated[name] += 1
            return 0
        at = cell(self.spec, name, answer["cell"])
        found, faults = read_answer(answer["text"], self.spec, name, at)
        self.reasons += [f"{name}: {fault}" for fault in faults]
        self.refused[name] += len(faults)
        gained = sum(self._add(name, example) for example in found)
        self.duplicates[name] += len(found) - gained
        return gained

    def is_asked_so(self, request: Mapping[str, Any]) -> bool:
        """Tell whether a request or answer is of the prompt that its dimension has now.

        Journals of earlier versions do not say.
        """
        name, asked = request["dimension"], request.get("prompt_sha256")
        return asked is None or (name in self._prompts and asked == self._prompts[name])

    def prompt_sha256(self, name: str) -> str:
        """Return the hash of the prompt that a dimension has now."""
        return self._prompts[name]

    def _add(self, name: str, example: Example) -> bool:
        if example_sha256(example) in self._gone[name]:
            self._unwanted[name].add(example)
            self.taken_out[name] += 1
            return False
        if self._unwanted[name].like(example) is not None:
            return False
        return self._pools[name].add(example) is None

    def _taken_out(self, name: str, state: State) -> set[str]:
        """Return the hashes of what was written into a file and is there no longer.

        A file that is gone as a whole was lost: the journal is what brings it back.
        """
        kept = {example_sha256(example) for example in self._pools[name].kept}
        if not kept or begun_anew(data_path(self.run_folder, self.spec, name)):
            return set()
        return state.written.get(name, set()) - kept

    def total(self) -> int:
        """Return how many examples there are, none counted that the spec does not ask for."""
        wanted = self.spec.examples_per_dimension
        return sum(min(len(pool.kept), wanted) for pool in self._pools.values())

    def plan(self) -> list[tuple[Request, str, int]]:
        """Return the requests that should fill the gap, with their dimension and cell."""
        nonce = uuid.uuid4().hex[:8]
        planned = []
        for name in self.names:
            for _ in range(self._requests(name)):
                at = self.asked.get(name, 0)
                self.asked[name] = at + 1
                planned.append((self._request(name, at, f"{name}-{at:06d}-{nonce}"), name, at))
        return planned

    def estimate(self, name: str) -> Estimate:
        """Return what a dimension needs and costs."""
        count = self._requests(name)
        batch = self.in_batches(sum(self._requests(each) for each in self.names))
        price = price_of(self.settings.model)
        sample = self._request(name, self.asked.get(name, 0), "sample")
        characters = len(sample.system) + len(sample.text)
        most = count * most_of(characters, sample.max_tokens, self.settings.model, batch)
        written = CACHE_WRITE_1H if batch else CACHE_WRITE_5M
        tokens = (
            len(sample.system) / CHARACTERS_A_TOKEN * (written + (count - 1) * 0.1)
            + count * len(sample.text) / CHARACTERS_A_TOKEN
        )
        dollars = (tokens * price.input + count * self._expected_tokens(name) * price.output) / 1e6
        return Estimate(
            name,
            len(self._pools[name].kept),
            self.spec.examples_per_dimension,
            count,
            dollars * (BATCH_SHARE if batch else 1.0) if count else 0.0,
            most,
        )

    def in_batches(self, requests: int) -> bool:
        """Tell whether so many requests go as batches."""
        mode = self.settings.mode
        return mode == "batch" or (mode == "auto" and requests >= BATCH_FROM)

    def most(self, request: Request, batch: bool) -> float:
        """Return the most US dollars that a request can cost."""
        characters = len(request.system) + len(request.text)
        return most_of(characters, request.max_tokens, self.settings.model, batch)

    def write(self, journal: Journal) -> None:
        """Write the file of each dimension that has examples, and note what is in it."""
        settings = {
            "source": "claude",
            "model": self.settings.model,
            "per_request": self.settings.per_request,
            "similar": self.settings.similar,
            "prompts": PROMPT_VERSION,
        }
        for name in self.names:
            if not self._pools[name].kept:
                continue
            path = data_path(self.run_folder, self.spec, name)
            keep_unusable(path, usable(path, name, self.spec.is_trait(name)))
            metrics = {"duplicates": self.duplicates[name], "refused": self.refused[name]}
            write_examples(path, self._pools[name].kept, {}, settings, metrics)
            # A kill before this brings back what a person takes out; one after it, had it come
            # first, would leave out what was paid for.
            hashes = [example_sha256(example) for example in self._pools[name].kept]
            journal.append("written", dimension=name, examples=hashes)

    def left_out(self) -> list[str]:
        """Say what of the journal was not taken in, and why."""
        return [
            *(
                f"{name}: {count} answers in the journal are to another description of it, and are"
                " not used"
                for name, count in self.outdated.items()
            ),
            *(
                f"{name}: {count} examples that were taken out of its file stay out"
                for name, count in self.taken_out.items()
            ),
        ]

    def counts(self) -> dict[str, int]:
        """Return how many examples each dimension has."""
        return {name: len(pool.kept) for name, pool in self._pools.items()}

    def _requests(self, name: str) -> int:
        missing = self.spec.examples_per_dimension - len(self._pools[name].kept)
        needed = math.ceil(missing / (self.settings.per_request * USUAL_YIELD))
        return max(needed - self.awaited[name], 0)

    def _expected_tokens(self, name: str) -> int:
        each = TOKENS_OF_A_TRIPLE if self.spec.is_trait(name) else TOKENS_OF_A_PAIR
        return self.settings.per_request * each + 20

    def _request(self, name: str, at: int, identity: str) -> Request:
        trait = self.spec.is_trait(name)
        if name not in self._instructions:
            shown = starter_examples(name, trait) or self._pools[name].kept
            self._instructions[name] = instructions(self.spec, name, shown)
        return Request(
            id=identity,
            system=self._instructions[name],
            text=request_text(
                self.spec, cell(self.spec, name, at), name, self.settings.per_request
            ),
            schema=self._schemas[trait],
            max_tokens=math.ceil(self._expected_tokens(name) * ALLOWANCE),
        )
