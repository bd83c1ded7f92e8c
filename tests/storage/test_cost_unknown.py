"""What has no price and is on no bill costs an unknown amount, on reconciled days too."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy, SpendFilter, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Sums, tabulate
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.cost_queries.unpriced import read_unpriced
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.bills import bill_line, load_bill
from tests.support.reconciled import reconcile_month
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
CLOSED = CostQuery(Window.of_days(FIFTH, SIXTH))
LUMEN, FREE, ELSEWHERE = "stellar.lumen-large-v1:0", "acme.preview-v1:0", "777788889999"
ANA = Actor(user="ana")
BASES = (CostBasis.UNBLENDED, CostBasis.AMORTIZED, CostBasis.NET)

USES = [
    Use(at(FIFTH), dimension(), None, input_tokens=4_000_000, output_tokens=0),
    Use(at(FIFTH), dimension(model_id=LUMEN), None, who=ANA, input_tokens=70, output_tokens=30),
    Use(at(FIFTH), dimension(model_id=LUMEN, team="labs"), None, input_tokens=5, output_tokens=0),
    Use(at(FIFTH), dimension(model_id=FREE), None, input_tokens=50, output_tokens=0),
    Use(at(FIFTH), dimension(model_id=LUMEN, usage_account_id=ELSEWHERE), None),
]
NAMELESS = bill_line(FIFTH, model_id="", usage_type="USE1-StellarLumen-input-tokens")
LINES = [
    bill_line(FIFTH),
    bill_line(FIFTH, model_id=FREE, quantity_micro=50 * 10**6, unblended_nano=0, amortized_nano=0),
    NAMELESS,
]


@pytest.fixture(scope="module")
async def settled(db: Database, database: databases.Database) -> TenantId:
    tenant = await make_tenant(database)
    await add_uses(db, tenant, USES)
    await load_bill(db, tenant, LINES)
    await reconcile_month(db, tenant, SIXTH)
    return tenant


async def by(db: Database, tenant: TenantId, group: GroupBy, query: CostQuery) -> dict[str, Sums]:
    async with db.tenant(tenant) as tx:
        found = tabulate(await read_facts(tx, replace(query, group_by=(group,))))
    return {row.key[0]: row.sums for row in found.rows}


async def unpriced(db: Database, tenant: TenantId, query: CostQuery) -> dict[str, tuple[int, int]]:
    async with db.tenant(tenant) as tx:
        found = await read_unpriced(tx, query)
    return {
        one.where.model_id: (one.measures.unpriced_requests, one.measures.unpriced_tokens)
        for one in found
    }


@pytest.mark.parametrize("basis", BASES)
async def test_a_model_that_no_line_bills_is_never_free(
    db: Database, settled: TenantId, basis: CostBasis
) -> None:
    moment = datetime.now(UTC)
    for as_of in (None, moment):
        query = replace(
            CLOSED, basis=basis, as_of=as_of, filter=SpendFilter(account="111122223333")
        )
        found = await by(db, settled, GroupBy.MODEL, query)
        lumen = found[LUMEN]
        assert (lumen.cost_nano, lumen.estimated_nano, lumen.billed_nano) == (None, None, 0)
        assert (lumen.total.requests, lumen.total.unpriced_requests) == (2, 2)
        assert lumen.total.unpriced_tokens == lumen.total.all_tokens == 105
        for model in (MODEL, FREE):
            assert found[model].total.unpriced_requests == 0
        assert (found[FREE].cost_nano, found[MODEL].cost_nano) == (0, 5_000_000_000)
        assert await unpriced(db, settled, query) == {LUMEN: (2, 105)}


async def test_it_is_missing_from_every_dimension_that_it_names(
    db: Database, settled: TenantId
) -> None:
    query = replace(CLOSED, filter=SpendFilter(model_id=LUMEN, account="111122223333"))
    for group, name in ((GroupBy.TEAM, "labs"), (GroupBy.USER, "ana"), (GroupBy.MODEL, LUMEN)):
        sums = (await by(db, settled, group, query))[name]
        assert sums.cost_nano is None
    (ana,) = (
        await by(db, settled, GroupBy.USER, replace(CLOSED, filter=SpendFilter(user="ana")))
    ).values()
    assert ana.total.unpriced_requests == 1
    series = replace(query, step=Step.DAY)
    (only,) = (await by(db, settled, GroupBy.MODEL, series)).values()
    assert only.total.unpriced_requests == 2


async def test_an_invoice_says_what_it_does_not_say(db: Database, settled: TenantId) -> None:
    query = replace(CLOSED, charges=Charges.INVOICE)
    found = await by(db, settled, GroupBy.MODEL, query)
    assert found[LUMEN].cost_nano is None
    assert found[LUMEN].total.unpriced_requests == 2, "what no bill covers stands beside"
    assert await unpriced(db, settled, query) == {LUMEN: (2, 105)}
    assert sum(sums.total.cost_nano for sums in found.values()) == 10_000_000_000


async def test_an_account_that_no_bill_names_is_counted_once(
    db: Database, settled: TenantId
) -> None:
    found = await by(db, settled, GroupBy.ACCOUNT, CLOSED)
    assert found[ELSEWHERE].total.unpriced_requests == 1
    assert (await unpriced(db, settled, CLOSED))[LUMEN][0] == 3
    estimate = replace(CLOSED, basis=CostBasis.ESTIMATE)
    assert sum(n for n, _ in (await unpriced(db, settled, estimate)).values()) == len(USES)


async def test_a_line_that_comes_later_gives_it_an_amount(db: Database, tenant: TenantId) -> None:
    await add_uses(db, tenant, USES)
    await load_bill(db, tenant, LINES)
    await reconcile_month(db, tenant, SIXTH)
    before = datetime.now(UTC)
    await load_bill(db, tenant, [*LINES[:2], replace(NAMELESS, model_id=LUMEN)])
    await reconcile_month(db, tenant, SIXTH)
    here = replace(CLOSED, filter=SpendFilter(account="111122223333"))
    now = (await by(db, tenant, GroupBy.MODEL, here))[LUMEN]
    assert (now.cost_nano, now.total.unpriced_requests) == (5_000_000_000, 0)
    then = (await by(db, tenant, GroupBy.MODEL, replace(here, as_of=before)))[LUMEN]
    assert (then.cost_nano, then.total.unpriced_requests) == (None, 2)
