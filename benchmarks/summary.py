"""A 30-day summary from the rollups, against DuckDB on the raw events and against no RLS.

"Cost by source, model and application over 30 days" of one tenant of twenty:

* ``DuckDB``: one thread, in memory, sums requests and cost over its native table of events;
* ``product``: the statement of ``storage.cost_queries`` as the app role, the whole
  transaction with it; it sums all thirteen measures and settles which grain counts;
* ``no RLS``: the same through a superuser's connection, which no policy binds;
* ``service``: what ``/v1/cost/summary`` does: sums by source and workload, freshness, the
  unpriced part, and the entry in the access ledger.

The answers are compared before anything is timed. Then all days are reconciled with a bill, and
the same questions are asked again: volumes come from the rollups, money from the bill.

    python -m benchmarks.summary [--events 10000000] [--actors 1] [--raw]
"""

import argparse
import asyncio
import statistics
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from benchmarks.harness import ROUNDS, Servers, durable_database, spread, timed
from benchmarks.summary_data import DAYS, START, Dataset, make_dataset, reconcile
from tensorcost.domain.cost.query import CostQuery, GroupBy
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.ids import TenantId
from tensorcost.services.cost.asking import CostRequest
from tensorcost.services.cost.service import CostService
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.support.principals import caller

CALLS: Final = 10
END: Final = START + timedelta(days=DAYS)
QUERY: Final = CostQuery(
    Window(START, END), group_by=(GroupBy.SOURCE, GroupBy.MODEL, GroupBy.APPLICATION)
)
_ON_RAW: Final = (
    "SELECT source, model_id, application, count(*), sum(cost_nano) FROM event "
    "WHERE tenant_id = $1 AND ts >= $2 AND ts < $3 GROUP BY ALL"
)
Answer = dict[tuple[str, ...], tuple[int, int]]


class Summaries:
    """The ways to one answer."""

    def __init__(self, data: Dataset, app: Database, superuser: Database) -> None:
        self._duck = data.duck
        self._app = app
        self._superuser = superuser
        self._service = CostService(app, lambda: END)

    async def duckdb(self, tenant: TenantId) -> Answer:
        rows = self._duck.execute(_ON_RAW, [tenant.bytes, _naive(START), _naive(END)]).fetchall()
        return {tuple(row[:3]): (int(row[3]), int(row[4])) for row in rows}

    async def product(self, tenant: TenantId) -> Answer:
        return await self._answer(self._app, tenant)

    async def no_rls(self, tenant: TenantId) -> Answer:
        return await self._answer(self._superuser, tenant)

    async def service(self, tenant: TenantId) -> None:
        await self._service.summary(caller(tenant), CostRequest(start=START, end=END))

    async def _answer(self, db: Database, tenant: TenantId) -> Answer:
        async with db.tenant(tenant) as tx:
            facts = await read_facts(tx, QUERY)
        answer: Answer = defaultdict(lambda: (0, 0))
        for fact in facts:
            requests, cost_nano = answer[fact.key]
            answer[fact.key] = (
                requests + fact.measures.requests,
                cost_nano + fact.measures.cost_nano,
            )
        return answer


def _naive(moment: datetime) -> datetime:
    """UTC as DuckDB's table has it: its time zones are an extension to download."""
    return moment.replace(tzinfo=None)


async def median_ms(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of the median of some calls."""
    return statistics.median([await timed(work) for _ in range(CALLS)]) * 1e3


async def measure(summaries: Summaries, tenant: TenantId, rounds: int) -> None:
    ways: dict[str, Callable[[TenantId], Awaitable[object]]] = {
        "DuckDB": summaries.duckdb,
        "product": summaries.product,
        "no RLS": summaries.no_rls,
        "service": summaries.service,
    }
    expected = await summaries.duckdb(tenant)
    for answer in (await summaries.product(tenant), await summaries.no_rls(tenant)):
        if answer != expected:
            raise SystemExit("the answers differ")
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, way in ways.items():
            milliseconds = await median_ms(lambda way=way: way(tenant))  # type: ignore[misc]
            if number:
                times[name].append(milliseconds)
    events = sum(requests for requests, _ in expected.values())
    print(f"\ntenant with {events} events, {len(expected)} groups")
    for name, values in times.items():
        print(f"{name:8} ms            {spread(values)}")
    for name in ("product", "service"):
        ratios = [a / b for a, b in zip(times[name], times["DuckDB"], strict=True)]
        target = "   target <= 0.1" if name == "product" else ""
        print(f"{name} / DuckDB     {spread(ratios)}{target}")
    bound = [a / b for a, b in zip(times["product"], times["no RLS"], strict=True)]
    print(f"product / no RLS     {spread(bound)}   target <= 1.15")


async def sizes(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.superuser)
    for table in ("spend_daily", "spend_hourly", "spend_cell"):
        size = await connection.fetchval(f"SELECT pg_total_relation_size('ai.{table}')")
        rows = await connection.fetchval(f"SELECT count(*) FROM ai.{table}")
        print(f"{table:14} {rows:>10} rows {size / 1e6:8.0f} MB")
    await connection.close()


async def main(events: int, actors: int, rounds: int, *, raw: bool) -> None:
    async with durable_database() as servers:
        app = make_engine(servers.urls.app, application_name="bench")
        superuser = make_engine(servers.superuser, application_name="bench")
        begun = datetime.now(tz=START.tzinfo)
        data = await make_dataset(servers, Database(app), events=events, actors=actors, raw=raw)
        seconds = (datetime.now(tz=START.tzinfo) - begun).total_seconds()
        print(f"{events} events, {DAYS} days, made in {seconds:.0f} s")
        await sizes(servers)
        summaries = Summaries(data, Database(app), Database(superuser))
        for tenant in data.tenants[:2]:
            await measure(summaries, tenant, rounds)
        await reconcile(servers)
        print("\nthe same with every day reconciled with a bill")
        for tenant in data.tenants[:2]:
            await measure(summaries, tenant, rounds)
        data.duck.close()
        await app.dispose()
        await superuser.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--actors", type=int, default=1, help="who calls, per application")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--raw", action="store_true", help="load the events into Postgres too")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.events, chosen.actors, chosen.rounds, raw=chosen.raw))
