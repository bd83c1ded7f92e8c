"""What a reconciliation says: the report, its events and its audit row, in its transaction."""

from collections.abc import Sequence
from typing import Any, Final

from tensorcost.activities.reconciliation.month import Month
from tensorcost.domain.cost.contracts import MonthTotals, ReconciliationReport, RestatedPart
from tensorcost.domain.cost.reconciliation.facts import Basis, Money, Share
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.money import format_nano
from tensorcost.storage import audit
from tensorcost.storage.reconciliation.ledger import LedgerQuery, LedgerTotal, read_ledger_totals
from tensorcost.storage.reconciliation.results import OpenVersion
from tensorcost.storage.reconciliation.totals import MonthSums, read_month_sums
from tensorcost.storage.reconciliation.versions import Delta, read_difference
from tensorcost.storage.session import TenantTx

MOST_RESTATED: Final = 50
NO_BILL: Final = MonthSums(Money(), {})
"""Of a currency in which usage was logged and nothing billed."""


class IdentityBroken(Exception):
    """The shares of a month do not add up to its bill: the version must not stand."""


async def report_month(
    tx: TenantTx, month: Month, version: OpenVersion | None, shared: Sequence[str]
) -> ReconciliationReport:
    """The month as it stands after ``version`` was closed; None where nothing had changed.
    ``shared``: the accounts that two payers bill.

    Raises IdentityBroken, so that no figure that is off by a nano is ever committed.
    """
    days = (month.period, month.closed_until)
    sums = await read_month_sums(tx, *days, month.deliveries)
    for currency, found in sums.items():
        if found.difference != Money():
            raise IdentityBroken(f"{month_name(month.period)} {currency}: {found.difference}")
    ledger = {total.currency: total for total in await read_ledger_totals(tx, LedgerQuery(*days))}
    former = 0 if month.former is None else month.former.version
    deltas: list[Delta] = []
    if version is not None and month.former is not None:
        deltas = await read_difference(
            tx,
            month.period,
            former=former,
            latter=version.version,
            end_day=month.former.closed_until,
        )
    return ReconciliationReport(
        period=month.period,
        state=month.state,
        version=None if version is None else version.version,
        former=former,
        closed_until=month.closed_until,
        days=month.days,
        days_changed=0 if version is None else version.days_changed,
        causes=() if version is None else version.causes,
        totals=tuple(
            _totals(name, sums.get(name, NO_BILL), ledger.get(name))
            for name in sorted(sums.keys() | ledger.keys())
        ),
        shared_accounts=tuple(shared),
        restated_by=_by_currency(deltas),
        restated=tuple(_part(delta) for delta in _largest(deltas)),
    )


async def tell_month(
    tx: TenantTx, report: ReconciliationReport, version: OpenVersion, *, restated: bool
) -> None:
    """Append the version's events and its audit row; ``restated``: a former day changed."""
    trace = audit.trace_id_now()
    month = month_name(report.period)
    told: dict[str, Any] = {
        "reconciliation_id": str(version.reconciliation_id),
        "period": month,
        "state": report.state.value,
        "version": version.version,
        "closed_until": report.closed_until.isoformat(),
        "days": report.days,
        "days_changed": report.days_changed,
        "causes": [cause.value for cause in version.causes],
        "shared_accounts": list(report.shared_accounts),
        "requested_by": version.requested_by,
    }
    totals = [total.model_dump(exclude={"gaps"}) for total in report.totals]
    tx.emit(NewEvent(EventType.RECONCILIATION_COMPLETED, {**told, "totals": totals}, trace))
    if restated:
        data = {
            "period": month,
            "from_version": report.former,
            "to_version": version.version,
            "causes": told["causes"],
            "billed": report.restated_by,
            "largest": [part.model_dump() for part in report.restated],
        }
        tx.emit(NewEvent(EventType.COST_RESTATED, data, trace))
    if version.days_changed:
        data = {"origin": "reconciliation", "period": month}
        tx.emit(NewEvent(EventType.COST_UPDATED, data, trace))
    await audit.record(
        tx,
        actor=version.requested_by,
        action=EventType.RECONCILIATION_COMPLETED.value,
        resource_type="billing_period",
        resource_id=month,
        detail={**told, "deliveries": [str(delivery) for delivery in version.deliveries]},
    )


def _totals(currency: str, sums: MonthSums, ledger: LedgerTotal | None) -> MonthTotals:
    left = {
        share.value: format_nano(money.unblended)
        for share, money in sums.shares.items()
        if share is not Share.ATTRIBUTED
    }
    gaps = {} if ledger is None else ledger.gaps
    return MonthTotals(
        currency=currency,
        billed=format_nano(sums.billed.unblended),
        attributed=format_nano(sums.shares.get(Share.ATTRIBUTED, Money()).unblended),
        unattributed=left,
        difference=format_nano(sums.difference.unblended),
        estimate=format_nano(0 if ledger is None else ledger.estimate_nano),
        gaps={gap_class.value: format_nano(money.unblended) for gap_class, money in gaps.items()},
    )


def _by_currency(deltas: Sequence[Delta]) -> dict[str, dict[str, str]]:
    sums: dict[str, Money] = {}
    for delta in deltas:
        sums[delta.currency] = sums.get(delta.currency, Money()).plus(delta.billed)
    return {
        currency: {basis.value: format_nano(nano) for basis, nano in zip(Basis, money, strict=True)}
        for currency, money in sorted(sums.items())
    }


def _largest(deltas: Sequence[Delta]) -> list[Delta]:
    def size(delta: Delta) -> tuple[int, int]:
        return -abs(delta.billed.unblended), -abs(delta.attributed.unblended)

    return sorted(deltas, key=size)[:MOST_RESTATED]


def _part(delta: Delta) -> RestatedPart:
    return RestatedPart(
        account_id=delta.account_id,
        model_id=delta.model_id,
        currency=delta.currency,
        billed=format_nano(delta.billed.unblended),
        attributed=format_nano(delta.attributed.unblended),
        line_class=delta.line_class.value,
    )
