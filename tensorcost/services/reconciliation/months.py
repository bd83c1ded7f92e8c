"""Months put together: the bill, the newest version of its reconciliation, and its gaps."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tensorcost.domain.cost.reconciliation.closing import period_end, period_state
from tensorcost.domain.cost.reconciliation.facts import Money, Share
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.cost.reconciliation.months import least_settled
from tensorcost.services.reconciliation.answers import Month, MonthTotal
from tensorcost.storage.reconciliation.months import (
    HeldBill,
    MonthGaps,
    read_billed,
    read_known_bills,
    read_month_bills,
    read_month_gaps,
)
from tensorcost.storage.reconciliation.versions import (
    ReconciledPeriod,
    Version,
    read_reconciled_periods,
)
from tensorcost.storage.session import TenantTx


async def read_months(
    tx: TenantTx,
    now: datetime,
    *,
    limit: int,
    as_of: datetime | None = None,
    before: date | None = None,
) -> list[Month]:
    """At most ``limit`` months before ``before``, the newest first.

    Months with a bill or a reconciliation; with ``as_of`` those that were reconciled by then,
    as they stood then.
    """
    bills = {} if as_of else await read_month_bills(tx)
    reconciled = {one.version.period: one for one in await read_reconciled_periods(tx, as_of)}
    known = bills.keys() | reconciled.keys()
    periods = sorted((p for p in known if before is None or p < before), reverse=True)[:limit]
    if not periods:
        return []
    if as_of is not None:
        bills = await read_known_bills(tx, periods, as_of)
    chosen = [reconciled[p] for p in periods if p in reconciled]
    billed = await read_billed(tx, [one.version for one in chosen])
    gaps = await read_month_gaps(tx, periods[-1], period_end(periods[0]), as_of)
    return [
        _month(
            period,
            bills.get(period, ()),
            reconciled.get(period),
            _totals(reconciled.get(period), billed.get(period, {}), gaps.get(period)),
            as_of or now,
        )
        for period in periods
    ]


def _month(
    period: date,
    bills: Sequence[HeldBill],
    found: ReconciledPeriod | None,
    totals: tuple[MonthTotal, ...],
    now: datetime,
) -> Month:
    version = found.version if found else None
    return Month(
        period=period,
        state=least_settled(
            period_state(period, one.invoice_id, one.invoice_since, now) for one in bills
        ),
        version=version,
        is_pending=_is_pending(bills, version),
        has_older_rules=version is not None and version.has_other_rules,
        totals=totals,
    )


def _is_pending(bills: Sequence[HeldBill], version: Version | None) -> bool:
    held = sorted(one.delivery_id for one in bills)
    return held != (sorted(version.deliveries) if version else [])


def _totals(
    found: ReconciledPeriod | None, billed: Mapping[str, Money], gaps: MonthGaps | None
) -> tuple[MonthTotal, ...]:
    """By currency. A currency on one side alone is shown: it is what the difference is for."""
    if found is None:
        return ()
    by_currency: dict[str, dict[Share, Money]] = {currency: {} for currency in billed}
    for (share, currency), money in found.shares.items():
        by_currency.setdefault(currency, {})[share] = money
    if gaps is not None and gaps.estimate_nano:
        by_currency.setdefault(ESTIMATE_CURRENCY, {})
    return tuple(
        _total(currency, billed.get(currency, Money()), by_currency[currency], gaps)
        for currency in sorted(by_currency)
    )


def _total(
    currency: str, billed: Money, shares: Mapping[Share, Money], gaps: MonthGaps | None
) -> MonthTotal:
    estimate = gaps.estimate_nano if gaps and currency == ESTIMATE_CURRENCY else 0
    return MonthTotal(
        currency=currency,
        billed=billed,
        attributed=shares.get(Share.ATTRIBUTED, Money()),
        unattributed={
            share: shares[share]
            for share in Share
            if share is not Share.ATTRIBUTED and share in shares
        },
        estimate_nano=estimate,
        gaps=gaps.gaps.get(currency, {}) if gaps else {},
    )
