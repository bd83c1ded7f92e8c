"""A tenant on real Postgres that a world happens to, and everything it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from hypothesis import note

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.cost.summary import Fact
from tensorcost.domain.ids import TenantId
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.session import Database
from tests.activities.reconciliation.worlds import Arrival, Billed, Reconciled, Used
from tests.support import databases
from tests.support.bills import load_bill, make_older
from tests.support.spend_rows import add_uses
from tests.support.temporal_house import utc_now
from tests.support.tenants import make_tenant

BILLED_BASES: Final = (CostBasis.UNBLENDED, CostBasis.AMORTIZED, CostBasis.NET)
AUTUMN: Final = Window.of_days(date(2026, 8, 30), date(2026, 11, 3))
"""The months of the closed worlds and some days around them."""
_BY: Final = (GroupBy.ACCOUNT, GroupBy.REGION, GroupBy.MODEL, GroupBy.TEAM, GroupBy.USER)
_QUESTIONS: Final = (
    CostQuery(AUTUMN, _BY, step=Step.DAY),
    CostQuery(AUTUMN, _BY, step=Step.DAY, basis=CostBasis.NET, charges=Charges.INVOICE),
    CostQuery(AUTUMN, (GroupBy.AGENT, GroupBy.WORKFLOW), basis=CostBasis.AMORTIZED),
    CostQuery(AUTUMN, (GroupBy.SOURCE, GroupBy.SERVICE_TIER), basis=CostBasis.ESTIMATE),
)
Answers = dict[tuple[object, ...], RollupMeasures]


@dataclass(frozen=True)
class Road:
    """One tenant and its reconciler."""

    db: Database
    tenant: TenantId
    reconciler: Reconciler
    delivered: datetime | None = None
    """When every delivery came; each in its own moment when None."""

    @classmethod
    async def begin(
        cls, db: Database, database: databases.Database, delivered: datetime | None = None
    ) -> "Road":
        tenant = await make_tenant(database)
        return cls(db, tenant, Reconciler(db, PriceBooks(db), utc_now), delivered)

    async def take(self, *world: Arrival) -> None:
        for arrival in world:
            note(f"{self.tenant}: {arrival}")
            match arrival:
                case Used(uses):
                    await add_uses(self.db, self.tenant, uses)
                case Billed():
                    await self._deliver(arrival)
                case Reconciled():
                    await self.settle()

    async def _deliver(self, bill: Billed) -> None:
        delivery = await load_bill(
            self.db,
            self.tenant,
            bill.lines,
            export=bill.export,
            period=bill.period,
            origin=bill.export,
        )
        if self.delivered is not None:
            await make_older(self.db, self.tenant, delivery, utc_now() - self.delivered)

    async def settle(self) -> None:
        """Reconcile every month that is due."""
        for period in await self.reconciler.due(self.tenant):
            await self.reconciler.reconcile(self.tenant, period, "user:fake")

    async def facts(self, query: CostQuery) -> list[Fact]:
        async with self.db.tenant(self.tenant) as tx:
            return await read_facts(tx, query)

    async def answers(self, as_of: datetime | None = None) -> Answers:
        """Every sum of four questions, whether it counts or stands beside."""
        found: Answers = {}
        for number, question in enumerate(_QUESTIONS):
            for fact in await self.facts(replace(question, as_of=as_of)):
                if fact.measures != RollupMeasures():
                    keys = (fact.key, fact.bucket, fact.grain, fact.verdict, fact.currency)
                    found[(number, *keys, fact.is_billed)] = fact.measures
        return found

    async def versions(self) -> int:
        async with self.db.tenant(self.tenant) as tx:
            count: int = await tx.scalar("SELECT count(*) FROM ai.reconciliation")
        return count

    async def closed_until(self, period: date) -> date:
        """The first day of the month that is not reconciled; its first where none is."""
        async with self.db.tenant(self.tenant) as tx:
            until: date | None = await tx.scalar(
                "SELECT max(closed_until) FROM ai.reconciliation WHERE period = :period",
                period=period,
            )
        return until or period

    async def moment(self) -> datetime:
        """Now, by the clock that says when things became known."""
        async with self.db.tenant(self.tenant) as tx:
            now: datetime = await tx.scalar("SELECT clock_timestamp()")
        return now.astimezone(UTC)


def assert_same(one: Answers, other: Answers) -> None:
    """Fails with the sums that differ alone."""
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    assert not differing, [(key, one.get(key), other.get(key)) for key in differing]


def cost_of(facts: Sequence[Fact]) -> int:
    """Nano-units of what counts."""
    return sum(fact.measures.cost_nano for fact in facts if fact.verdict.value == "counted")
