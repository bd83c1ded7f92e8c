"""Re-rating as activities, and how others begin it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio import activity

from tensorcost.activities.heartbeat import BEAT_EVERY, beating
from tensorcost.activities.processes import Process
from tensorcost.activities.reconciliation.ask import Reconciling
from tensorcost.activities.rerating.rerater import Rerater, is_current
from tensorcost.activities.rerating.tell import tell_decision, tell_end, tell_expiring
from tensorcost.domain.cost.contracts import CONTEXT, ReconcileRequest
from tensorcost.domain.cost.contracts_rerating import (
    FINISHED,
    RERATE,
    Applied,
    ApplyOrder,
    Decided,
    DecideOrder,
    EnterOrder,
    Preview,
    PreviewOrder,
    RerateInput,
    RerateState,
    RunKey,
    WarnOrder,
    rerate_workflow_id,
    revert_workflow_id,
)
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.storage import audit
from tensorcost.storage.rerating import previews, runs
from tensorcost.storage.rerating.plan import settle_versions
from tensorcost.storage.session import Database

ACTOR: Final = system_actor("rerate")
CLOCKS_APART: Final = timedelta(seconds=5)
"""How far the workflow server's clock may be ahead of the database's."""


def rerate_process(request: RerateInput) -> Process:
    """The run of one price version, or the one that takes a re-rating back."""
    if request.reverts is None:
        workflow_id = rerate_workflow_id(request.tenant_id, request.price_version)
        summary = f"Stored rows against price version {request.price_version}"
    else:
        workflow_id = revert_workflow_id(request.tenant_id, request.reverts)
        summary = f"Re-rating {request.reverts} taken back"
    return Process(
        name=RERATE,
        workflow_id=workflow_id,
        tenant_id=request.tenant_id,
        context=CONTEXT,
        argument=request,
        summary=summary,
    )


@dataclass(slots=True)
class _Progress:
    what: str
    done: int = 0
    days: int = 0

    def at(self, done: int, days: int) -> None:
        self.done, self.days = done, days

    def details(self) -> str:
        return f"{self.what}: day {self.done} of {self.days}"


@dataclass(frozen=True, slots=True)
class RerateActivities:
    """Database only; pricing runs in a thread, so that heartbeats go on."""

    db: Database
    rerater: Rerater
    reconciling: Reconciling
    beat_every: timedelta = field(default=BEAT_EVERY)

    @activity.defn(name="rerating.preview")
    async def preview(self, order: PreviewOrder) -> Preview:
        """What would change. Repeated, it answers what was stored."""
        progress = _Progress(f"preview {order.number}")
        async with beating(progress.details, self.beat_every):
            return await self.rerater.preview(order, progress.at)

    @activity.defn(name="rerating.apply")
    async def apply(self, order: ApplyOrder) -> Applied:
        """Write what the preview found. Repeated, it goes on with the days that are left."""
        progress = _Progress("approved rows" if order.approved else "rows without approval")
        async with beating(progress.details, self.beat_every):
            return await self.rerater.apply(order, progress.at)

    @activity.defn(name="rerating.decide")
    async def decide(self, order: DecideOrder) -> Decided:
        """Write the decision down; an approval of prices that have changed does not stand."""
        run = order.run
        async with self.db.tenant(order.tenant_id) as tx:
            if order.approved and not await is_current(tx, await previews.read_preview(tx, run)):
                return Decided(stands=False)
            state = RerateState.APPROVED if order.approved else RerateState.AWAITING_APPROVAL
            if not await runs.write_decision(
                tx, run.rerating_id, decided_by=order.decided_by, reason=order.reason, state=state
            ):
                found = await runs.get_run(tx, run.rerating_id)
                return Decided(stands=found.is_open and found.decided_by == order.decided_by)
            await tell_decision(tx, order)
        return Decided(stands=True)

    @activity.defn(name="rerating.enter")
    async def enter(self, order: EnterOrder) -> Done:
        """Write the state down; an end that is no failure decides the preview's versions."""
        run, state = order.run, order.state
        async with self.db.tenant(order.tenant_id) as tx:
            if not await runs.enter_state(
                tx, run.rerating_id, state, deadline=order.deadline, note=order.note
            ):
                return Done()
            if state in FINISHED:
                found = await runs.get_run(tx, run.rerating_id)
                if state is not RerateState.FAILED:
                    preview = await previews.read_preview(tx, run)
                    # What was refused must not be asked again only because an hour has passed.
                    refused = state not in (RerateState.APPLIED, RerateState.UNCHANGED)
                    await settle_versions(tx, preview.versions, preview.previewed_at, final=refused)
                await tell_end(tx, found, state, found.decided_by or ACTOR)
        return Done()

    @activity.defn(name="rerating.warn")
    async def warn(self, order: WarnOrder) -> Done:
        """Tell that the decision is due soon. Repeated, or where one was taken, nothing is told."""
        run, kind = order.run, EventType.COST_RERATING_EXPIRING
        async with self.db.tenant(order.tenant_id) as tx:
            found = await runs.get_run(tx, run.rerating_id)
            since = order.asked_at - CLOCKS_APART
            if (
                found.state is not RerateState.AWAITING_APPROVAL
                or found.decided_by
                or await audit.was_recorded(tx, kind.value, str(run.rerating_id), since)
            ):
                return Done(changed=False)
            await tell_expiring(tx, order, ACTOR)
        return Done()

    @activity.defn(name="rerating.ask_reconciliation")
    async def ask_reconciliation(self, run: RunKey) -> Done:
        """Estimates are weights of the reconciliation: have it look again."""
        asked = ReconcileRequest(tenant_id=run.tenant_id, requested_by=ACTOR)
        await self.reconciling.ask(asked)
        return Done()
