"""The fixtures every other test stands on."""

import asyncpg
import redis.asyncio
from temporalio.client import Client

from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.migrate import current_revision, head_revision
from tests.support.databases import Database


async def test_a_module_database_is_migrated_and_open_to_the_app_role(database: Database) -> None:
    connection = await asyncpg.connect(database.urls.app)
    try:
        assert await connection.fetchval("SELECT current_user") == "tc_app"
    finally:
        await connection.close()
    assert await current_revision(database.urls.owner) == head_revision()


async def test_a_tests_own_database_is_not_the_modules(
    database: Database, own_database: Database
) -> None:
    assert database.name != own_database.name


async def test_valkey_answers_at_its_url(valkey_url: str) -> None:
    client = redis.asyncio.from_url(valkey_url)
    try:
        assert await client.ping()
    finally:
        await client.aclose()


async def test_temporal_serves_its_namespace(temporal_server: TemporalAddress) -> None:
    client = await Client.connect(temporal_server.frontend, namespace=temporal_server.namespace)
    assert await client.service_client.check_health()
