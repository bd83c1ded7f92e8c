"""One tenant's stored rows brought to other prices: previewed, decided where months are over,
applied, and held against the bill again."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from tensorcost.workflows.options import CLOUD_INGEST, DB_SHORT, named, on_cloud
from tensorcost.workflows.visibility import cause_of, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.rerating.activities import ACTOR, RerateActivities
    from tensorcost.domain.cost.contracts_rerating import (
        APPROVE_UPDATE,
        FINISHED,
        PRICES_CHANGED_SIGNAL,
        REJECT_UPDATE,
        RERATE,
        Applied,
        ApplyOrder,
        ApproveRequest,
        DecideOrder,
        EnterOrder,
        Preview,
        PreviewOrder,
        PricesChanged,
        RejectRequest,
        RerateInput,
        RerateOutcome,
        RerateState,
        RerateStatus,
        RunKey,
        WarnOrder,
    )
    from tensorcost.domain.cost.rerating_told import rerating_markdown
    from tensorcost.domain.integration.contracts import STATUS_QUERY, Failure

WARNS_BEFORE_EXPIRY: Final = "rerate-warns-before-expiry"
"""Patch of runs that began to wait when an approval expired without a word."""
OPERATOR: Final = "operator:temporal-ui"
_STALE: Final = "prices have changed since this preview: look at the new one, which is being made"


@workflow.defn(name=RERATE)
class Rerate:
    """One open run per tenant. Rows without a price and months that still run need no approval;
    the rest waits for one, and without one stays as it is."""

    @workflow.init
    def __init__(self, request: RerateInput) -> None:
        self._request = request
        self._id = workflow.uuid7()
        self._state = RerateState.PREVIEWING
        self._preview: Preview | None = None
        self._previews = 0
        self._is_opened = False
        self._is_ending = False
        self._applied = 0
        self._decision: ApproveRequest | RejectRequest | None = None
        self._approved_digest = ""
        self._is_stale = False
        self._wait: tuple[str, datetime] | None = None
        self._warned_of: datetime | None = None
        self._note = ""
        # Messages interleave: whether a decision stands is asked and written as one thing.
        self._one_at_a_time = asyncio.Lock()

    @workflow.run
    async def run(self, request: RerateInput) -> RerateOutcome:
        try:
            return await self._rerate()
        except (asyncio.CancelledError, Exception) as error:
            if is_cancelled_exception(error):
                await asyncio.shield(self._end(RerateState.CANCELLED, "cancelled by an operator"))
                raise
            if not isinstance(error, ActivityError):
                raise
            return await self._end(RerateState.FAILED, ": ".join(cause_of(error)))

    async def _rerate(self) -> RerateOutcome:
        while True:
            preview = await self._look()
            if preview.blocked_by is not None:
                note = f"re-rating {preview.blocked_by} is open: it takes these prices in"
                return await self._end(RerateState.CANCELLED, note)
            if preview.automatic_rows:
                await self._apply(approved=False)
            if not preview.approval_rows:
                ended = RerateState.APPLIED if self._applied else RerateState.UNCHANGED
                return await self._end(ended)
            if self._is_approved(preview):
                await self._apply(approved=True)
                return await self._end(RerateState.APPLIED)
            if refusal := await self._await_decision():
                return await self._end(refusal, self._note)

    @workflow.update(name=APPROVE_UPDATE)
    async def approve(self, request: ApproveRequest) -> RerateStatus:
        """Apply what the preview shows. Refused, with a new preview, once prices have changed."""
        if refusal := await self._approve(request):
            raise ApplicationError(refusal, type=Failure.NOT_NOW.value)
        return self.status()

    @approve.validator
    def _may_approve(self, request: ApproveRequest) -> None:
        if self._is_repeated(request):
            return
        self._refuse_unless_waiting()
        assert self._preview is not None
        if request.preview != self._preview.number:
            raise ApplicationError(
                f"preview {request.preview} is not the newest: look at {self._preview.number}",
                type=Failure.NOT_NOW.value,
            )
        if request.decided_by in (self._request.requested_by, *self._preview.imported_by):
            raise ApplicationError(
                "who brought or asked for these prices cannot approve them: another member with "
                "the scope price:admin can, or another operator (REST, GraphQL or the command)",
                type=Failure.SELF_APPROVAL.value,
            )

    @workflow.update(name=REJECT_UPDATE)
    async def reject(self, request: RejectRequest) -> RerateStatus:
        """Leave the months that are over as they are."""
        await self._reject(request)
        await workflow.wait_condition(lambda: self._state in FINISHED)
        return self.status()

    @reject.validator
    def _may_reject(self, request: RejectRequest) -> None:
        if not self._is_repeated(request):
            self._refuse_unless_waiting()

    @workflow.signal(name="approve_now")
    async def approve_now(self) -> None:
        """``approve`` for an operator in the Temporal UI; a refusal stands in the details."""
        if self._is_waiting and self._preview is not None:
            asked = ApproveRequest(decided_by=OPERATOR, preview=self._preview.number)
            self._note = await self._approve(asked)
            self._show()

    @workflow.signal(name="reject_now")
    async def reject_now(self) -> None:
        """``reject`` for an operator in the Temporal UI."""
        if self._is_waiting:
            await self._reject(RejectRequest(decided_by=OPERATOR))

    @workflow.signal(name=PRICES_CHANGED_SIGNAL)
    def prices_changed(self, change: PricesChanged) -> None:
        """Newer prices were imported: the preview that waits is made anew."""
        self._is_stale = True

    @workflow.query(name=STATUS_QUERY)
    def status(self) -> RerateStatus:
        number = 0 if self._preview is None else self._preview.number
        return RerateStatus(rerating_id=self._id, state=self._state, preview=number)

    async def _look(self) -> Preview:
        self._previews += 1
        self._is_stale = False
        if self._decision is None:
            self._enter(RerateState.PREVIEWING)
        order = PreviewOrder(
            request=self._request,
            rerating_id=self._id,
            workflow_id=workflow.info().workflow_id,
            number=self._previews,
        )
        self._preview = await workflow.execute_activity_method(
            RerateActivities.preview,
            order,
            **on_cloud(CLOUD_INGEST, f"preview {self._previews}", self._request.tenant_id),
        )
        self._is_opened = self._is_opened or bool(self._preview.months)
        self._show()
        return self._preview

    async def _apply(self, *, approved: bool) -> None:
        self._enter(RerateState.APPLYING)
        order = ApplyOrder(
            request=self._request,
            run=self._key(),
            approved=approved,
            applied_by=self._decision.decided_by if approved and self._decision else ACTOR,
        )
        summary = "rows that were approved" if approved else "rows that need no approval"
        applied: Applied = await workflow.execute_activity_method(
            RerateActivities.apply,
            order,
            **on_cloud(CLOUD_INGEST, summary, self._request.tenant_id),
        )
        self._applied += applied.rows
        if applied.rows:
            await workflow.execute_activity_method(
                RerateActivities.ask_reconciliation,
                self._key(),
                **named(DB_SHORT, "hold the new estimates against the bill"),
            )

    def _is_approved(self, preview: Preview) -> bool:
        """What was looked at once more is what was approved; else the decision is void."""
        if not isinstance(self._decision, ApproveRequest):
            return False
        if preview.digest == self._approved_digest:
            return True
        self._decision = None
        self._note = "the rows have changed since the approval: decide on the new preview"
        return False

    async def _await_decision(self) -> RerateState | None:
        """How the run ends; None where it goes on with another look."""
        deadline = self._deadline()
        async with self._one_at_a_time:  # who reads that it waits must not be told that it does not
            self._enter(RerateState.AWAITING_APPROVAL)
            await self._record(RerateState.AWAITING_APPROVAL, deadline)
        try:
            await self._wait_and_warn(deadline)
        except TimeoutError:
            async with self._one_at_a_time:
                if self._decision is None:
                    self._note = "nobody decided in time"
                    return RerateState.EXPIRED
        if isinstance(self._decision, RejectRequest):
            self._note = self._decision.reason
            return RerateState.REJECTED
        return None

    async def _wait_and_warn(self, deadline: datetime) -> None:
        """For a decision or newer prices. Raises TimeoutError at the deadline."""
        lead = self._request.lead
        is_told = self._warned_of == deadline
        if lead and not is_told and workflow.patched(WARNS_BEFORE_EXPIRY):
            try:
                await self._wait_until(deadline - lead, "warning of the approval's end")
            except TimeoutError:
                await self._warn(deadline)
            else:
                return
        await self._wait_until(deadline, f"approval until {deadline:%Y-%m-%d %H:%M} UTC")

    async def _wait_until(self, moment: datetime, summary: str) -> None:
        await workflow.wait_condition(
            lambda: self._decision is not None or self._is_stale,
            timeout=max(moment - workflow.now(), timedelta()),
            timeout_summary=summary,
        )

    async def _warn(self, deadline: datetime) -> None:
        self._warned_of = deadline
        assert self._preview is not None
        await workflow.execute_activity_method(
            RerateActivities.warn,
            WarnOrder(
                request=self._request,
                run=self._key(),
                preview=self._preview,
                deadline=deadline,
                asked_at=workflow.now(),
            ),
            **named(DB_SHORT, "the approval ends soon"),
        )

    def _deadline(self) -> datetime:
        """Until when is waited for a decision; longer only where there is something else to
        decide."""
        assert self._preview is not None
        if self._wait is None or self._wait[0] != self._preview.digest:
            self._wait = (self._preview.digest, workflow.now() + self._request.patience)
        return self._wait[1]

    async def _approve(self, request: ApproveRequest) -> str:
        """Why the approval does not stand; empty where it does."""
        async with self._one_at_a_time:
            if self._is_repeated(request):
                return ""
            if not self._is_waiting:
                return "this was decided already"
            preview = self._preview
            stands = await self._decide(request.decided_by, request.reason, approved=True)
            if self._is_ending:
                return "the re-rating is ending"
            if not stands:
                self._is_stale = True
                return _STALE
            assert preview is not None
            self._approved_digest, self._note = preview.digest, ""
            self._decision = request
            self._enter(RerateState.APPROVED)
            return ""

    async def _reject(self, request: RejectRequest) -> None:
        async with self._one_at_a_time:
            if self._is_waiting:
                await self._decide(request.decided_by, request.reason, approved=False)
                self._decision = request

    async def _decide(self, decided_by: str, reason: str, *, approved: bool) -> bool:
        decided = await workflow.execute_activity_method(
            RerateActivities.decide,
            DecideOrder(run=self._key(), approved=approved, decided_by=decided_by, reason=reason),
            **named(DB_SHORT, f"{'approved' if approved else 'rejected'} by {decided_by}"),
        )
        return decided.stands

    async def _end(self, state: RerateState, note: str = "") -> RerateOutcome:
        """Write the end down, where anything was found at all."""
        self._note, self._is_ending = note, True
        if self._is_opened:
            await self._record(state, note=note)
        self._enter(state)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return RerateOutcome(rerating_id=self._id, state=state, rows=self._applied, note=note)

    async def _record(
        self, state: RerateState, deadline: datetime | None = None, note: str = ""
    ) -> None:
        await workflow.execute_activity_method(
            RerateActivities.enter,
            EnterOrder(run=self._key(), state=state, deadline=deadline, note=note),
            **named(DB_SHORT, state.value.replace("_", " ")),
        )

    @property
    def _is_waiting(self) -> bool:
        """For a decision, and it can still be taken."""
        is_asked = self._state is RerateState.AWAITING_APPROVAL
        return is_asked and self._decision is None and not self._is_ending

    def _key(self) -> RunKey:
        number = 0 if self._preview is None else self._preview.number
        return RunKey(tenant_id=self._request.tenant_id, rerating_id=self._id, preview=number)

    def _is_repeated(self, request: ApproveRequest | RejectRequest) -> bool:
        """The same person said the same before."""
        known = self._decision
        return type(known) is type(request) and known.decided_by == request.decided_by

    def _refuse_unless_waiting(self) -> None:
        if self._state in FINISHED:
            raise ApplicationError(
                f"the re-rating has ended: {self._state.value}", type=Failure.CLOSED.value
            )
        if self._decision is not None or self._state is not RerateState.AWAITING_APPROVAL:
            raise ApplicationError("nothing waits for a decision now", type=Failure.NOT_NOW.value)

    def _enter(self, state: RerateState) -> None:
        self._state = state
        show_state(state.value)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(
            rerating_markdown(self._request, self._state, self._preview, self._note)
        )
