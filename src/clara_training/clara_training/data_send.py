# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Send the requests of a plan, one by one or as batches, and take what comes back.

Whatever is paid for is in the journal before it is used, and whatever is sent before it is waited
for: a batch whose sending broke off is looked for before it is sent again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from typing import Any

from clara_training.data_claude import Answer, Claude, Request
from clara_training.data_cost import Budget, cost_of
from clara_training.data_journal import Journal, PendingBatch
from clara_training.data_plan import Work
from clara_training.errors import ApiError, BudgetError, UnansweredError, UnknownToApiError

MOST_IN_A_BATCH = 2000  # the API takes 100,000; smaller ones come back sooner
# Either clock may be wrong, and sending may take an hour: what a batch holds decides.
LOOK_WITHIN_S = 86400.0


class Sender:
    """Sends requests, one by one or as batches, and takes what comes back."""

    def __init__(
        self,
        work: Work,
        journal: Journal,
        claude: Claude,
        budget: Budget,
        say: Callable[[str], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self.work = work
        self.journal = journal
        self.claude = claude
        self.budget = budget
        self.say = say
        self.progress = progress
        self.gained = 0
        self.sent = 0

    def send(self, requests: list[tuple[Request, str, int]]) -> None:
        """Send requests and take all answers. Raises BudgetError when they do not all fit."""
        self.gained = 0
        if self.work.in_batches(len(requests)):
            self._send_batches(requests)
        else:
            self._send_directly(requests)

    def finish_pending(self) -> None:
        """Take the answers of batches that an earlier process sent.

        Raises UnknownToApiError for such as are lost; they are not waited for again.
        """
        lost: list[str] = []
        for pending in self.journal.state().pending:
            batch_id = pending.batch_id or self._find_lost(pending)
            if batch_id is None:
                self.journal.append("batch_done", nonce=pending.nonce, why="was never sent")
                continue
            self.say(f"batch {batch_id} of an earlier run is taken up again")
            try:
                self._take_batch(batch_id, pending)
            except UnknownToApiError:
                # It may have been answered, and paid for.
                self.journal.append("attempt", id=batch_id, cost=pending.most, usage={})
                self.journal.append("batch_done", nonce=pending.nonce, why="is not known")
                self.budget.settle(0.0, pending.most)
                lost.append(batch_id)
        self.work.awaited.clear()
        if lost:
            # What is asked for in its place, nobody has agreed to yet.
            raise UnknownToApiError(
                f"Anthropic's API does not know {', '.join(lost)} any more, with the key that is"
                f" set now (404): counted at the most that it can have cost, and not waited for"
                " again; run the same command again to ask for the rest"
            )

    def _send_directly(self, requests: list[tuple[Request, str, int]]) -> None:
        waiting = list(reversed(requests))
        running: set[Future[dict[str, Any]]] = set()
        refusal: BaseException | None = None
        with ThreadPoolExecutor(self.work.settings.concurrency) as pool:
            try:
                while running or (waiting and refusal is None):
                    while (
                        waiting
                        and refusal is None
                        and len(running) < self.work.settings.concurrency
                    ):
                        most = self.work.most(waiting[-1][0], batch=False)
                        try:
                            self.budget.reserve(most)
                        except BudgetError as error:
                            if not running:
                                refusal = error
                            break
                        running.add(pool.submit(self._ask, *waiting.pop(), most))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        refusal = refusal or each.exception()
                        if each.exception() is None:
                            self._take(each.result())
            except KeyboardInterrupt:
                for each in running:
                    each.cancel()
                self.say("stopping once the answers that are being paid for are here")
                raise
        if refusal is not None:
            raise refusal

    def _ask(self, request: Request, name: str, at: int, most: float) -> dict[str, Any]:
        """Ask for one answer and write it down, in a thread of its own; return its event."""
        about = self._about(name, at)
        self.journal.append("sent", id=request.id, **about, most=most)
        self.sent += 1

        def lost(usage: dict[str, Any]) -> None:
            self.journal.append("attempt", id=request.id, cost=most, usage=usage)
            self.budget.lose(most)

        try:
            answer = self.claude.answer(request, lost)
        except Exception as error:
            # A refusal costs nothing; what may have been paid for is in the attempts.
            self.journal.append("failed", id=request.id, cost=0.0, why=str(error))
            self.budget.settle(most, 0.0)
            raise
        return self._record(answer, about, most, batch=False, model=self.claude.model)

    def _send_batches(self, requests: list[tuple[Request, str, int]]) -> None:
        waiting = list(requests)
        while waiting:
            chunk: list[tuple[Request, str, int]] = []
            most = 0.0
            while waiting and len(chunk) < MOST_IN_A_BATCH:
                more = self.work.most(waiting[0][0], batch=True)
                if most + more > self.budget.left:
                    break
                most += more
                chunk.append(waiting.pop(0))
            if not chunk:
                self.budget.reserve(self.work.most(waiting[0][0], batch=True))
                continue
            self._send_batch(chunk, most)

    def _send_batch(self, chunk: list[tuple[Request, str, int]], most: float) -> None:
        self.budget.reserve(most)
        pending = PendingBatch(
            nonce=uuid.uuid4().hex,
            requests={each.id: self._about(name, at) for each, name, at in chunk},
            sent_at=datetime.now(timezone.utc).isoformat(),
            most=most,
            model=self.claude.model,
        )
        self.journal.append(
            "batch_intent",
            nonce=pending.nonce,
            requests=pending.requests,
            at=pending.sent_at,
            most=most,
            model=pending.model,
        )
        try:
            batch_id = self.claude.send_batch(
                [each for each, _, _ in chunk], lambda: self._find_lost(pending)
            )
        except UnansweredError:
            raise  # it stays pending: the next run looks for it
        except ApiError as error:
            self.journal.append("batch_done", nonce=pending.nonce, why=str(error))
            self.budget.settle(most, 0.0)
            raise
        self.sent += len(chunk)
        self.journal.append("batch", nonce=pending.nonce, batch_id=batch_id)
        self.say(f"batch {batch_id}: {len(chunk)} requests; Ctrl-C and the same command wait on")
        self._take_batch(batch_id, pending)
        self.budget.settle(most, 0.0)

    def _find_lost(self, pending: PendingBatch) -> str | None:
        """Return the id of a batch that arrived although its answer did not, if there is one.

        The API does not say what is in a batch until it has ended: one of the same size, made
        within a day, is waited for and looked into.
        """
        sent = datetime.fromisoformat(pending.sent_at).timestamp()
        known = {each.batch_id for each in self.journal.state().pending}
        alike: list[tuple[bool, float, str]] = []
        for batch_id, made, size in self.claude.recent_batches():
            age = abs(datetime.fromisoformat(made).timestamp() - sent)
            if size == len(pending.requests) and batch_id not in known and age <= LOOK_WITHIN_S:
                alike.append((not self.claude.batch_ended(batch_id), age, batch_id))
        # Others of the account may be of the same size: they are waited for only if need be.
        for under_way, _, batch_id in sorted(alike):
            if under_way:
                self.say(
                    f"batch {batch_id} may be the one whose sending broke off: waiting for it"
                )
            self._await(batch_id)
            first = next(iter(self.claude.batch_results(batch_id, set())), None)
            if first is not None and first.id in pending.requests:
                self.journal.append("batch", nonce=pending.nonce, batch_id=batch_id)
                return batch_id
        return None

    def _await(self, batch_id: str) -> None:
        pause = min(1.0, self.work.settings.poll_s)
        while not self.claude.batch_ended(batch_id):
            time.sleep(pause)
            pause = min(pause * 1.5, self.work.settings.poll_s)

    def _take_batch(self, batch_id: str, pending: PendingBatch) -> None:
        self._await(batch_id)
        known = {answer["id"] for answer in self.journal.state().answers}
        failures: list[str] = []
        for result in self.claude.batch_results(batch_id, known):
            about = pending.requests.get(result.id)
            if about is None:
                continue
            if isinstance(result, Answer):
                model = pending.model or self.claude.model
                self._take(self._record(result, about, 0.0, batch=True, model=model))
            else:
                failures.append(result.why)
        self.journal.append("batch_done", nonce=pending.nonce, failed=len(failures))
        if failures:
            self.say(f"{len(failures)} of {len(pending.requests)} requests failed: {failures[0]}")
        if len(failures) == len(pending.requests):
            raise ApiError(f"no request of batch {batch_id} was answered: {failures[0]}")

    def _about(self, name: str, at: int) -> dict[str, Any]:
        """Return what the journal says of a request beside its id."""
        return {"dimension": name, "cell": at, "prompt_sha256": self.work.prompt_sha256(name)}

    def _record(
        self, answer: Answer, about: Mapping[str, Any], most: float, *, batch: bool, model: str
    ) -> dict[str, Any]:
        cost = cost_of(answer.usage, model, batch)
        event = {
            "id": answer.id,
            **about,
            "model": model,
            "batch": batch,
            "stop_reason": answer.stop_reason,
            "usage": answer.usage,
            "cost": cost,
            "text": answer.text,
        }
        self.journal.append("answer", **event)
        self.budget.settle(most, cost)
        return event

    def _take(self, answer: Mapping[str, Any]) -> None:
        if answer["stop_reason"] == "refusal":
            self.work.reasons.append(f"{answer['dimension']}: Claude declined to answer")
        if answer["dimension"] in self.work.names:
            self.gained += self.work.take(answer)
        wanted = self.work.spec.examples_per_dimension * len(self.work.names)
        self.progress(self.work.total(), wanted)
