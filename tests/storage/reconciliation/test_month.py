"""A month from bill and rollup to the ledger: over any dimension it adds up to the bill."""

from datetime import UTC, date, datetime

from tensorcost.domain.cost.reconciliation.facts import GapClass, Money, Share
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.storage.reconciliation.due import read_delivery_facts, read_periods_due
from tensorcost.storage.reconciliation.ledger import LedgerQuery, read_ledger_totals
from tensorcost.storage.reconciliation.versions import read_difference, read_reconciled_periods
from tensorcost.storage.session import Database
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.reconciled import USD, reconcile_month
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
NOW = datetime(2026, 10, 20, tzinfo=UTC)
NOVEMBER = date(2026, 11, 1)
BASES = ("unblended_nano", "amortized_nano", "net_nano")
FIELDS = ("d.team", "d.model_id", "d.usage_account_id", "d.region", "r.actor_id", "r.share")


def tokens(day: date, count: int, **changes: object) -> BillLine:
    return bill_line(day, quantity_micro=count * 10**6, **changes)


LINES = [
    tokens(FIFTH, 1_500_000, unblended_nano=1_500_000_001, amortized_nano=1_400_000_000),
    tokens(FIFTH, 9, token_kind=TokenKind.OUTPUT, unblended_nano=45_007, net_nano=40_000),
    tokens(SIXTH, 1_000, usage_account_id="444455556666", unblended_nano=1_000_003),
    bill_line(SIXTH, charge_category=ChargeCategory.TAX, token_kind=None, unblended_nano=77),
    bill_line(date(2026, 9, 3), charge_category=ChargeCategory.CREDIT, unblended_nano=-13),
    bill_line(SIXTH, in_scope=False, model_id="", region="", unblended_nano=999),
]


async def sums_by(db: Database, tenant: TenantId, field: str) -> dict[object, Money]:
    sums = ", ".join(f"sum(r.{name})::bigint" for name in BASES)
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            f"SELECT {field}, {sums} FROM ai.reconciled_daily r "
            "JOIN ai.reconciled_day USING (tenant_id, day, reconciliation_id) "
            "JOIN ai.dimension d USING (tenant_id, dim_id) WHERE is_current GROUP BY 1"
        )
    return {row[0]: Money(*row[1:]) for row in rows}


def total(amounts: list[Money]) -> Money:
    return Money(*(sum(basis) for basis in zip(*amounts, strict=True)))


def bill_total(lines: list[BillLine]) -> Money:
    return total(
        [
            Money(
                line.unblended_nano,
                line.amortized_nano,
                line.unblended_nano if line.net_nano is None else line.net_nano,
            )
            for line in lines
        ]
    )


async def test_a_month_adds_up_to_its_bill_over_any_dimension_and_after_restatements(
    db: Database, tenant: TenantId
) -> None:
    other = dimension(application="search", team="find")
    await add_uses(
        db,
        tenant,
        [
            Use(at(FIFTH), dimension(), USD, input_tokens=1_000_000, output_tokens=3),
            Use(at(FIFTH), other, USD // 3, input_tokens=333_333, output_tokens=3),
        ],
    )
    await load_bill(db, tenant, LINES)
    assert await reconcile_month(db, tenant, NOVEMBER) == 31
    for field in FIELDS:
        assert total(list((await sums_by(db, tenant, field)).values())) == bill_total(LINES), field
    shares = await sums_by(db, tenant, "r.share")
    assert shares[Share.TAX].unblended == 77
    assert shares[Share.ATTRIBUTED].unblended > 0
    assert (await sums_by(db, tenant, "d.team"))["find"].unblended > 0
    async with db.tenant(tenant) as tx:
        (period,) = await read_reconciled_periods(tx)
        (ledger,) = await read_ledger_totals(tx, LedgerQuery(OCTOBER, NOVEMBER))
        assert await read_periods_due(tx, NOW) == []
        (facts,) = await read_delivery_facts(tx, OCTOBER)
    assert facts.last_usage_day == SIXTH
    assert {share: money for (share, _), money in period.shares.items()} == shares
    assert ledger.billed == bill_total(LINES)
    gap = ledger.billed.minus(Money.same(ledger.estimate_nano))
    assert total(list(ledger.gaps.values())) == gap
    assert ledger.gaps[GapClass.CREDIT].unblended == -13

    restated = [*LINES[:-1], bill_line(SIXTH, in_scope=False, model_id="", unblended_nano=500)]
    await load_bill(db, tenant, restated)
    assert await reconcile_month(db, tenant, NOVEMBER) == 1, "only the sixth says something else"
    assert total(list((await sums_by(db, tenant, "d.team")).values())) == bill_total(restated)
    async with db.tenant(tenant) as tx:
        deltas = await read_difference(tx, OCTOBER, former=1, latter=2)
    assert sum(delta.billed.unblended for delta in deltas) == 500 - 999
    assert {delta.model_id for delta in deltas} <= {"", MODEL}
