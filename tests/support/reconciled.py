"""Results of reconciled days for tests, and versions written from them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from tensorcost.domain.cost.reconciliation.content import content_hash
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import (
    Allocation,
    Cell,
    CellSum,
    DayResult,
    Gap,
    GapClass,
    Money,
    Share,
)
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.reconciliation.due import read_periods_due
from tensorcost.storage.reconciliation.inputs import read_day_inputs
from tensorcost.storage.reconciliation.results import (
    OpenVersion,
    close_version,
    current_hashes,
    lock_period,
    open_version,
    write_day,
)
from tensorcost.storage.session import Database
from tests.support.spend import MODEL, dimension

USD = 1_000_000_000
_RATES = {TokenKind.INPUT: Fraction(1_000), TokenKind.OUTPUT: Fraction(5_000)}
PLACE = Cell("111122223333", "us-east-1", MODEL)


def explained_day(
    attributed: int = 4,
    unlogged: int = 1,
    estimate: int = 3,
    *,
    cell: Cell = PLACE,
    tax: int = 0,
    grain: Grain = Grain.REQUEST,
) -> DayResult:
    """One place's day in dollars. Amortised amounts are half of these, net ones a quarter."""
    bill_dim = dimension(
        usage_account_id=cell.account_id,
        region=cell.region,
        model_id=cell.model_id,
        application="",
        team="",
    ).stable_id()
    row_dim = dimension(
        usage_account_id=cell.account_id, region=cell.region, model_id=cell.model_id
    ).stable_id()
    residuals = {Share.UNLOGGED: unlogged, Share.TAX: tax}
    residuals = {share: dollars for share, dollars in residuals.items() if dollars}
    classes = {
        **{GapClass(share.value): money(dollars) for share, dollars in residuals.items()},
        GapClass.PRICE_DRIFT: money(attributed).minus(Money.same(estimate * USD)),
    }
    return DayResult(
        allocations=(
            Allocation(row_dim, 7, grain, Share.ATTRIBUTED, "USD", money(attributed)),
            *(
                Allocation(bill_dim, 0, Grain.BILL, share, "USD", money(dollars))
                for share, dollars in residuals.items()
            ),
        ),
        cells=(
            CellSum(
                cell=cell,
                currency="USD",
                grain=grain,
                requests=12,
                logged_tokens=3_000,
                billed_tokens=10**19,
                lines=2,
                estimate_nano=estimate * USD,
                billed=money(attributed + unlogged + tax),
                attributed=money(attributed),
            ),
        ),
        gaps=tuple(
            Gap(cell, "USD", name, amount, {"lines": 2, "hint": name.value})
            for name, amount in classes.items()
        ),
    )


def money(dollars: int) -> Money:
    return Money(dollars * USD, dollars * USD // 2, dollars * USD // 4)


def together(*days: DayResult) -> DayResult:
    """Several places of one day."""
    return DayResult(
        tuple(a for day in days for a in day.allocations),
        tuple(c for day in days for c in day.cells),
        tuple(g for day in days for g in day.gaps),
        tuple(u for day in days for u in day.unpriced),
    )


async def write_version(
    db: Database,
    tenant: TenantId,
    days: Mapping[date, DayResult],
    *,
    period: date | None = None,
    **changes: Any,
) -> OpenVersion:
    """One version over ``days``, of which those that say the same again keep their rows."""
    month = period or min(days).replace(day=1)
    values: dict[str, Any] = {
        "closed_until": max(days, default=month) + timedelta(days=1),
        "deliveries": (),
        "requested_by": "test",
        **changes,
    }
    async with db.tenant(tenant) as tx:
        await lock_period(tx, month)
        version = await open_version(tx, month, **values)
        before = await current_hashes(tx, month)
        for day, result in days.items():
            if before.get(day) != content_hash(result):
                await write_day(tx, version, day, result, content_hash(result))
        await close_version(tx, version, days=len(days))
    return version


async def reconcile_month(db: Database, tenant: TenantId, closed_until: date) -> int:
    """Reconcile the one month that is due, with list prices of a thousand nano an input token and
    five an output token. Returns the number of days that changed."""
    async with db.tenant(tenant) as tx:
        (due,) = await read_periods_due(tx, datetime.now(UTC))
        await lock_period(tx, due.period)
        version = await open_version(tx, due.period, closed_until, due.deliveries, "test")
        before = await current_hashes(tx, due.period)
        days = 0
        inputs = read_day_inputs(tx, due.period, closed_until, due.deliveries, lambda *_: _RATES)
        async for day, billed, logged in inputs:
            result = reconcile_day(billed, logged)
            digest = content_hash(result)
            if before.get(day) != digest:
                await write_day(tx, version, day, result, digest)
            days += 1
        await close_version(tx, version, days=days)
    return version.days_changed


async def known_at(db: Database, tenant: TenantId, version: OpenVersion) -> datetime:
    """When the version was known."""
    async with db.tenant(tenant) as tx:
        moment: datetime = await tx.scalar(
            "SELECT known_at FROM ai.reconciliation WHERE reconciliation_id = :id",
            id=version.reconciliation_id,
        )
    return moment
