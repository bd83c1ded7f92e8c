"""Reconciled months, their versions, the ledger beneath them, and a run now (N1, N4)."""

from tensorcost.activities.reconciliation.ask import Reconciling
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.cost.reconciliation.months import month_name, month_of
from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.reconciliation.answers import RequestedRun
from tensorcost.services.reconciliation.month_reads import MonthReads
from tensorcost.storage import audit
from tensorcost.storage.reconciliation.months import read_month_bills
from tensorcost.storage.session import Database


class ReconciliationService(MonthReads):
    """Reads of what ``Reconcile`` wrote, and asking for it to run."""

    def __init__(self, db: Database, reconciling: Reconciling, clock: Clock) -> None:
        super().__init__(db, clock)
        self._db = db
        self._reconciling = reconciling

    @requires(Scope.COST_WRITE)
    async def reconcile(self, principal: Principal, period: str | None = None) -> RequestedRun:
        """Reconcile what is due, and ``period`` even where nothing has changed.

        NotFound for a month without a bill; Unavailable when the workflow server is not reached.
        """
        month, requested_by = None if period is None else month_of(period), actor_of(principal)
        async with self._db.tenant(principal.tenant_id) as tx:
            if month is not None and month not in await read_month_bills(tx):
                raise NotFound("billing month", month_name(month))
            await audit.record(
                tx,
                actor=requested_by,
                action="reconciliation.requested",
                resource_type="reconciliation",
                resource_id="" if month is None else month_name(month),
            )
        wanted = ReconcileRequest(
            tenant_id=principal.tenant_id, requested_by=requested_by, period=month
        )
        return RequestedRun(await self._reconciling.ask(wanted))
