"""Billing months whose reconciliation does not know the newest bill or usage, and bill facts.

A month is due when its counted deliveries are not those of its newest version, when usage of a
reconciled day became known after it, or when other rules of ours made it and it is not final.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.closing import (
    SILENT_AFTER,
    Cause,
    PeriodState,
    period_state,
)
from tensorcost.domain.cost.reconciliation.content import RULES
from tensorcost.domain.cost.reconciliation.months import least_settled
from tensorcost.storage.cost_queries.sources import LIVE_DELIVERIES
from tensorcost.storage.session import TenantTx

LATE: Final = "interval '1 hour'"
"""How long a load may run before its batch, known at its beginning, can be committed unseen."""
LATE_BATCHES: Final = f"""
    SELECT b.batch_id FROM ai.ingest_batch b
    WHERE b.tenant_id = :tenant AND b.known_at > {{since}} - {LATE} AND EXISTS (
        SELECT FROM ai.spend_delta s WHERE s.tenant_id = :tenant AND s.batch_id = b.batch_id
          AND s.day >= {{period}} AND s.day < {{closed_until}})
"""
"""Batches that touch the closed days of a month and were known about ``since`` or later."""

_DUE: Final = f"""
    WITH held AS (
        SELECT period, array_agg(current_delivery_id ORDER BY current_delivery_id) AS deliveries,
               array_agg(invoice_id ORDER BY current_delivery_id) AS invoices,
               array_agg(invoice_since ORDER BY current_delivery_id) AS invoiced_since
        FROM ai.bill_period WHERE tenant_id = :tenant AND counted
          AND period = coalesce(CAST(:period AS date), period)
        GROUP BY period
    )
    SELECT h.*, r.version, r.closed_until, r.rules,
           r.deliveries IS DISTINCT FROM h.deliveries AS restated,
           coalesce(l.late, false) AS late
    FROM held h
    LEFT JOIN LATERAL (
        SELECT * FROM ai.reconciliation
        WHERE tenant_id = :tenant AND period = h.period ORDER BY version DESC LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT EXISTS ({
    LATE_BATCHES.format(since="r.known_at", period="r.period", closed_until="r.closed_until")
} AND b.batch_id <> ALL (r.late_batches)) AS late
    ) l ON r.deliveries = h.deliveries
    ORDER BY h.period
"""
_FACTS: Final = f"""
    SELECT p.origin, p.export_name, v.delivery_id, v.known_at, p.invoice_id, p.invoice_since,
           least(u.last_day, (
               SELECT min(e.last_day) FROM (
                   SELECT max(x.last_day) AS last_day FROM ai.bill_extent x
                   WHERE x.tenant_id = :tenant AND x.delivery_id = v.delivery_id
                   GROUP BY x.billing_entity
               ) e WHERE e.last_day >= u.last_day - {SILENT_AFTER.days}
           )) AS last_usage_day
    FROM ai.bill_period p
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    CROSS JOIN LATERAL (
        SELECT max(b.day) AS last_day FROM ai.bill_daily b
        WHERE b.tenant_id = :tenant AND b.delivery_id = v.delivery_id
          AND b.charge_category = 'Usage'
    ) u
    WHERE p.tenant_id = :tenant AND p.period = :period
      AND p.current_delivery_id IN ({LIVE_DELIVERIES})
    ORDER BY v.delivery_id
"""


@dataclass(frozen=True, slots=True)
class PeriodDue:
    """A billing month to reconcile, and what its newest version was."""

    period: date
    deliveries: tuple[UUID, ...]
    """The deliveries that hold and count, sorted."""
    restated: bool
    """The bill is not the one of the newest version; True where there is none."""
    late_usage: bool
    """Usage of a reconciled day became known later; only looked for where the bill is the same."""
    other_rules: bool
    """The newest version was made by other rules than today's."""
    version: int
    """The newest version; 0 where there is none."""
    closed_until: date | None
    """Of the newest version. Days that were reconciled once must be reconciled again."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why it is to be reconciled."""
        seen = {
            Cause.BILL: self.restated,
            Cause.USAGE: self.late_usage,
            Cause.RULES: self.other_rules,
        }
        return tuple(cause for cause, is_seen in seen.items() if is_seen)


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """What the closing rules ask of one counted export of a month."""

    origin: str
    export_name: str
    delivery_id: UUID
    known_at: datetime
    invoice_id: str
    invoice_since: datetime | None
    last_usage_day: date | None
    """The newest day with a usage line, in scope or not; None where there is none. AI usage that
    is billed later than the rest, as a marketplace's may be, is waited for up to three days."""


async def read_periods_due(
    tx: TenantTx, now: datetime, period: date | None = None
) -> list[PeriodDue]:
    """The months to reconcile, the oldest first, or ``period`` alone where it is one of them.

    Prices and closing rules are not looked at. A month that is final at ``now`` keeps what was
    told of it: other rules alone do not make it due.
    """
    rows = await tx.all(_DUE, tenant=tx.tenant_id, period=period)
    found = [(_due(row), _state(row, now)) for row in rows]
    return [
        due
        for due, state in found
        if due.restated or due.late_usage or (due.other_rules and state is not PeriodState.FINAL)
    ]


async def is_reconciled(tx: TenantTx, first_day: date, last_day: date) -> bool:
    """Whether a day between the two, both included, may have been reconciled."""
    return bool(
        await tx.scalar(
            "SELECT EXISTS (SELECT FROM ai.reconciliation WHERE tenant_id = :tenant "
            "AND period <= :last_day AND closed_until > :first_day)",
            tenant=tx.tenant_id,
            first_day=first_day,
            last_day=last_day,
        )
    )


async def read_delivery_facts(tx: TenantTx, period: date) -> list[DeliveryFacts]:
    """Every counted export of the month that begins with ``period``, by delivery id."""
    rows = await tx.all(_FACTS, tenant=tx.tenant_id, period=period)
    return [DeliveryFacts(**row._mapping) for row in rows]


def _state(row: Row[Any], now: datetime) -> PeriodState:
    return least_settled(
        period_state(row.period, invoice, since, now)
        for invoice, since in zip(row.invoices, row.invoiced_since, strict=True)
    )


def _due(row: Row[Any]) -> PeriodDue:
    return PeriodDue(
        period=row.period,
        deliveries=tuple(row.deliveries),
        restated=row.restated,
        late_usage=row.late,
        other_rules=row.version is not None and row.rules != RULES,
        version=row.version or 0,
        closed_until=row.closed_until,
    )
