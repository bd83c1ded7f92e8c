"""Money of reconciled days: the bill's, to the nano, over any dimension and in any basis."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy, SpendFilter, Step
from tensorcost.domain.cost.query_window import Window, midnight
from tensorcost.domain.cost.reconciliation.facts import Share
from tensorcost.domain.cost.reserved import CHARGES, UNATTRIBUTED, UNCLASSIFIED
from tensorcost.domain.cost.summary import Table, Verdict, tabulate
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.domain.spend.facts import Actor, Grain, Source
from tensorcost.storage.cost_queries.billed import ReconciledDays, read_reconciled_days
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.cost_queries.unpriced import read_unpriced
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.bills import bill_line, load_bill
from tests.support.reconciled import reconcile_month
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant

FIFTH, SIXTH, SEVENTH = (date(2026, 10, day) for day in (5, 6, 7))
OCTOBER = Window.of_days(date(2026, 10, 1), date(2026, 11, 1))
CLOSED = Window.of_days(date(2026, 10, 1), SEVENTH)
USD = 1_000_000_000
OTHER, NEVER_BILLED = "444455556666", "777788889999"
BASES = (CostBasis.UNBLENDED, CostBasis.AMORTIZED, CostBasis.NET)
TRIAGE, ANA = Actor(agent="triage", workflow="tickets"), Actor(user="ana")
LABS = dimension(team="labs", application="search")
OPENAI = dimension(
    source=Source.OPENAI_API, provider="openai", usage_account_id="org-1", model_id="gpt-5"
)

USES = [
    Use(at(FIFTH), dimension(), 3 * USD, who=TRIAGE, input_tokens=3_000_000, output_tokens=0),
    Use(at(FIFTH), LABS, None, who=ANA, input_tokens=1_000_000, output_tokens=0),
    Use(at(SIXTH), dimension(team=""), 7 * USD, input_tokens=7_000_000, output_tokens=0),
    Use(at(SIXTH), dimension(), 90 * USD, grain=Grain.METRIC, input_tokens=9_000_000),
    Use(at(SEVENTH), dimension(), 11 * USD, who=TRIAGE, input_tokens=11_000_000),
]
UNCOVERED = [
    Use(at(FIFTH), OPENAI, 5 * USD, who=TRIAGE),
    Use(at(SIXTH), dimension(usage_account_id=NEVER_BILLED), 13 * USD),
    Use(at(SIXTH), dimension(source=Source.GPU_AGENT, model_id=""), 17 * USD, input_tokens=0),
]


def sold(day: date, millions: int, nano: int, **changes: object) -> BillLine:
    """Input tokens; amortised is a nano more than unblended, net a tenth less."""
    bases = {"unblended_nano": nano, "amortized_nano": nano + 1, "net_nano": nano - nano // 10}
    return bill_line(day, quantity_micro=millions * 10**12, **{**bases, **changes})


def charge(day: date, category: ChargeCategory, nano: int, **changes: object) -> BillLine:
    return sold(day, 0, nano, charge_category=category, token_kind=None, **changes)


SOLD = [
    sold(FIFTH, 5, 5_000_000_003),
    sold(SIXTH, 7, 6_999_999_999),
    sold(SIXTH, 2, 2_000_000_001, usage_account_id=OTHER),
    sold(SIXTH, 1, 1_500_000_000, usage_account_id=OTHER, tags=(("team", "care"),)),
    sold(SIXTH, 1, 250_000_000, model_id="", region="eu-west-1"),
]
CHARGED = {
    Share.TAX: charge(SIXTH, ChargeCategory.TAX, 19, region="", model_id=""),
    Share.CREDIT: charge(FIFTH, ChargeCategory.CREDIT, -23),
    Share.REFUND: charge(date(2026, 9, 3), ChargeCategory.USAGE, -29, line_item_type="Refund"),
    Share.DISCOUNT: charge(FIFTH, ChargeCategory.ADJUSTMENT, -31),
    Share.COMMITMENT: charge(FIFTH, ChargeCategory.PURCHASE, 37),
    Share.OUT_OF_SCOPE: charge(
        SIXTH, ChargeCategory.USAGE, 41, in_scope=False, model_id="", provider=""
    ),
}
LINES = [
    *SOLD,
    *CHARGED.values(),
    charge(SIXTH, ChargeCategory.USAGE, 43, currency="EUR"),
    sold(SEVENTH, 11, 12 * USD),
]
RESTATED = [sold(FIFTH, 5, 4 * USD), *LINES[1:]]


def bill_of(lines: list[BillLine], basis: CostBasis, until: date = SEVENTH) -> int:
    """What the lines before ``until`` say in dollars."""
    return sum(
        int(getattr(line, f"{basis.value}_nano"))
        for line in lines
        if line.currency == "USD" and line.usage_start < midnight(until)
    )


def anew(uses: list[Use]) -> list[Use]:
    """The same uses under ids of their own."""
    return [replace(use, event_id=uuid4()) for use in uses]


@pytest.fixture(scope="module")
async def settled(db: Database, database: databases.Database) -> TenantId:
    """A tenant whose October is reconciled up to the sixth, beside one that has the same usage."""
    tenant, neighbour = await make_tenant(database), await make_tenant(database)
    for owner in (neighbour, tenant):
        await add_uses(db, owner, anew(USES))
        await load_bill(db, owner, LINES)
    await reconcile_month(db, tenant, SEVENTH)
    return tenant


async def table(db: Database, tenant: TenantId, query: CostQuery) -> Table:
    async with db.tenant(tenant) as tx:
        return tabulate(await read_facts(tx, query))


async def now(db: Database, tenant: TenantId) -> datetime:
    """The database's clock, in a transaction of its own."""
    async with db.tenant(tenant) as tx:
        moment: datetime = await tx.scalar("SELECT clock_timestamp()")
    return moment.astimezone(UTC)


def costs(found: Table) -> Mapping[str, int]:
    return {row.key[0]: row.sums.total.cost_nano for row in found.rows}


@pytest.mark.parametrize("group", list(GroupBy))
@pytest.mark.parametrize("basis", BASES)
async def test_the_invoice_adds_up_to_the_bill_over_every_dimension(
    db: Database, settled: TenantId, group: GroupBy, basis: CostBasis
) -> None:
    for as_of in (None, await now(db, settled)):
        query = CostQuery(CLOSED, (group,), as_of=as_of, basis=basis, charges=Charges.INVOICE)
        found = await table(db, settled, query)
        assert sum(costs(found).values()) == bill_of(LINES, basis)
        assert found.sums.total.cost_nano == found.sums.billed_nano == bill_of(LINES, basis)
        assert set(CHARGES.values()) <= set(costs(found)), "each charge is a row of its own"
        assert {(b.reason, b.currency) for b in found.beside} == {
            (Verdict.OTHER_CURRENCY, "EUR"),
            (Verdict.FINER_GRAIN, "USD"),
        }


@pytest.mark.parametrize("basis", BASES)
async def test_the_default_view_counts_usage_and_says_what_it_leaves_out(
    db: Database, settled: TenantId, basis: CostBasis
) -> None:
    found = await table(db, settled, CostQuery(CLOSED, basis=basis))
    assert found.sums.total.cost_nano == found.sums.billed_nano == bill_of(SOLD, basis)
    assert found.sums.estimated_nano == 0
    beside = {b.reason: b.measures.cost_nano for b in found.beside if b.currency == "USD"}
    assert beside.pop(Verdict.FINER_GRAIN) == 90 * USD, "what CloudWatch counted, at its estimate"
    assert beside == {
        Verdict(share.value): bill_of([line], basis) for share, line in CHARGED.items()
    }
    assert bill_of(SOLD, basis) + sum(beside.values()) == bill_of(LINES, basis)


async def test_attributed_money_names_callers_and_the_rest_keeps_what_its_line_knows(
    db: Database, settled: TenantId
) -> None:
    async def by(group: GroupBy) -> Mapping[str, int]:
        return costs(await table(db, settled, CostQuery(CLOSED, (group,))))

    # On the fifth four of five million tokens were logged: four fifths of the line, three to one.
    assert await by(GroupBy.TEAM) == {
        "care": 3_000_000_002 + 1_500_000_000,
        "labs": 1_000_000_000,
        "": 6_999_999_999,
        UNATTRIBUTED: 1_000_000_001 + 2_000_000_001 + 250_000_000,
    }
    assert await by(GroupBy.AGENT) == {
        "triage": 3_000_000_002,
        "": 1_000_000_000 + 6_999_999_999,
        UNATTRIBUTED: 1_000_000_001 + 3_500_000_001 + 250_000_000,
    }
    assert await by(GroupBy.ACCOUNT) == {
        "111122223333": 5_000_000_003 + 6_999_999_999 + 250_000_000,
        OTHER: 3_500_000_001,
    }
    assert await by(GroupBy.MODEL) == {
        MODEL: bill_of(SOLD, CostBasis.UNBLENDED) - 250_000_000,
        UNCLASSIFIED: 250_000_000,
    }


async def test_volumes_stay_and_nothing_is_missing_where_the_bill_has_a_price(
    db: Database, settled: TenantId
) -> None:
    by_team = (GroupBy.TEAM,)
    billed = await table(db, settled, CostQuery(CLOSED, by_team))
    estimated = await table(db, settled, CostQuery(CLOSED, by_team, basis=CostBasis.ESTIMATE))
    volumes = [
        (found.sums.total.requests, found.sums.total.all_tokens) for found in (billed, estimated)
    ]
    assert volumes[0] == volumes[1]
    sums = {row.key[0]: row.sums for row in billed.rows}
    assert (sums["labs"].cost_nano, sums["labs"].total.unpriced_requests) == (1_000_000_000, 0)
    assert sums["labs"].total.requests == 1
    before = {row.key[0]: row.sums for row in estimated.rows}
    assert (before["labs"].cost_nano, before["labs"].total.unpriced_requests) == (None, 1)
    async with db.tenant(settled) as tx:
        assert await read_unpriced(tx, CostQuery(CLOSED)) == []
        (labs,) = await read_unpriced(tx, CostQuery(CLOSED, basis=CostBasis.ESTIMATE))
    assert labs.measures.unpriced_requests == 1


async def test_days_that_are_not_reconciled_hours_and_parts_of_days_stay_estimates(
    db: Database, settled: TenantId
) -> None:
    month = await table(db, settled, CostQuery(OCTOBER))
    assert month.sums.billed_nano == bill_of(SOLD, CostBasis.UNBLENDED)
    assert month.sums.estimated_nano == 11 * USD
    reasons = {(b.grain, b.reason) for b in month.beside}
    assert (Grain.BILL, Verdict.FINER_GRAIN) in reasons, "the seventh's bill line"
    estimates = [
        CostQuery(CLOSED, basis=CostBasis.ESTIMATE),
        CostQuery(CLOSED, step=Step.HOUR),
        CostQuery(Window(at(FIFTH, 1), at(FIFTH, 23))),
    ]
    for query in estimates:
        assert (await table(db, settled, query)).sums.billed_nano == 0
    cut = await table(db, settled, CostQuery(Window(at(FIFTH, 12), at(SEVENTH, 13))))
    assert cut.sums.billed_nano == bill_of(SOLD[1:], CostBasis.UNBLENDED)
    assert cut.sums.estimated_nano == (3 + 11) * USD


async def test_a_series_by_day_draws_billed_days_and_estimated_ones(
    db: Database, settled: TenantId
) -> None:
    query = CostQuery(OCTOBER, (GroupBy.TEAM,), step=Step.DAY)
    async with db.tenant(settled) as tx:
        facts = await read_facts(tx, query)
    by_day: dict[date, int] = {}
    for fact in facts:
        if fact.verdict is Verdict.COUNTED and fact.bucket is not None:
            day = fact.bucket.date()
            by_day[day] = by_day.get(day, 0) + fact.measures.cost_nano
    assert by_day == {
        FIFTH: 5_000_000_003,
        SIXTH: bill_of(SOLD[1:], CostBasis.UNBLENDED),
        SEVENTH: 11 * USD,
    }


async def test_filters_keep_reconciled_money_by_dimension_actor_and_member(
    db: Database, settled: TenantId
) -> None:
    async def total(charges: Charges = Charges.INVOICE, **only: object) -> int:
        kept = SpendFilter(**only)  # type: ignore[arg-type]
        query = CostQuery(CLOSED, filter=kept, charges=charges)
        return (await table(db, settled, query)).sums.total.cost_nano

    assert await total(agent="triage") == 3_000_000_002
    assert await total(user="ana", team="labs") == 1_000_000_000
    assert await total(account=OTHER, team="care") == 1_500_000_000
    assert await total(team="(tax)") == await total(agent="(tax)") == 19
    assert await total(team="(refund)", account="111122223333") == -29
    assert await total(team=UNATTRIBUTED) == 3_250_000_002
    assert await total(agent=UNATTRIBUTED) == 4_750_000_002
    assert await total(model_id=UNCLASSIFIED) == 250_000_000
    assert await total(source=Source.OTHER) == 41
    assert await total(Charges.USAGE, agent="") == bill_of(SOLD, CostBasis.UNBLENDED) - await total(
        agent="triage"
    )
    assert await total(region="eu-west-1") == 250_000_000


async def test_what_no_bill_of_the_month_names_goes_on_costing_its_estimate(
    db: Database, tenant: TenantId
) -> None:
    await add_uses(db, tenant, [*anew(USES), *UNCOVERED])
    await load_bill(db, tenant, LINES)
    await reconcile_month(db, tenant, SEVENTH)
    for as_of in (None, await now(db, tenant)):
        usage = await table(db, tenant, CostQuery(CLOSED, (GroupBy.SOURCE,), as_of=as_of))
        assert usage.sums.billed_nano == bill_of(SOLD, CostBasis.UNBLENDED)
        assert usage.sums.estimated_nano == (5 + 13 + 17) * USD
        assert costs(usage)["openai_api"] == 5 * USD
        query = CostQuery(CLOSED, as_of=as_of, charges=Charges.INVOICE)
        invoice = await table(db, tenant, query)
        assert invoice.sums.total.cost_nano == bill_of(LINES, CostBasis.UNBLENDED)
        (left_out,) = [b for b in invoice.beside if b.reason is Verdict.NOT_BILLED]
        assert (left_out.measures.cost_nano, left_out.measures.requests) == (35 * USD, 3)


async def test_as_of_answers_with_the_reconciliation_known_then(
    db: Database, tenant: TenantId
) -> None:
    await add_uses(db, tenant, anew(USES))
    estimated_at = await now(db, tenant)
    await load_bill(db, tenant, LINES)
    await reconcile_month(db, tenant, SEVENTH)
    settled_at = await now(db, tenant)
    await load_bill(db, tenant, RESTATED)
    waiting_at = await now(db, tenant)
    await reconcile_month(db, tenant, SEVENTH)

    async def invoice(as_of: datetime | None) -> tuple[int, ReconciledDays]:
        query = CostQuery(CLOSED, as_of=as_of, charges=Charges.INVOICE)
        async with db.tenant(tenant) as tx:
            days = await read_reconciled_days(tx, query)
        return (await table(db, tenant, query)).sums.total.cost_nano, days

    first, second = (bill_of(lines, CostBasis.UNBLENDED) for lines in (LINES, RESTATED))
    six = ReconciledDays(6, SIXTH)
    assert await invoice(None) == (second, six)
    assert await invoice(await now(db, tenant)) == (second, six)
    assert await invoice(waiting_at) == (first, six), "a bill counts once it is reconciled"
    assert await invoice(settled_at) == (first, six)
    assert await invoice(estimated_at) == (10 * USD, ReconciledDays())
