"""Rotation of a connection's secret: both valid for a while, the new one taken into use once it
works, the old one forgotten once the provider refuses it."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from tensorcost.workflows.options import CLOUD_PROBE, DB_SHORT, on_cloud
from tensorcost.workflows.visibility import OPERATOR, cause_of, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.rotation import RotationActivities
    from tensorcost.domain.integration.contracts import STATUS_QUERY, Failure, WorkflowName
    from tensorcost.domain.integration.contracts_rotation import (
        BEGIN_UPDATE,
        OPEN_ROTATIONS,
        ROLLBACK_UPDATE,
        VERIFY_UPDATE,
        Admission,
        FinishRotation,
        Look,
        LookOrder,
        RollbackRequest,
        RotationInput,
        RotationOutcome,
        RotationState,
        RotationStatus,
        Side,
        SwitchSecret,
        VerifyRequest,
    )
    from tensorcost.domain.integration.contracts_steps import Done
    from tensorcost.domain.integration.progress_rotation import rotation_markdown
    from tensorcost.domain.integration.rotation import (
        Ending,
        Move,
        ending_at_deadline,
        ending_when_stopped,
        next_move,
        pause_after,
    )

_OVER: Final = (Failure.CLOSED.value, Failure.CONNECTION_GONE.value)


@workflow.defn(name=WorkflowName.SECRET_ROTATION)
class SecretRotation:
    """One open run per connection; ``verify`` looks at once, ``rollback`` goes back."""

    @workflow.init
    def __init__(self, request: RotationInput) -> None:
        self._request = request
        self._key = request.connection
        self._state = request.state
        self._looks = request.looks
        self._last: Look | None = None
        self._problem = ""
        self._following: RotationInput | None = None
        # Messages interleave with the main loop: each look and what it leads to is one thing.
        self._one_at_a_time = asyncio.Lock()

    @property
    def _is_open(self) -> bool:
        return self._state in OPEN_ROTATIONS

    @workflow.run
    async def run(self, request: RotationInput) -> RotationOutcome:
        self._enter(self._state)
        try:
            while self._is_open:
                seen = self._state
                await self._look_and_move()
                await self._pause(seen)
                if workflow.info().is_continue_as_new_suggested() and self._is_open:
                    await self._start_afresh()
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            await asyncio.shield(self._end(ending_when_stopped(self._state)))
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._following is not None:
            workflow.continue_as_new(self._following)
        return RotationOutcome(rotation_id=request.rotation_id, state=self._state)

    @workflow.update(name=BEGIN_UPDATE)
    def begin(self, request: RotationInput) -> Done:
        """Follow this rotation: this run's own, or the next one where this one has just ended."""
        if request.rotation_id != self._request.rotation_id:
            self._following = request
        return Done()

    @workflow.update(name=VERIFY_UPDATE)
    async def verify(self, request: VerifyRequest) -> RotationStatus:
        """Look at once; the state that this led to."""
        await self._look_and_move()
        return self.status()

    @verify.validator
    def _may_verify(self, request: VerifyRequest) -> None:
        self._refuse_when_ended()

    @workflow.update(name=ROLLBACK_UPDATE)
    async def rollback(self, request: RollbackRequest) -> RotationStatus:
        """Go back to the old secret, once the provider has just accepted it."""
        if refusal := await self._roll_back(request):
            raise ApplicationError(refusal, type=Failure.NOT_NOW.value)
        return self.status()

    @rollback.validator
    def _may_roll_back(self, request: RollbackRequest) -> None:
        self._refuse_when_ended()

    @workflow.signal(name="verify_now")
    async def verify_now(self) -> None:
        """``verify`` for an operator in the Temporal UI."""
        await self._look_and_move()

    @workflow.signal(name="rollback_now")
    async def rollback_now(self) -> None:
        """``rollback`` for an operator in the Temporal UI; a refusal stands in the details."""
        self._problem = await self._roll_back(RollbackRequest(requested_by=OPERATOR))
        self._show()

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> RotationStatus:
        return RotationStatus(
            rotation_id=self._request.rotation_id, state=self._state, last=self._last
        )

    async def _look_and_move(self) -> None:
        """One look at both secrets, and what follows from it."""
        async with self._one_at_a_time:
            if not self._is_open:
                return
            look = await self._look()
            move = self._move_after(look)
            if move is Move.FINISH:
                await workflow.sleep(self._request.settle, summary="the drop must last")
                look = await self._look()
                move = self._move_after(look)
            if move is Move.SWITCH:
                await self._switch()
            elif move is Move.FINISH:
                await self._end(Ending(RotationState.ROTATED, Side.NEW))
            elif workflow.now() >= self._request.deadline:
                await self._end(ending_at_deadline(self._state, look))

    def _move_after(self, look: Look | None) -> Move:
        return Move.WAIT if look is None or not self._is_open else next_move(self._state, look)

    async def _look(self) -> Look | None:
        """What the provider says now; None where that could not be found out."""
        order = LookOrder(connection=self._key, rotation_id=self._request.rotation_id)
        self._looks += 1
        try:
            self._last = await workflow.execute_activity_method(
                RotationActivities.look,
                order,
                **on_cloud(CLOUD_PROBE, f"look {self._looks}", self._key.tenant_id),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            code, self._problem = cause_of(error)
            if isinstance(error.cause, ApplicationError) and error.cause.type in _OVER:
                self._enter(RotationState.CANCELLED)
            workflow.logger.warning("the look failed", extra={"code": code})
            self._show()
            return None
        self._problem = ""
        self._show()
        return self._last

    async def _switch(self) -> None:
        await workflow.execute_activity_method(
            RotationActivities.switch,
            SwitchSecret(connection=self._key, rotation_id=self._request.rotation_id),
            **DB_SHORT,
        )
        self._looks = 0
        self._enter(RotationState.VERIFYING_OLD_DROPPED)

    async def _roll_back(self, request: RollbackRequest) -> str:
        """Go back; why not, where the old secret does not work."""
        async with self._one_at_a_time:
            if not self._is_open:
                return _has_ended(self._state)
            look = await self._look()
            if look is None or look.old is not Admission.ADMITTED:
                return "the old ExternalId is not accepted: there is nothing to go back to"
            note = request.reason or "rolled back on request"
            await self._end(Ending(RotationState.ROLLED_BACK, Side.OLD, note), request.requested_by)
            return ""

    async def _end(self, ending: Ending, requested_by: str = "") -> None:
        if not self._is_open:
            return
        await workflow.execute_activity_method(
            RotationActivities.finish,
            FinishRotation(
                connection=self._key,
                rotation_id=self._request.rotation_id,
                state=ending.state,
                keep=ending.keep,
                note=ending.note,
                requested_by=requested_by,
            ),
            **DB_SHORT,
        )
        self._enter(ending.state)

    async def _pause(self, seen: RotationState) -> None:
        """Until the next look is due, at the latest at the deadline; a new state ends it."""
        left = max(self._request.deadline - workflow.now(), timedelta())
        pause = min(pause_after(self._looks, self._request.interval), left)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._state is not seen,
                timeout=pause,
                timeout_summary=f"look {self._looks + 1}",
            )

    async def _start_afresh(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._is_open:
            progress = {"state": self._state, "looks": self._looks}
            workflow.continue_as_new(self._request.model_copy(update=progress))

    def _refuse_when_ended(self) -> None:
        if not self._is_open:
            raise ApplicationError(_has_ended(self._state), type=Failure.NOT_NOW.value)

    def _enter(self, state: RotationState) -> None:
        self._state = state
        show_state(state.value)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(
            rotation_markdown(self._request, self._state, self._looks, self._last, self._problem)
        )


def _has_ended(state: RotationState) -> str:
    return f"the rotation has ended: {state.value}"
