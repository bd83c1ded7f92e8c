"""Durable, de-duplicated, rolled-up ingest against the limit of binary COPY.

L: asyncpg's binary COPY of the same rows as tuples into an UNLOGGED table without index,
5,000 a batch, one connection. Ours: one object a batch, with its checkpoint, primary key,
hourly and daily rollups, deltas, cells and event, committed with fsync.

    python -m benchmarks.ingest [--rows 200000]
"""

import argparse
import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from benchmarks.harness import ROUNDS, Servers, durable_database, spread, timed
from tensorcost.activities.ingest.chunks import Prepared, prepare
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Grain
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tensorcost.storage.spend.events import COLUMNS
from tests.support.prices import store_list_prices
from tests.support.spend import add_row, dimension

BATCH = 5_000
START = datetime(2026, 11, 3, tzinfo=UTC)
DIMENSIONS = [
    dimension(application=f"app-{n % 8}", team=f"team-{n % 4}", model_id=model)
    for model in ("anthropic.claude-haiku-4-5-20251001-v1:0",)
    for n in range(10)
]


def chunks(rows: int, seed: int) -> list[ParsedSpend]:
    """Request rows of one day over ten dimensions, each chunk within one hour as objects are."""
    rng = random.Random(seed)
    made = []
    for first in range(0, rows, BATCH):
        parsed = ParsedSpend(Grain.REQUEST)
        hour = START + timedelta(hours=(first // BATCH) % 24)
        for _ in range(min(BATCH, rows - first)):
            request = str(UUID(int=rng.getrandbits(128), version=4))
            add_row(
                parsed,
                request,
                hour + timedelta(microseconds=rng.randrange(3_600_000_000)),
                DIMENSIONS[rng.randrange(10)],
                Actor(user=f"user-{rng.randrange(20)}"),
                input_tokens=rng.randrange(5_000),
                output_tokens=rng.randrange(800),
                latency_ms=rng.randrange(9_000),
                prompt_hash=rng.randbytes(16),
                response_hash=rng.randbytes(16),
            )
        made.append(parsed)
    return made


async def limit(servers: Servers, prepared: list[Prepared]) -> float:
    """Seconds to COPY the rows as tuples into an unlogged table without index."""
    connection = await asyncpg.connect(servers.superuser)
    await connection.execute("DROP TABLE IF EXISTS public.bench_limit")
    await connection.execute(
        "CREATE UNLOGGED TABLE public.bench_limit AS SELECT * FROM ai.spend_event WITH NO DATA"
    )
    tenant = uuid4()
    batches = []
    for chunk in prepared:
        columns = [column.to_pylist() for column in chunk.load.events.columns]
        for name in ("event_id", "request_id"):
            at = COLUMNS.index(name)
            columns[at] = [UUID(bytes=value) if value else None for value in columns[at]]
        batches.append([(tenant, *row) for row in zip(*columns, strict=True)])

    async def copy() -> None:
        for batch in batches:
            await connection.copy_records_to_table(
                "bench_limit", schema_name="public", records=batch, columns=["tenant_id", *COLUMNS]
            )

    seconds = await timed(copy)
    await connection.close()
    return seconds


async def ours(db: Database, tenant: TenantId, made: list[ParsedSpend], run: int) -> float:
    """Seconds to price and load the chunks, one object each."""
    ingest = SpendIngest(db, PriceBooks(db))
    origin = Origin("bench")

    async def load() -> None:
        for number, parsed in enumerate(made):
            one = [parsed]
            report = await ingest.load_object(
                tenant, origin, ObjectRef(f"{run}/{number}", "1"), one.copy
            )
            assert report.accepted == len(parsed)

    return await timed(load)


async def main(rows: int) -> None:
    async with durable_database() as servers:
        tenant = TenantId(uuid4())
        platform = await asyncpg.connect(servers.urls.platform)
        await platform.execute(
            "INSERT INTO app.tenant (tenant_id, slug, name, plan) VALUES ($1, 'bench', 'b', "
            "'growth')",
            tenant,
        )
        await platform.close()
        await store_list_prices(servers.urls.platform)
        engine = make_engine(servers.urls.app, application_name="bench")
        db = Database(engine)
        book: PriceBook = await PriceBooks(db).current(tenant)
        ratios, limits, loads = [], [], []
        for run in range(ROUNDS + 1):
            made = chunks(rows, seed=run)
            prepared = [prepare(parsed, book) for parsed in made]
            one = await limit(servers, prepared)
            two = await ours(db, tenant, made, run)
            if run:
                ratios.append(one / two)
                limits.append(rows / one)
                loads.append(rows / two)
        await engine.dispose()
    print(f"rows a round              {rows}")
    print(f"L, rows/s                 {spread(limits)}")
    print(f"parsed to committed, rows/s {spread(loads)}")
    print(f"ratio to L                {spread(ratios)}   target >= 0.75")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    asyncio.run(main(parser.parse_args().rows))
