"""Usage under a savings plan costs nobody twice, and nobody is paid for it."""

from datetime import date
from typing import Any

import pytest

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reconciliation.facts import GapClass, Share
from tensorcost.domain.cost.reconciliation.negation import COVERED_USAGE, NEGATION
from tensorcost.domain.cost.reserved import CHARGES, UNATTRIBUTED
from tensorcost.domain.cost.summary import tabulate
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.reconciliation.ledger import LedgerQuery, read_ledger
from tensorcost.storage.session import Database
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.reconciled import reconcile_month

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
WINDOW = Window.of_days(OCTOBER, SIXTH)
TAGGED = (GroupBy.TEAM, GroupBy.APPLICATION, GroupBy.OWNER, GroupBy.ENVIRONMENT)


def machine(kind: str, cost: int, effective: int = 0, **changes: Any) -> BillLine:
    """A day of a GPU machine; an account that knows no net prices."""
    values: dict[str, Any] = {
        "line_item_type": kind,
        "provider": "ec2",
        "product_code": "AmazonEC2",
        "usage_type": "USW2-BoxUsage:g6.xlarge",
        "operation": "RunInstances",
        "region": "us-west-2",
        "model_id": "",
        "token_kind": None,
        "unit": "hrs",
        "quantity_micro": 24 * 10**6,
        "unblended_nano": cost,
        "amortized_nano": effective,
        "savings_plan_arn": "arn:aws:savingsplans::1:savingsplan/plan",
        **changes,
    }
    return bill_line(FIFTH, **values)


ML, CARE = {"tags": (("team", "ml"),)}, {"tags": (("team", "care"), ("application", "chat"))}
PAIRS = [
    machine(COVERED_USAGE, 19, 12, **ML, resource_id="i-1"),
    machine(COVERED_USAGE, 23, 15, **ML, resource_id="i-2"),
    machine(COVERED_USAGE, 40, 26, **CARE),
    machine(COVERED_USAGE, 11, 7),
    machine(NEGATION, -42),
    machine(NEGATION, -51),
]
FEE = machine(
    "SavingsPlanRecurringFee",
    60,
    charge_category=ChargeCategory.PURCHASE,
    usage_type="ComputeSP:1yrNoUpfront",
)
ALONE = machine(NEGATION, -9, usage_type="USW2-BoxUsage:g5.xlarge")


async def costs(
    db: Database,
    tenant: TenantId,
    group: GroupBy,
    basis: CostBasis = CostBasis.UNBLENDED,
    charges: Charges = Charges.USAGE,
) -> dict[str, int]:
    query = CostQuery(WINDOW, (group,), basis=basis, charges=charges)
    async with db.tenant(tenant) as tx:
        found = tabulate(await read_facts(tx, query))
    return {row.key[0]: row.sums.total.cost_nano for row in found.rows}


async def daily(db: Database, tenant: TenantId) -> list[tuple[object, ...]]:
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT d.team, b.line_item_type, b.lines, b.quantity_micro, b.unblended_nano, "
            "b.amortized_nano, b.net_nano FROM ai.bill_daily b JOIN ai.dimension d "
            "USING (tenant_id, dim_id) ORDER BY d.team, b.line_item_type"
        )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("reconciled", [False, True], ids=["open", "reconciled"])
async def test_a_pair_cancels_in_every_dimension_and_the_fee_stays(
    db: Database, tenant: TenantId, reconciled: bool
) -> None:
    await load_bill(db, tenant, [*PAIRS, FEE])
    if reconciled:
        await reconcile_month(db, tenant, SIXTH)
    for basis in (CostBasis.UNBLENDED, CostBasis.NET):
        for group in GroupBy:
            assert set((await costs(db, tenant, group, basis)).values()) == {0}, group
    amortized = await costs(db, tenant, GroupBy.TEAM, CostBasis.AMORTIZED)
    assert amortized == {"ml": 27, "care": 26, UNATTRIBUTED: 7}
    if reconciled:
        for group in GroupBy:
            whole = await costs(db, tenant, group, charges=Charges.INVOICE)
            assert whole.pop(CHARGES[Share.COMMITMENT]) == sum(whole.values(), 60) == 60


async def test_what_is_covered_keeps_its_quantity_and_all_lines_are_counted(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, PAIRS)
    day = 24 * 10**6
    rows = await daily(db, tenant)
    assert [(team, kind, *amounts) for team, kind, _, *amounts in rows] == [
        ("", COVERED_USAGE, day, 0, 7, 0),
        ("care", COVERED_USAGE, day, 0, 26, 0),
        ("ml", COVERED_USAGE, 2 * day, 0, 27, 0),
    ]
    assert sum(int(str(lines)) for _, _, lines, *_ in rows) == len(PAIRS)


async def test_a_negation_without_its_usage_stays_and_is_named(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [*PAIRS, ALONE])
    await reconcile_month(db, tenant, SIXTH)
    assert await costs(db, tenant, GroupBy.TEAM) == {"ml": 0, "care": 0, UNATTRIBUTED: -9}
    assert ("", NEGATION, 1, 0, -9, 0, -9) in await daily(db, tenant)
    async with db.tenant(tenant) as tx:
        page = await read_ledger(tx, LedgerQuery(OCTOBER, SIXTH), limit=9)
    (row,) = page.rows
    (gap,) = row.gaps
    assert (gap.gap_class, gap.money.unblended) == (GapClass.UNLOGGED, -9)
    assert "negation_without_usage" in str(gap.evidence["hints"])


async def test_days_and_accounts_are_kept_apart(db: Database, tenant: TenantId) -> None:
    other: dict[str, Any] = {"usage_account_id": "444455556666"}
    late = machine(NEGATION, -40, **other)
    await load_bill(db, tenant, [machine(COVERED_USAGE, 40, 26, **CARE), late])
    assert await costs(db, tenant, GroupBy.ACCOUNT) == {"111122223333": 40, "444455556666": -40}


async def test_a_reservation_takes_nothing_back(db: Database, tenant: TenantId) -> None:
    """AWS bills reserved usage at nothing and its fee apart: there is no pair to cancel."""
    await load_bill(
        db,
        tenant,
        [
            machine("DiscountedUsage", 0, 12, **ML),
            machine("RIFee", 12, 0, charge_category=ChargeCategory.PURCHASE),
        ],
    )
    await reconcile_month(db, tenant, SIXTH)
    assert await costs(db, tenant, GroupBy.TEAM) == {"ml": 0}
    assert await costs(db, tenant, GroupBy.TEAM, CostBasis.AMORTIZED) == {"ml": 12}
    assert (await costs(db, tenant, GroupBy.TEAM, charges=Charges.INVOICE))["(commitment)"] == 12
