"""Whatever is billed and logged: over any dimension the answer adds up to the bill."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy
from tensorcost.domain.cost.query_window import Window, midnight
from tensorcost.domain.cost.reconciliation.negation import COVERED_USAGE, NEGATION
from tensorcost.domain.cost.reserved import CHARGES
from tensorcost.domain.cost.summary import Table, tabulate
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import Actor, Grain, Source
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.bills import bill_line, load_bill
from tests.support.reconciled import reconcile_month
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import app_database, make_tenant

FIRST = date(2026, 10, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(3)]
CLOSED = DAYS[-1]
"""The last day is billed and logged, and not reconciled yet."""
BASES = (CostBasis.UNBLENDED, CostBasis.AMORTIZED, CostBasis.NET)
BESIDE = {share.value for share in CHARGES}

days = st.sampled_from(DAYS)
accounts = st.sampled_from(["111122223333", "444455556666"])
models = st.sampled_from([MODEL, MODEL, ""])
nano = st.one_of(st.integers(-9, 9), st.integers(-(10**10), 10**12))
lines = st.builds(
    bill_line,
    days,
    usage_account_id=accounts,
    model_id=models,
    charge_category=st.sampled_from([*[ChargeCategory.USAGE] * 5, *ChargeCategory]),
    line_item_type=st.sampled_from(["Usage", "Usage", "Refund", COVERED_USAGE, NEGATION]),
    in_scope=st.sampled_from([True, True, True, False]),
    token_kind=st.sampled_from([TokenKind.INPUT, TokenKind.OUTPUT, None]),
    quantity_micro=st.integers(0, 300).map(lambda tokens: tokens * 10**6),
    unblended_nano=nano,
    amortized_nano=nano,
    net_nano=st.none() | nano,
    currency=st.sampled_from(["USD", "USD", "USD", "EUR"]),
    tags=st.sampled_from([(), (("team", "care"),)]),
)
uses = st.builds(
    Use,
    at=st.builds(at, days, st.integers(0, 23)),
    where=st.builds(
        dimension,
        usage_account_id=accounts,
        model_id=models,
        source=st.sampled_from([*[Source.BEDROCK] * 4, Source.OPENAI_API]),
        team=st.sampled_from(["", "care"]),
    ),
    cost_nano=st.none() | st.integers(0, 10**12),
    who=st.sampled_from([Actor(), Actor(agent="triage"), Actor(user="ana")]),
    grain=st.sampled_from([Grain.REQUEST, Grain.REQUEST, Grain.METRIC]),
)


@dataclass(frozen=True)
class World:
    """A month's first bill and its restatement, and what was logged before each."""

    bills: tuple[list[BillLine], list[BillLine]]
    uses: tuple[list[Use], list[Use]]


worlds = st.builds(
    World,
    bills=st.tuples(*[st.lists(lines, min_size=1, max_size=8)] * 2),
    uses=st.tuples(*[st.lists(uses, min_size=1, max_size=8)] * 2),
)


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@given(world=worlds)
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_every_dimension_and_basis_adds_up_to_the_bill_of_now_and_of_then(
    db: Database, database: databases.Database, world: World
) -> None:
    tenant = await make_tenant(database)
    moments: list[datetime] = []
    for bill, logged in zip(world.bills, world.uses, strict=True):
        await add_uses(db, tenant, [replace(use, event_id=uuid4()) for use in logged])
        await load_bill(db, tenant, bill)
        await reconcile_month(db, tenant, CLOSED)
        moments.append(await _now(db, tenant))
    beliefs = [(None, world.bills[1]), *zip(moments, world.bills, strict=True)]
    for as_of, bill in beliefs:
        for basis in BASES:
            for group in GroupBy:
                asked = CostQuery(Window.of_days(FIRST, CLOSED), (group,), as_of=as_of, basis=basis)
                await _holds(db, tenant, asked, _total(bill, basis))


async def _holds(db: Database, tenant: TenantId, asked: CostQuery, bill: int) -> None:
    invoice = await _table(db, tenant, replace(asked, charges=Charges.INVOICE))
    assert sum(row.sums.total.cost_nano for row in invoice.rows) == bill
    assert invoice.sums.billed_nano == bill
    usage = await _table(db, tenant, asked)
    billed = sum(row.sums.billed_nano for row in usage.rows)
    beside = [b for b in usage.beside if b.currency == "USD" and b.reason.value in BESIDE]
    assert billed + sum(b.measures.cost_nano for b in beside) == bill


async def _table(db: Database, tenant: TenantId, query: CostQuery) -> Table:
    async with db.tenant(tenant) as tx:
        return tabulate(await read_facts(tx, query))


async def _now(db: Database, tenant: TenantId) -> datetime:
    async with db.tenant(tenant) as tx:
        moment: datetime = await tx.scalar("SELECT clock_timestamp()")
    return moment.astimezone(UTC)


def _total(bill: list[BillLine], basis: CostBasis) -> int:
    """The bill's dollars in ``basis`` before the first day that is still open."""
    closed = [
        line for line in bill if line.currency == "USD" and line.usage_start < midnight(CLOSED)
    ]
    if basis is CostBasis.NET:
        amounts = [(line.net_nano, line.unblended_nano) for line in closed]
        return sum(plain if net is None else net for net, plain in amounts)
    return sum(getattr(line, f"{basis.value}_nano") for line in closed)
