"""The only way to a transaction: bound to a tenant, or platform-wide and audited.

``Database.tenant`` sets ``app.tenant_id`` for exactly one transaction; row security does the
rest. Nobody else commits. Events appended with ``TenantTx.emit`` are written as the last
statement of the transaction, so that their cursors are in commit order (decisions 24).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg
import orjson
from sqlalchemy import CursorResult, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId

EVENT_CHANNEL = "tensorcost_events"

_EMIT = text("""
    WITH counter AS (
        INSERT INTO app.event_cursor AS c (tenant_id, last) VALUES (:tenant, :n)
        ON CONFLICT (tenant_id) DO UPDATE SET last = c.last + :n
        RETURNING last
    ), appended AS (
        INSERT INTO app.event_outbox (tenant_id, cursor, type, data, trace_id)
        SELECT :tenant, counter.last - :n + e.position, e.type, e.data::jsonb, e.trace_id
        FROM counter,
             unnest(CAST(:types AS text[]), CAST(:data AS text[]), CAST(:traces AS text[]))
             WITH ORDINALITY AS e (type, data, trace_id, position)
        RETURNING cursor
    )
    SELECT pg_notify(:channel, :tenant_text) FROM appended LIMIT 1
""")


@dataclass(slots=True)
class Tx:
    """A transaction in progress."""

    conn: AsyncConnection

    async def all(self, sql: str, **params: Any) -> Sequence[Row[Any]]:
        """Every row of a query."""
        return (await self.conn.execute(text(sql), params)).all()

    async def first(self, sql: str, **params: Any) -> Row[Any] | None:
        """The first row, or None."""
        return (await self.conn.execute(text(sql), params)).first()

    async def scalar(self, sql: str, **params: Any) -> Any:
        """The first column of the first row, or None."""
        return (await self.conn.execute(text(sql), params)).scalar()

    async def run(self, sql: str, **params: Any) -> int:
        """Execute a statement; the number of rows it touched."""
        result = await self.conn.execute(text(sql), params)
        return cast("CursorResult[Any]", result).rowcount

    async def run_many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        """Execute a statement once a row."""
        if rows:
            await self.conn.execute(text(sql), rows)

    async def driver(self) -> asyncpg.Connection:
        """The asyncpg connection under this transaction, for COPY."""
        raw = await self.conn.get_raw_connection()
        return raw.driver_connection


@dataclass(slots=True)
class TenantTx(Tx):
    """A transaction that sees and writes one tenant's rows."""

    tenant_id: TenantId
    _events: list[NewEvent] = field(default_factory=list)

    def emit(self, event: NewEvent) -> None:
        """Append ``event`` to the outbox when this transaction commits."""
        self._events.append(event)

    async def flush_events(self) -> None:
        """Write the pending events. The unit of work calls this last."""
        if not self._events:
            return
        events, self._events = self._events, []
        await self.conn.execute(
            _EMIT,
            {
                "tenant": self.tenant_id,
                "tenant_text": str(self.tenant_id),
                "channel": EVENT_CHANNEL,
                "n": len(events),
                "types": [event.type.value for event in events],
                "data": [orjson.dumps(event.data).decode() for event in events],
                "traces": [event.trace_id for event in events],
            },
        )


@dataclass(frozen=True, slots=True)
class Database:
    """The running system's door to Postgres, as the app role."""

    engine: AsyncEngine

    @asynccontextmanager
    async def tenant(self, tenant_id: TenantId) -> AsyncIterator[TenantTx]:
        """One transaction of ``tenant_id``: committed on success, rolled back on any error."""
        async with self._connect() as conn, conn.begin():
            await conn.execute(
                text("SELECT set_config('app.tenant_id', :tenant, true)"),
                {"tenant": str(tenant_id)},
            )
            tx = TenantTx(conn, tenant_id)
            yield tx
            await tx.flush_events()

    @asynccontextmanager
    async def untenanted(self) -> AsyncIterator[Tx]:
        """A transaction before a tenant is known: sees global tables only."""
        async with self._connect() as conn, conn.begin():
            yield Tx(conn)

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncConnection]:
        try:
            connection = await self.engine.connect()
        except (OSError, DBAPIError, asyncpg.PostgresError) as error:
            raise Unavailable("the database cannot be reached") from error
        try:
            yield connection
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class PlatformDatabase:
    """Cross-tenant access for the few named jobs; every use leaves an audit row."""

    engine: AsyncEngine

    @asynccontextmanager
    async def open(self, *, reason: str, actor: str) -> AsyncIterator[Tx]:
        """A transaction as the platform role, recorded in ``app.platform_audit`` first."""
        async with self.engine.connect() as conn, conn.begin():
            await conn.execute(
                text("INSERT INTO app.platform_audit (reason, actor) VALUES (:reason, :actor)"),
                {"reason": reason, "actor": actor},
            )
            yield Tx(conn)
