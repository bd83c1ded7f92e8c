"""Raw events in DuckDB, and from them the rollups, cells and dimensions of a fresh Postgres.

Both hold the same events: DuckDB one row each with its text beside, its natural form; the
Postgres of the product their sums, and with ``load_raw`` the events themselves too.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import asyncpg
import duckdb
import pgpq
import pyarrow as pa

from benchmarks.harness import Servers, make_tenant
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Dimension, RoutingScope, Source
from tensorcost.storage.session import Database
from tensorcost.storage.spend.dimensions import ensure_actors, ensure_dimensions
from tensorcost.storage.spend.partitions import ensure_partitions

START = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 30
TENANTS = 20
SHARES = (0.28, 0.04)
"""Of the first two tenants; the others share the rest alike."""
MODELS = {
    "anthropic.claude-sonnet-4-6": Source.BEDROCK,
    "anthropic.claude-haiku-4-5-20251001-v1:0": Source.BEDROCK,
    "amazon.nova-lite-v1:0": Source.BEDROCK,
    "meta.llama3-3-70b-instruct-v1:0": Source.BEDROCK,
    "gpt-5": Source.AZURE_OPENAI,
    "gpt-5-mini": Source.OPENAI_API,
    "gemini-2.5-pro": Source.VERTEX,
    "claude-opus-4-6": Source.ANTHROPIC_API,
}
APPLICATIONS = [f"application-{n:02}" for n in range(15)]
REGIONS = ("us-east-1", "eu-west-1")
_BATCH = 50_000

_EVENTS = """
    CREATE TABLE event AS
    WITH drawn AS (
        SELECT i, hash(i) / 18446744073709551616.0 AS whose, hash(i, 1) AS a, hash(i, 2) AS b
        FROM range($events) AS r (i)
    ), placed AS (
        SELECT a, b, (a % $dimensions)::int AS dim_no, (a // 1000 % $actors)::int AS actor_no,
            make_timestamp($start_us + (i::hugeint * $span_us // $events)::bigint) AS ts,
            CASE WHEN whose < $first THEN 0 WHEN whose < $second THEN 1
                 ELSE 2 + ((whose - $second) / (1 - $second) * ($tenants - 2))::int % ($tenants - 2)
            END AS tenant_no
        FROM drawn
    )
    SELECT t.tenant_id, p.ts, d.* EXCLUDE (dim_no), x.actor_id, x.user_name,
        (p.b % 4000)::bigint AS input_tokens, (p.b // 4000 % 700)::bigint AS output_tokens,
        (p.b // 2800000 % 900)::bigint AS cached_tokens,
        (1000 + p.a % 5000000)::bigint AS cost_nano, (p.b % 9000)::int AS latency_ms
    FROM placed p
    JOIN tenant t USING (tenant_no)
    JOIN dimension d USING (dim_no)
    JOIN actor x USING (actor_no)
"""
_SUMS = {
    "requests": "count(*)",
    "input_tokens": "sum(input_tokens)",
    "cached_tokens": "sum(cached_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cost_nano": "sum(cost_nano)",
    "latency_ms_sum": "sum(latency_ms)",
    "latency_count": "count(*)",
}
_KEY = "dim_id, actor_id, 1::smallint AS grain"
_MEASURES = ", ".join(f"({_SUMS.get(name, '0')})::bigint AS {name}" for name in MEASURE_NAMES)
_HOURLY = (
    f"SELECT tenant_id, date_trunc('hour', ts) AS hour, {_KEY}, {_MEASURES} FROM event "
    "GROUP BY ALL ORDER BY hour, tenant_id, dim_id"
)
_DAILY = (
    f"SELECT tenant_id, ts::date AS day, {_KEY}, {_MEASURES} FROM event "
    "GROUP BY ALL ORDER BY day, tenant_id, dim_id"
)
_CELLS = (
    "SELECT DISTINCT tenant_id, ts::date AS day, cell_id, "
    "1::smallint AS grain FROM event ORDER BY day"
)
_RAW = (
    "SELECT tenant_id, ts, from_hex(md5(row_number() OVER ()::text)) AS event_id, dim_id, "
    "actor_id, 1::bigint AS batch_id, 1::smallint AS grain, input_tokens, cached_tokens, "
    "output_tokens, cost_nano, 1::int AS price_version, latency_ms FROM event"
)

_RECONCILED = (
    "INSERT INTO ai.reconciliation (tenant_id, reconciliation_id, period, version, closed_until, "
    "deliveries, requested_by, days, days_changed) SELECT tenant_id, gen_random_uuid(), "
    f"'{START.date()}', 1, '{START.date() + timedelta(days=DAYS)}', '{{}}', 'bench', {DAYS}, "
    f"{DAYS} FROM app.tenant",
    "INSERT INTO ai.reconciled_day (tenant_id, day, reconciliation_id, period, content_hash) "
    "SELECT tenant_id, period + n, reconciliation_id, period, '' "
    f"FROM ai.reconciliation, generate_series(0, {DAYS - 1}) n",
    "INSERT INTO ai.reconciled_account SELECT DISTINCT tenant_id, reconciliation_id, source, "
    "usage_account_id, period, closed_until FROM ai.reconciliation JOIN ai.dimension "
    "USING (tenant_id)",
    "INSERT INTO ai.reconciled_daily SELECT tenant_id, day, reconciliation_id, dim_id, actor_id, "
    "grain, 'attributed', 'USD', cost_nano, cost_nano, cost_nano "
    "FROM ai.spend_daily JOIN ai.reconciled_day USING (tenant_id, day)",
)


@dataclass(frozen=True, slots=True)
class Dataset:
    duck: duckdb.DuckDBPyConnection
    tenants: list[TenantId]


async def make_dataset(
    servers: Servers, db: Database, *, events: int, actors: int, raw: bool
) -> Dataset:
    """Fill both databases."""
    tenants = [await make_tenant(servers) for _ in range(TENANTS)]
    dimensions, people = make_dimensions(), [Actor(user=f"user-{n}") for n in range(actors)]
    duck = make_events(events, tenants, dimensions, people)
    for tenant in tenants:
        async with db.tenant(tenant) as tx:
            await ensure_dimensions(tx, dimensions)
            await ensure_actors(tx, people)
    connection = await asyncpg.connect(servers.superuser)
    await load_table(connection, duck, _HOURLY, "spend_hourly")
    await load_table(connection, duck, _DAILY, "spend_daily")
    await load_table(connection, duck, _CELLS, "spend_cell")
    if raw:
        days = [(START + timedelta(days=n)).date() for n in range(DAYS)]
        await ensure_partitions(db, tenants[0], days)
        await load_table(connection, duck, _RAW, "spend_event")
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return Dataset(duck, tenants)


async def reconcile(servers: Servers) -> None:
    """Make a bill answer for every day and account, each row at the cost of its estimate."""
    connection = await asyncpg.connect(servers.superuser)
    for statement in _RECONCILED:
        await connection.execute(statement)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def make_dimensions() -> list[Dimension]:
    """240 combinations: models, applications and regions."""
    return [
        Dimension(
            source=source,
            provider=source.value,
            account_id="111122223333",
            usage_account_id="111122223333",
            region=region,
            routing_scope=RoutingScope.IN_REGION,
            model_id=model,
            application=application,
            team=f"team-{number % 5}",
            environment="prod",
        )
        for (model, source), (number, application), region in product(
            MODELS.items(), enumerate(APPLICATIONS), REGIONS
        )
    ]


def make_events(
    events: int, tenants: list[TenantId], dimensions: list[Dimension], actors: list[Actor]
) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, one thread, its table ``event`` in the order in which events come."""
    duck = duckdb.connect(":memory:", config={"threads": 1})
    tenant = pa.table({"tenant_no": range(len(tenants)), "tenant_id": [t.bytes for t in tenants]})
    dimension = pa.table(
        {
            "dim_no": range(len(dimensions)),
            "dim_id": [d.stable_id() for d in dimensions],
            "cell_id": [d.cell_id() for d in dimensions],
            "source": [d.source.value for d in dimensions],
            "region": [d.region for d in dimensions],
            "model_id": [d.model_id for d in dimensions],
            "application": [d.application for d in dimensions],
            "team": [d.team for d in dimensions],
        }
    )
    actor = pa.table(
        {
            "actor_no": range(len(actors)),
            "actor_id": [a.stable_id() for a in actors],
            "user_name": [a.user for a in actors],
        }
    )
    for name, table in (("tenant", tenant), ("dimension", dimension), ("actor", actor)):
        duck.register(name, table)
    duck.execute(
        _EVENTS,
        {
            "events": events,
            "start_us": int(START.timestamp()) * 1_000_000,
            "span_us": DAYS * 86_400_000_000,
            "first": SHARES[0],
            "second": sum(SHARES),
            "tenants": len(tenants),
            "dimensions": len(dimensions),
            "actors": len(actors),
        },
    )
    return duck


async def load_table(
    connection: asyncpg.Connection, duck: duckdb.DuckDBPyConnection, query: str, table: str
) -> None:
    """Copy what DuckDB answers into a table of schema ``ai``, columns by their names."""
    reader: pa.RecordBatchReader = duck.sql(query).to_arrow_reader(_BATCH)
    encoder = pgpq.ArrowToPostgresBinaryEncoder(reader.schema)

    async def encoded() -> AsyncIterator[bytes]:
        yield encoder.write_header()
        for batch in reader:
            yield encoder.write_batch(batch)
        yield encoder.finish()

    await connection.copy_to_table(
        table,
        schema_name="ai",
        source=encoded(),
        columns=reader.schema.names,
        format="binary",
    )
