"""Tenants for tests, made the way the platform role makes them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from tensorcost.domain.ids import TenantId
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase


async def make_tenant(database: TestDatabase, plan: str = "growth") -> TenantId:
    """A new tenant with a content-hashing secret and nothing else."""
    tenant = TenantId(uuid4())
    connection = await asyncpg.connect(database.urls.platform)
    try:
        await connection.execute(
            "INSERT INTO app.tenant (tenant_id, slug, name, plan) VALUES ($1, $2, 'Test', $3)",
            tenant,
            f"t-{secrets.token_hex(6)}",
            plan,
        )
        await connection.execute(
            "INSERT INTO app.tenant_secret (tenant_id, kind, secret) VALUES ($1, $2, $3)",
            tenant,
            "content_hash",
            secrets.token_bytes(32),
        )
    finally:
        await connection.close()
    return tenant


@asynccontextmanager
async def app_database(database: TestDatabase) -> AsyncIterator[Database]:
    """The product's own door to the database, as the app role."""
    engine = make_engine(database.urls.app, application_name="test")
    try:
        yield Database(engine)
    finally:
        await engine.dispose()
