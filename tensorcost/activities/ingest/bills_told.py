"""What became of the bills of an import, month by month: what counts, and what does not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tensorcost.activities.ingest.bill_files import LoadedBill
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.money import format_nano
from tensorcost.domain.spend.bill import BillDelivery
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.bill_periods import BilledPeriod, list_periods
from tensorcost.storage.spend.bills import find_delivery
from tensorcost.storage.spend.uncounted_bills import ExportRef, UncountedBill, read_uncounted


async def bills_told(
    tx: TenantTx, origin: Origin, bills: Sequence[LoadedBill], now: datetime
) -> list[dict[str, Any]]:
    """One entry a bill and month. Its ``state`` is ``counted``, ``not_counted`` (another export
    of the payer is the month's bill), ``superseded`` (other content came later under its name) or
    ``refused``."""
    if not bills:
        return []
    held: dict[tuple[str, str], BilledPeriod] = {}
    periods = {bill.period for bill in bills if bill.period is not None}
    for period in {bill.period for bill in bills}:
        for one in await list_periods(tx, now, period=period):
            if one.origin == origin.name:
                held[one.export_name, month_name(one.period)] = one
    uncounted = {(one.export, one.period): one for one in await read_uncounted(tx, periods)}
    return [await _told(tx, origin, bill, held, uncounted) for bill in bills]


async def _told(
    tx: TenantTx,
    origin: Origin,
    bill: LoadedBill,
    held: dict[tuple[str, str], BilledPeriod],
    uncounted: dict[tuple[ExportRef, Any], UncountedBill],
) -> dict[str, Any]:
    month = None if bill.period is None else month_name(bill.period)
    holds = None if month is None else held.get((bill.export_name, month))
    told: dict[str, Any] = {"export": bill.export_name, "period": month}
    if bill.report.refused or bill.period is None or holds is None:
        return {**told, "state": "refused", "stays": _stays(bill, held, month)}
    delivery = BillDelivery(bill.export_name, bill.period, "", bill.etag)
    known = await find_delivery(tx, origin, delivery)
    if known is None or known.delivery_id != holds.delivery_id:
        return {**told, "state": "superseded", "known_at": holds.known_at.isoformat()}
    told |= {
        "payer": holds.payer_account_id,
        "billed": {name: format_nano(one.unblended) for name, one in sorted(holds.totals.items())},
    }
    if holds.counted:
        return {**told, "state": "counted"}
    other = uncounted.get((ExportRef(origin.name, bill.export_name), bill.period))
    return {**told, "state": "not_counted", **({} if other is None else uncounted_told(other))}


def uncounted_told(bill: UncountedBill) -> dict[str, Any]:
    """What counts in its place, whether that says the very same, and the accounts that are then
    on no bill."""
    counted = [{"origin": one.origin, "export": one.name} for one in bill.counted]
    return {"counted": counted, "is_same": bill.is_same, "left_out": list(bill.left_out)}


def _stays(
    bill: LoadedBill, held: dict[tuple[str, str], BilledPeriod], month: str | None
) -> list[dict[str, str]]:
    """The bills of the export that go on counting; all of its months where none was found."""
    return [
        {"period": period, "known_at": one.known_at.isoformat()}
        for (name, period), one in held.items()
        if name == bill.export_name and month in (None, period)
    ]
