"""What the database says of its own tables: the walks read this, never a list kept by hand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

GLOBAL_TABLES = {
    "app.app_user": "users are global, memberships are per tenant (decisions 18)",
    "app.platform_audit": "uses of the platform role, which has no tenant",
    "app.schema_version": "alembic's own",
    "ai.price_version": "the global price list",
    "ai.price": "the global price list",
}
"""Tables without a tenant, on purpose. Whatever else turns up without one is a mistake."""

_TABLES = """
    SELECT n.nspname || '.' || c.relname AS name, c.relispartition,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                   AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('app', 'ai') AND c.relkind IN ('r', 'p')
    ORDER BY 1
"""
_COLUMNS = """
    SELECT a.attname AS name, t.typname AS type, a.attnotnull AS required,
           a.atthasdef AS has_default,
           has_column_privilege('tc_app', a.attrelid, a.attnum, 'UPDATE') AS may_update
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.attidentity = ''
    ORDER BY a.attnum
"""
_FOREIGN_KEYS = """
    SELECT k.conname AS name, n.nspname || '.' || f.relname AS parent,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY c (num, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.num
                 ORDER BY c.place) AS own,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY c (num, place)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.num
                 ORDER BY c.place) AS theirs
    FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
         JOIN pg_namespace n ON n.oid = f.relnamespace
    WHERE k.contype = 'f' AND k.conrelid = $1::regclass ORDER BY k.conname
"""
_CHECKS = """
    SELECT pg_get_constraintdef(oid) AS says FROM pg_constraint
    WHERE contype = 'c' AND conrelid = $1::regclass
"""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    is_partition: bool
    has_tenant: bool


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    required: bool
    has_default: bool
    may_update: bool
    """Whether the app role may change it."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    parent: str
    columns: Mapping[str, str]
    """Own column to the parent's."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Reads as the superuser, whom row security does not bind."""

    connection: asyncpg.Connection

    async def tables(self) -> list[Table]:
        """Every table and partition of the product's schemas."""
        return [Table(*row) for row in await self.connection.fetch(_TABLES)]

    async def tenant_tables(self) -> list[Table]:
        """Those that hold tenants' rows; partitions stand beside their parent."""
        return [table for table in await self.tables() if table.has_tenant]

    async def columns(self, table: str) -> list[Column]:
        return [Column(*row) for row in await self.connection.fetch(_COLUMNS, table)]

    async def foreign_keys(self, table: str) -> list[ForeignKey]:
        rows = await self.connection.fetch(_FOREIGN_KEYS, table)
        return [
            ForeignKey(
                row["name"], row["parent"], dict(zip(row["own"], row["theirs"], strict=True))
            )
            for row in rows
        ]

    async def checks(self, table: str) -> list[str]:
        return [row["says"] for row in await self.connection.fetch(_CHECKS, table)]

    async def rows(self, table: str, tenant: UUID) -> list[dict[str, Any]]:
        """A tenant's rows as JSON objects, in a fixed order."""
        rows = await self.connection.fetch(
            f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE tenant_id = $1 ORDER BY 1",
            tenant,
        )
        return [orjson.loads(row["row"]) for row in rows]

    async def count(self, table: str, tenant: UUID) -> int:
        found = await self.connection.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant
        )
        return int(found)

    async def everything(self, tenant: UUID) -> dict[str, list[dict[str, Any]]]:
        """All rows of a tenant, by table; partitions are in their parents."""
        tables = [table for table in await self.tenant_tables() if not table.is_partition]
        return {table.name: await self.rows(table.name, tenant) for table in tables}


@asynccontextmanager
async def open_catalogue(superuser_url: str) -> AsyncIterator[Catalogue]:
    connection = await asyncpg.connect(superuser_url)
    try:
        yield Catalogue(connection)
    finally:
        await connection.close()


def differences(
    before: Mapping[str, Sequence[object]], after: Mapping[str, Sequence[object]]
) -> list[str]:
    """The tables whose rows are not the same."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
