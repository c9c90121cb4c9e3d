# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Make training data with Claude: as many good, different examples as the spec asks for.

- Rounds: what is wanted is asked for, checked, and rid of near-duplicates; what is still missing
  is asked for again from other cells of the grid.
- Few requests are sent one by one (some at a time), many as batches at half the price.
- Everything goes into the journal first, so that whatever ends the process, nothing that was paid
  for is paid for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clara_training.data_claude import Claude
from clara_training.data_cost import Budget, price_of
from clara_training.data_files import data_folder
from clara_training.data_journal import NAME, Journal, read_state
from clara_training.data_plan import Estimate, Settings, Work
from clara_training.data_send import Sender
from clara_training.errors import DataError
from clara_training.spec import Spec

ROUNDS = 8


@dataclass(frozen=True)
class Outcome:
    """What a generation came to."""

    counts: dict[str, int]
    duplicates: dict[str, int]
    refused: dict[str, int]
    spent: float
    requests: int


def estimate(
    spec: Spec, run_folder: Path, names: Sequence[str], settings: Settings
) -> tuple[list[Estimate], float]:
    """Return what each dimension needs and costs, and what the run has spent already.

    Nothing is asked of anyone. Raises ApiError for a model without a known price.
    """
    price_of(settings.model)
    state = read_state(data_folder(run_folder) / NAME)
    work = Work(spec, run_folder, names, settings, state)
    return [work.estimate(name) for name in names], state.spent


def generate(
    spec: Spec,
    run_folder: Path,
    names: Sequence[str],
    settings: Settings,
    claude: Claude,
    *,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _done, _wanted: None,
) -> Outcome:
    """Make what is missing of these dimensions, and write their files.

    `progress` is called with the examples there are and those wanted. What was made is kept
    whatever is raised: ApiError, BudgetError when the cap is reached, StorageError, and DataError
    when Claude's answers are of no use.
    """
    with Journal(data_folder(run_folder)) as journal:
        state = journal.state()
        work = Work(spec, run_folder, names, settings, state)
        if state.lost:
            say(
                f"{state.lost} requests were under way when an earlier process died; they are "
                "counted at the most that they can have cost"
            )
        budget = Budget(settings.max_cost, state.spent)
        sender = Sender(work, journal, claude, budget, say, progress)
        try:
            sender.finish_pending()
            for sentence in work.left_out():
                say(sentence)
            for number in range(ROUNDS):
                before = work.total()
                requests = work.plan()
                if not requests:
                    break
                if number and sender.gained == 0:
                    raise DataError(_no_gain(work))
                sender.send(requests)
                say(f"round {number + 1}: {work.total() - before} new examples")
        finally:
            work.write(journal)
        outcome = Outcome(work.counts(), work.duplicates, work.refused, budget.spent, sender.sent)
    short = [name for name in names if outcome.counts[name] < spec.examples_per_dimension]
    if short:
        raise DataError(
            f"after {ROUNDS} rounds {', '.join(short)} still has fewer examples than the spec "
            "asks for; what there is was written, and the same command asks for more"
        )
    return outcome


def _no_gain(work: Work) -> str:
    reasons = "; ".join(work.reasons[-3:]) or "all were near-duplicates of what there is"
    return f"a whole round of requests gave no new example ({reasons}); no more is asked for"
