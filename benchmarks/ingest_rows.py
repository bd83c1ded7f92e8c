"""The rows that the ingest benchmarks load, and the two limits that they are held against."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg

from tensorcost.activities.ingest.chunks import Prepared
from tensorcost.domain.spend.facts import Actor, Grain
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.spend.events import COLUMNS
from tests.support.spend import add_row, dimension

COPY_ROWS = 5_000
START = datetime(2026, 10, 1, tzinfo=UTC)
DIMENSIONS = [
    dimension(
        application=f"app-{n % 8}",
        team=f"team-{n % 4}",
        environment="prod",
        model_family="claude-haiku",
        operation="Converse",
        profile_arn=f"arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/p{n:011}",
    )
    for n in range(10)
]
ACTORS = [Actor(user=f"user-{n}") for n in range(20)]

WIDE = """
    tenant_id uuid, ts timestamptz, event_id uuid, source text, account_id text, region text,
    model_id text, model_family text, model_tier text, operation text, input_tokens bigint,
    output_tokens bigint, cached_tokens bigint, cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint, latency_ms int, cost_usd numeric, inference_profile_arn text,
    application text, team text, environment text, user_id text, agent_id text,
    workflow_id text, request_id text, prompt_hash bytea, response_hash bytea, grain smallint
"""
"""The product's event with its text in every row: 28 columns."""


def chunk(rng: random.Random, rows: int, start: datetime) -> ParsedSpend:
    """Request rows within one hour, as those of an object are, over ten dimensions."""
    parsed = ParsedSpend(Grain.REQUEST)
    for _ in range(rows):
        add_row(
            parsed,
            str(UUID(int=rng.getrandbits(128), version=4)),
            start + timedelta(microseconds=rng.randrange(3_600_000_000)),
            DIMENSIONS[rng.randrange(len(DIMENSIONS))],
            ACTORS[rng.randrange(len(ACTORS))],
            input_tokens=rng.randrange(5_000),
            output_tokens=rng.randrange(800),
            latency_ms=rng.randrange(9_000),
            prompt_hash=rng.randbytes(16),
            response_hash=rng.randbytes(16),
        )
    return parsed


def chunks(rows: int, size: int, seed: int, day: int = 0) -> list[ParsedSpend]:
    """``rows`` rows in chunks of ``size``; chunks follow one another through the day.

    ``day`` counts from ``START``: what is loaded later happened later, as in a live system.
    """
    rng = random.Random(seed)
    start = START + timedelta(days=day)
    return [
        chunk(rng, min(size, rows - first), start + timedelta(hours=first * 24 // rows))
        for first in range(0, rows, size)
    ]


def narrow_tuples(prepared: list[Prepared]) -> list[list[tuple[object, ...]]]:
    """Rows of ``ai.spend_event``, 5,000 a batch."""
    rows: list[tuple[object, ...]] = []
    tenant = uuid4()
    for one in prepared:
        columns = [column.to_pylist() for column in one.events.columns]
        for name in ("event_id", "request_id"):
            at = COLUMNS.index(name)
            columns[at] = [UUID(bytes=value) if value else None for value in columns[at]]
        rows.extend((tenant, *row) for row in zip(*columns, strict=True))
    return _batched(rows)


def wide_tuples(prepared: list[Prepared]) -> list[list[tuple[object, ...]]]:
    """The same facts as rows of ``WIDE``."""
    dimensions = {dimension.stable_id(): dimension for dimension in DIMENSIONS}
    actors = {actor.stable_id(): actor for actor in ACTORS}
    tenant = uuid4()
    rows: list[tuple[object, ...]] = []
    for one in prepared:
        for row in one.events.to_pylist():
            what, who = dimensions[row["dim_id"]], actors[row["actor_id"]]
            rows.append(
                (
                    tenant,
                    row["ts"],
                    UUID(bytes=row["event_id"]),
                    what.source.value,
                    what.account_id,
                    what.region,
                    what.model_id,
                    what.model_family,
                    what.model_tier.value,
                    what.operation,
                    row["input_tokens"],
                    row["output_tokens"],
                    row["cached_tokens"],
                    row["cache_write_5m_tokens"],
                    row["cache_write_1h_tokens"],
                    row["latency_ms"],
                    Decimal(row["cost_nano"]).scaleb(-9),
                    what.profile_arn,
                    what.application,
                    what.team,
                    what.environment,
                    who.user,
                    who.agent,
                    who.workflow,
                    str(UUID(bytes=row["request_id"])),
                    row["prompt_hash"],
                    row["response_hash"],
                    row["grain"],
                )
            )
    return _batched(rows)


class Limit:
    """Binary COPY of tuples by asyncpg into an unlogged table without index or default."""

    def __init__(self, connection: asyncpg.Connection, table: str, columns: list[str]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns

    @classmethod
    async def narrow(cls, connection: asyncpg.Connection, table: str) -> "Limit":
        """A table of our own narrow rows."""
        await connection.execute(
            f"CREATE UNLOGGED TABLE {table} AS SELECT * FROM ai.spend_event WITH NO DATA"
        )
        return cls(connection, table, ["tenant_id", *COLUMNS])

    @classmethod
    async def wide(cls, connection: asyncpg.Connection, table: str) -> "Limit":
        """A table of ``WIDE`` rows."""
        await connection.execute(f"CREATE UNLOGGED TABLE {table} ({WIDE})")
        return cls(connection, table, [name.split()[0] for name in WIDE.split(",")])

    async def drop(self) -> None:
        """Before anything else is measured: its unwritten pages would be written by others."""
        await self._connection.execute(f"DROP TABLE {self._table}")

    async def copy(self, batches: list[list[tuple[object, ...]]]) -> None:
        for batch in batches:
            await self._connection.copy_records_to_table(
                self._table, records=batch, columns=self._columns
            )


def _batched(rows: list[tuple[object, ...]]) -> list[list[tuple[object, ...]]]:
    return [rows[first : first + COPY_ROWS] for first in range(0, len(rows), COPY_ROWS)]
