"""Reconciliation as activities."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from temporalio import activity

from tensorcost.activities.failures import never
from tensorcost.activities.heartbeat import BEAT_EVERY, beating
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.activities.reconciliation.tell import IdentityBroken
from tensorcost.domain.cost.contracts import (
    DuePeriods,
    FailureNote,
    ReconcileOrder,
    ReconcileRequest,
    ReconciliationReport,
)
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.errors import NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.storage import audit
from tensorcost.storage.session import Database


@dataclass(slots=True)
class _Progress:
    period: date
    done: int = 0
    days: int = 0

    def at(self, done: int, days: int) -> None:
        self.done, self.days = done, days

    def details(self) -> str:
        return f"{month_name(self.period)}: day {self.done} of {self.days}"


@dataclass(frozen=True, slots=True)
class ReconciliationActivities:
    """Database only; the arithmetic of a day runs in a thread, so that heartbeats go on."""

    db: Database
    reconciler: Reconciler
    beat_every: timedelta = field(default=BEAT_EVERY)

    @activity.defn(name="reconciliation.due_periods")
    async def due_periods(self, request: ReconcileRequest) -> DuePeriods:
        """The months that are due, and the one that was asked for by name."""
        found = await self.reconciler.due(request.tenant_id)
        named = set() if request.period is None else {request.period}
        return DuePeriods(periods=tuple(sorted({*found, *named})))

    @activity.defn(name="reconciliation.reconcile_period")
    async def reconcile_period(self, order: ReconcileOrder) -> ReconciliationReport:
        """Reconcile one month. Repeated, it finds nothing changed."""
        progress = _Progress(order.period)
        try:
            async with beating(progress.details, self.beat_every):
                return await self.reconciler.reconcile(
                    order.tenant_id, order.period, order.requested_by, progress.at
                )
        except NotFound as error:
            raise never(Failure.NO_BILL, error.message) from error
        except IdentityBroken as error:
            raise never(Failure.IDENTITY_BROKEN, str(error)) from error

    @activity.defn(name="reconciliation.note_failure")
    async def note_failure(self, note: FailureNote) -> Done:
        """Tell that a month was given up, in events and in the audit trail."""
        order, kind = note.order, EventType.RECONCILIATION_FAILED
        month = month_name(order.period)
        told = {"code": note.code, "requested_by": order.requested_by}
        async with self.db.tenant(order.tenant_id) as tx:
            tx.emit(NewEvent(kind, {"period": month, **told}, audit.trace_id_now()))
            await audit.record(
                tx,
                actor=order.requested_by,
                action=kind.value,
                resource_type="billing_period",
                resource_id=month,
                detail=told,
            )
        return Done()
