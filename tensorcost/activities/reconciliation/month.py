"""What a month's reconciliation goes by: its bills, how far they are closed, the version before."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tensorcost.domain.cost.reconciliation.closing import (
    Cause,
    MonthBill,
    PeriodState,
    month_closed_until,
    period_end,
    period_state,
)
from tensorcost.domain.cost.reconciliation.months import least_settled, month_name
from tensorcost.domain.errors import NotFound
from tensorcost.storage.reconciliation.due import (
    DeliveryFacts,
    read_delivery_facts,
    read_periods_due,
)
from tensorcost.storage.reconciliation.versions import Version, read_versions
from tensorcost.storage.session import TenantTx


@dataclass(frozen=True, slots=True)
class Month:
    """One billing month about to be reconciled."""

    period: date
    state: PeriodState
    deliveries: tuple[UUID, ...]
    """The bill: every counted export's current delivery."""
    closed_until: date
    former: Version | None
    causes: tuple[Cause, ...]
    """What is not as the former version saw it."""

    @property
    def days(self) -> int:
        return (self.closed_until - self.period).days


async def read_month(tx: TenantTx, period: date, now: datetime) -> Month:
    """Read it under the month's lock. Raises NotFound for a month without a bill."""
    period_end(period)
    bills = await read_delivery_facts(tx, period)
    if not bills:
        raise NotFound("bill of", month_name(period))
    versions = await read_versions(tx, period)
    former = versions[0] if versions else None
    closed_before = None if former is None else former.closed_until
    found = await read_periods_due(tx, now, period)
    causes = set(found[0].causes if found else ())
    if former is not None and former.has_other_rules:
        causes.add(Cause.RULES)  # also of a final month, which they alone do not make due
    closed = [MonthBill(b.last_usage_day, b.known_at, bool(b.invoice_id)) for b in bills]
    return Month(
        period=period,
        state=least_settled(_state(period, bill, now) for bill in bills),
        deliveries=tuple(bill.delivery_id for bill in bills),
        closed_until=month_closed_until(period, closed, closed_before),
        former=former,
        causes=tuple(cause for cause in Cause if cause in causes),
    )


def _state(period: date, bill: DeliveryFacts, now: datetime) -> PeriodState:
    return period_state(period, bill.invoice_id, bill.invoice_since, now)
