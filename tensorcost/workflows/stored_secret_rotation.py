"""Rotation of a stored secret: the new one is in use, the earlier one kept for the way back until
the overlap is over."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from tensorcost.workflows.options import DB_SHORT, named
from tensorcost.workflows.visibility import OPERATOR, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.stored_secrets import StoredSecretActivities
    from tensorcost.domain.integration.contracts import STATUS_QUERY, Failure
    from tensorcost.domain.integration.contracts_rotation import BEGIN_UPDATE, ROLLBACK_UPDATE
    from tensorcost.domain.integration.contracts_steps import Done
    from tensorcost.domain.tenancy.secret_rotation import (
        FINISH_UPDATE,
        STORED_SECRET_ROTATION,
        EndOrder,
        EndRequest,
        StoredRotationInput,
        StoredRotationState,
        StoredRotationStatus,
        stored_rotation_markdown,
    )


@workflow.defn(name=STORED_SECRET_ROTATION)
class StoredSecretRotation:
    """One open run per tenant and kind; ``finish`` ends the overlap now, ``rollback`` goes back."""

    @workflow.init
    def __init__(self, request: StoredRotationInput) -> None:
        self._request = request
        self._state = StoredRotationState.OVERLAPPING
        self._problem = ""
        self._following: StoredRotationInput | None = None
        # Messages interleave with the main loop: only one of them may end the rotation.
        self._one_at_a_time = asyncio.Lock()

    @property
    def _is_open(self) -> bool:
        return self._state is StoredRotationState.OVERLAPPING

    @workflow.run
    async def run(self, request: StoredRotationInput) -> StoredRotationStatus:
        self._enter(self._state)
        try:
            await self._overlap()
            await self._end(StoredRotationState.ROTATED, "the overlap is over")
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            stopped = self._end(StoredRotationState.CANCELLED, "stopped by an operator")
            await asyncio.shield(stopped)
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._following is not None:
            workflow.continue_as_new(self._following)
        return self.status()

    @workflow.update(name=BEGIN_UPDATE)
    def begin(self, request: StoredRotationInput) -> Done:
        """Follow this rotation: this run's own, or a later one. Then this run's has ended, for
        only one is open; a message that was overtaken by a later rotation changes nothing."""
        followed = self._following or self._request
        if request.new_version > followed.new_version:
            self._following = request
        return Done(changed=request.new_version >= followed.new_version)

    @begin.validator
    def _may_begin(self, request: StoredRotationInput) -> None:
        if (request.tenant_id, request.kind) != (self._request.tenant_id, self._request.kind):
            raise ApplicationError("this is of another secret", type=Failure.NOT_NOW.value)

    @workflow.update(name=FINISH_UPDATE)
    async def finish(self, request: EndRequest) -> StoredRotationStatus:
        """Destroy the earlier secret now."""
        return await self._end_on_request(StoredRotationState.ROTATED, request)

    @finish.validator
    def _may_finish(self, request: EndRequest) -> None:
        self._refuse_unless_open(request)

    @workflow.update(name=ROLLBACK_UPDATE)
    async def rollback(self, request: EndRequest) -> StoredRotationStatus:
        """Destroy the new secret and use the earlier one again."""
        return await self._end_on_request(StoredRotationState.ROLLED_BACK, request)

    @rollback.validator
    def _may_roll_back(self, request: EndRequest) -> None:
        self._refuse_unless_open(request)

    @workflow.signal(name="finish_now")
    async def finish_now(self) -> None:
        """``finish`` for an operator in the Temporal UI."""
        await self._end_by_operator(StoredRotationState.ROTATED)

    @workflow.signal(name="rollback_now")
    async def rollback_now(self) -> None:
        """``rollback`` for an operator in the Temporal UI; a refusal stands in the details."""
        await self._end_by_operator(StoredRotationState.ROLLED_BACK)

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> StoredRotationStatus:
        return StoredRotationStatus(rotation_id=self._request.rotation_id, state=self._state)

    async def _overlap(self) -> None:
        """Until the deadline, or until the rotation has ended before."""
        left = max(self._request.deadline - workflow.now(), timedelta())
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: not self._is_open or self._following is not None,
                timeout=left,
                timeout_summary=f"overlap until {self._request.deadline:%Y-%m-%d %H:%M} UTC",
            )

    async def _end_on_request(
        self, state: StoredRotationState, request: EndRequest
    ) -> StoredRotationStatus:
        await self._end(state, request.reason, request.requested_by)
        if self._state is not state:
            raise ApplicationError(_has_ended(self._state), type=Failure.NOT_NOW.value)
        return self.status()

    async def _end_by_operator(self, state: StoredRotationState) -> None:
        await self._end(state, "ended by an operator", OPERATOR)
        if self._state is not state:
            self._problem = _has_ended(self._state)
            self._show()

    async def _end(self, state: StoredRotationState, note: str, requested_by: str = "") -> None:
        """End it so, unless it has ended: then its state is the one that it has ended in."""
        async with self._one_at_a_time:
            if not self._is_open:
                return
            order = EndOrder(
                tenant_id=self._request.tenant_id,
                rotation_id=self._request.rotation_id,
                state=state,
                note=note,
                requested_by=requested_by,
            )
            ended = await workflow.execute_activity_method(
                StoredSecretActivities.end_rotation, order, **named(DB_SHORT, state.value)
            )
            self._enter(ended.state)

    def _refuse_unless_open(self, request: EndRequest) -> None:
        if request.rotation_id != self._request.rotation_id:
            raise ApplicationError("this rotation has ended", type=Failure.NOT_NOW.value)
        if not self._is_open:
            raise ApplicationError(_has_ended(self._state), type=Failure.NOT_NOW.value)

    def _enter(self, state: StoredRotationState) -> None:
        self._state = state
        show_state(state.value)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(
            stored_rotation_markdown(self._request, self._state, self._problem)
        )


def _has_ended(state: StoredRotationState) -> str:
    return f"the rotation has ended: {state.value}"
