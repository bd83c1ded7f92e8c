"""Onboarding of a connection: validate, diagnose, wait for a person or go on to the backfill."""

import asyncio
from contextlib import suppress
from typing import Final
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    is_cancelled_exception,
)

from tensorcost.workflows.options import CLOUD_PROBE, CLOUD_READ, DB_SHORT, on_cloud
from tensorcost.workflows.start_work import go_to_work
from tensorcost.workflows.visibility import cause_of, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.discovery import DiscoveryActivities
    from tensorcost.activities.integration.validation import ValidationActivities
    from tensorcost.domain.integration.contracts import (
        CANCEL_UPDATE,
        RETRY_UPDATE,
        STATUS_QUERY,
        VALIDATE_UPDATE,
        CancelRequest,
        Failure,
        OnboardingInput,
        OnboardingOutcome,
        OnboardingStatus,
        RetryRequest,
        RunReference,
        ValidateRequest,
        WorkflowName,
    )
    from tensorcost.domain.integration.contracts_steps import (
        Discovered,
        DiscoveryRequest,
        Done,
        FinishValidation,
        OpenValidation,
        ProbeRequest,
        ProbeVerdict,
        RoundReport,
        unexplained_verdict,
    )
    from tensorcost.domain.integration.progress_validation import validation_markdown
    from tensorcost.domain.integration.states import OnboardingPhase

OPERATOR: Final = "system:operator"
SHORTEST_PAUSE: Final = 0.1
"""Seconds between two rounds when the one before took its whole interval."""
_BUSY: Final = (OnboardingPhase.VALIDATING, OnboardingPhase.DISCOVERING)


@workflow.defn(name=WorkflowName.CONNECTION_ONBOARDING)
class ConnectionOnboarding:
    """One open run per connection; ``validate`` joins it, ``retry`` and ``cancel`` steer it."""

    @workflow.init
    def __init__(self, request: OnboardingInput) -> None:
        self._request = request
        self._key = request.connection
        self._phase = OnboardingPhase.VALIDATING
        self._run_id: UUID | None = None
        self._opened: UUID | None = None
        self._round = 0
        self._verdict: ProbeVerdict | None = None
        self._found: Discovered | None = None
        self._retry: RetryRequest | None = RetryRequest(requested_by=request.requested_by)
        self._cancel: CancelRequest | None = None
        self._asked: set[UUID] = set()
        self._outside: asyncio.Task[ProbeVerdict] | asyncio.Task[Discovered] | None = None
        self._backfill_id = ""
        # Set while a failed attempt is being written down too: whoever reads there that it has
        # failed may retry at once.
        self._failed = False

    @property
    def _may_begin_again(self) -> bool:
        return self._failed and self._retry is None

    @workflow.run
    async def run(self, request: OnboardingInput) -> OnboardingOutcome:
        try:
            while self._retry is not None and not await self._attempt(self._retry):
                await self._wait_for_a_person()
            if self._phase is OnboardingPhase.CONNECTED:
                self._backfill_id = await go_to_work(request)
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            await asyncio.shield(self._end(OnboardingPhase.CANCELLED, "cancelled by an operator"))
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome()

    @workflow.update(name=VALIDATE_UPDATE)
    async def validate(self, request: ValidateRequest) -> RunReference:
        """The run of the attempt under way; after a failure, of a new one."""
        if self._may_begin_again:
            self._retry = RetryRequest(requested_by=request.requested_by)
        return await self._reference()

    @workflow.update(name=RETRY_UPDATE)
    async def retry(self, request: RetryRequest) -> RunReference:
        """Try again, with changed settings where some are given; the new attempt's run."""
        self._retry = request
        return await self._reference()

    @retry.validator
    def _may_retry(self, request: RetryRequest) -> None:
        if not self._may_begin_again:
            raise ApplicationError(
                f"nothing to retry: the connection is {self._phase.value}",
                type=Failure.NOT_NOW.value,
            )

    @workflow.update(name=CANCEL_UPDATE)
    async def cancel(self, request: CancelRequest) -> Done:
        """Stop validating. The connection keeps its settings and can be validated again."""
        self._stop(request)
        return Done()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._cancel is not None or not (self._may_begin_again or self._phase in _BUSY):
            raise ApplicationError(
                f"nothing to cancel: the connection is {self._phase.value}",
                type=Failure.NOT_NOW.value,
            )

    @workflow.signal(name="retry_now")
    def retry_now(self) -> None:
        """``retry`` for an operator in the Temporal UI; ignored while nothing waits for it."""
        if self._may_begin_again:
            self._retry = RetryRequest(requested_by=OPERATOR)

    @workflow.signal(name="cancel_now")
    def cancel_now(self) -> None:
        """``cancel`` for an operator in the Temporal UI."""
        if self._cancel is None:
            self._stop(CancelRequest(requested_by=OPERATOR))

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> OnboardingStatus:
        return OnboardingStatus(
            phase=self._phase,
            run_id=self._run_id,
            round=self._round,
            diagnosis=self._verdict.headline if self._verdict else "",
        )

    async def _attempt(self, asked: RetryRequest) -> bool:
        """One attempt from its opening to its end; whether the way to work is clear or over."""
        self._retry, self._failed = None, False
        self._run_id, self._round, self._verdict = workflow.uuid4(), 0, None
        self._enter(OnboardingPhase.VALIDATING)
        await workflow.execute_activity_method(
            ValidationActivities.open_validation,
            OpenValidation(
                connection=self._key,
                run_id=self._run_id,
                workflow_id=workflow.info().workflow_id,
                requested_by=asked.requested_by,
                started_at=workflow.now(),
                changes=asked.changes,
            ),
            **DB_SHORT,
        )
        self._opened = self._run_id
        verdict = await self._poll(self._run_id)
        if verdict.healthy and self._cancel is None:
            verdict = await self._discover(self._run_id) or verdict
        if self._cancel is not None:
            await self._end(OnboardingPhase.CANCELLED, self._cancel.reason)
            return True
        if verdict.healthy:
            await self._end(OnboardingPhase.CONNECTED, "")
            return True
        self._failed = True
        await self._finish(OnboardingPhase.FAILED, verdict.headline)
        return False

    async def _poll(self, run_id: UUID) -> ProbeVerdict:
        """Probe every interval until it works, cannot work, or patience is at its end."""
        deadline = workflow.now() + self._request.patience
        while True:
            self._round += 1
            next_round = workflow.now() + self._request.interval
            self._verdict = await self._probe(run_id)
            await self._record(run_id, self._verdict)
            self._show()
            waitable = self._verdict.may_heal and not self._verdict.healthy
            if not waitable or self._cancel is not None or next_round > deadline:
                return self._verdict
            pause = next_round - workflow.now()
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._cancel is not None,
                    timeout=max(pause.total_seconds(), SHORTEST_PAUSE),
                    timeout_summary=f"round {self._round + 1}",
                )

    async def _probe(self, run_id: UUID) -> ProbeVerdict:
        """One round. What the probe itself cannot explain keeps its raw text."""
        request = ProbeRequest(connection=self._key, run_id=run_id, round=self._round)
        work = asyncio.create_task(
            workflow.execute_activity_method(
                ValidationActivities.probe,
                request,
                **on_cloud(CLOUD_PROBE, f"probe, round {self._round}", self._key.tenant_id),
            )
        )
        self._outside = work
        try:
            return await work
        except (ActivityError, asyncio.CancelledError) as error:
            return self._given_up(error)

    async def _discover(self, run_id: UUID) -> ProbeVerdict | None:
        """Find accounts, regions and sources; a verdict only when that failed."""
        self._enter(OnboardingPhase.DISCOVERING)
        work = asyncio.create_task(
            workflow.execute_activity_method(
                DiscoveryActivities.discover,
                DiscoveryRequest(connection=self._key, run_id=run_id),
                **on_cloud(CLOUD_READ, "list accounts and sources", self._key.tenant_id),
            )
        )
        self._outside = work
        try:
            self._found = await work
        except (ActivityError, asyncio.CancelledError) as error:
            self._verdict = self._given_up(error)
            await self._record(run_id, self._verdict)
            return self._verdict
        return None

    def _given_up(self, error: ActivityError | asyncio.CancelledError) -> ProbeVerdict:
        """The verdict of outside work that ended without one; a cancelled run goes on as such."""
        if isinstance(error, ActivityError) and not is_cancelled_exception(error):
            return unexplained_verdict(*cause_of(error))
        if self._cancel is None:
            raise error
        return unexplained_verdict("", "cancelled")

    async def _record(self, run_id: UUID, verdict: ProbeVerdict) -> None:
        await workflow.execute_activity_method(
            ValidationActivities.record_round,
            RoundReport(connection=self._key, run_id=run_id, round=self._round, verdict=verdict),
            **DB_SHORT,
        )

    async def _wait_for_a_person(self) -> None:
        """Until ``retry``, ``cancel`` or the end of patience, which closes as failed."""
        self._enter(OnboardingPhase.WAITING_FOR_RETRY)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._retry is not None or self._cancel is not None,
                timeout=self._request.retry_for,
                timeout_summary="wait for a person to retry",
            )
        if self._cancel is not None:
            await self._end(OnboardingPhase.CANCELLED, self._cancel.reason)
        elif self._retry is None:
            self._failed = False
            self._enter(OnboardingPhase.FAILED)

    async def _end(self, phase: OnboardingPhase, note: str) -> None:
        await self._finish(phase, note)
        self._enter(phase)

    async def _finish(self, phase: OnboardingPhase, note: str) -> None:
        if self._run_id is None:
            return
        await workflow.execute_activity_method(
            ValidationActivities.finish_validation,
            FinishValidation(connection=self._key, run_id=self._run_id, phase=phase, note=note),
            **DB_SHORT,
        )

    async def _reference(self) -> RunReference:
        """The current attempt's run once its row can be read; who asks first did not join."""
        await workflow.wait_condition(
            lambda: self._retry is None and self._opened == self._run_id is not None
        )
        assert self._run_id is not None
        joined = self._run_id in self._asked
        self._asked.add(self._run_id)
        return RunReference(
            run_id=self._run_id, workflow_id=workflow.info().workflow_id, joined=joined
        )

    def _stop(self, request: CancelRequest) -> None:
        self._cancel = request
        if self._outside is not None:
            self._outside.cancel()

    def _enter(self, phase: OnboardingPhase) -> None:
        self._phase = phase
        show_state(phase.value)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(validation_markdown(self._phase, self._round, self._verdict))

    def _outcome(self) -> OnboardingOutcome:
        found = self._found
        return OnboardingOutcome(
            phase=self._phase,
            run_id=self._run_id,
            accounts_covered=found.accounts_covered if found else 0,
            accounts_total=found.accounts_total if found else 0,
            backfill_id=self._backfill_id,
        )
