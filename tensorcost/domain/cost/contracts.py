"""The Reconcile workflow as others see it: name, id, signal, inputs, answers.

Services and activities start it by name (decisions 34). Later fields need defaults: during a
roll-out old workers read new payloads and the reverse. Money is a decimal string of whole
currency units with nine places.
"""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Contract

CONTEXT: Final = "cost"
RECONCILE: Final = "Reconcile"
ASK_SIGNAL: Final = "ask"
"""Sent with the start: one that runs already looks once more before it ends."""


def reconcile_workflow_id(tenant_id: UUID) -> str:
    return f"tenant/{tenant_id}/reconcile"


class ReconcileRequest(Contract):
    """Reconcile every month that is due, and ``period`` whether it is due or not."""

    tenant_id: TenantId
    requested_by: str
    period: date | None = None
    """First day of a billing month."""
    patience: timedelta = timedelta()
    """How long to wait for more of what comes in drips; whoever asks with none is not kept."""


class LateWish(Contract):
    """What is asked with patience: equal ones are one, looked after once it is ``due``."""

    request: ReconcileRequest
    due: datetime
    newest: datetime
    """When it was last asked."""


class ReconcileOrder(Contract):
    """One month's reconciliation."""

    tenant_id: TenantId
    period: date
    requested_by: str


class DuePeriods(Contract):
    """First days of the billing months to reconcile, the oldest first."""

    periods: tuple[date, ...] = ()


class MonthTotals(Contract):
    """Where the billed money of a month's closed days went, in one currency; unblended."""

    currency: str
    billed: str
    attributed: str
    unattributed: dict[str, str]
    """By share, such as ``unlogged`` or ``tax``."""
    difference: str
    """``billed`` minus everything above: always zero, or the version would not stand."""
    estimate: str
    """List price of what was logged."""
    gaps: dict[str, str]
    """``billed`` minus ``estimate`` by class."""


class RestatedPart(Contract):
    """What an account, model and class gained, or lost, on days that had been reconciled before."""

    account_id: str
    model_id: str
    currency: str
    billed: str
    attributed: str
    line_class: str = ""
    """``usage``, ``credit``, ``refund``, ``tax`` …; empty in what older workers report."""


class ReconciliationReport(Contract):
    """One month after its reconciliation."""

    period: date
    state: PeriodState
    version: int | None
    """None where nothing had changed: the version before still stands."""
    former: int = 0
    """The version before; 0 where there was none."""
    closed_until: date
    """Days of the month before this one are reconciled; the bill of the others still grows."""
    days: int = 0
    days_changed: int = 0
    causes: tuple[Cause, ...] = ()
    """What the version saw that the one before it did not; none where only prices may have changed
    or nothing has."""
    totals: tuple[MonthTotals, ...] = ()
    shared_accounts: tuple[str, ...] = ()
    """Accounts that two payers bill in this month; both bills count."""
    restated_by: dict[str, dict[str, str]] = {}
    """Signed change of the bill of former days, by currency and basis."""
    restated: tuple[RestatedPart, ...] = ()
    """The largest changes of former days, at most fifty."""


class FailedMonth(Contract):
    """A month whose reconciliation was given up; its former version stands."""

    period: date
    code: str
    error: str


class FailureNote(Contract):
    """Tell that a month was given up."""

    order: ReconcileOrder
    code: str
    error: str

    @property
    def tenant_id(self) -> TenantId:
        return self.order.tenant_id


class ReconcileInput(Contract):
    """What follows ``tenant_id`` travels across continue-as-new."""

    tenant_id: TenantId
    asked: tuple[ReconcileRequest, ...] = ()
    months: tuple[ReconciliationReport, ...] = ()
    failed: tuple[FailedMonth, ...] = ()
    late: LateWish | None = None


class ReconcileOutcome(Contract):
    """The last word on each month that this run looked at, the oldest first."""

    months: tuple[ReconciliationReport, ...] = ()
    failed: tuple[FailedMonth, ...] = ()
    cancelled: bool = False
