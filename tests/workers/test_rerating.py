"""The job that finds whose rows newer prices may concern."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tensorcost.activities.ingest.price_import import import_overrides, import_price_list
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.ids import TenantId
from tensorcost.services.rerating import Reratings
from tensorcost.storage.engine import make_engine
from tensorcost.storage.rerating.plan import read_importers, read_undecided, tenants_to_rerate
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.workers.rerating import RERATE_EVERY, rerating_job
from tests.support.databases import Database as TestDatabase
from tests.support.rerated import LONG_AGO, NOVEMBER, NOW, Books, NoDecisions
from tests.support.tenants import app_database, make_tenant

PRICES = json.dumps(
    {"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06}}
).encode()


@pytest.fixture
async def db(own_database: TestDatabase) -> AsyncIterator[Database]:
    async with app_database(own_database) as opened:
        yield opened


@pytest.fixture
async def platform(own_database: TestDatabase) -> AsyncIterator[PlatformDatabase]:
    engine = make_engine(own_database.urls.platform, application_name="test")
    try:
        yield PlatformDatabase(engine)
    finally:
        await engine.dispose()


async def tenant_with_spend(db: Database, own_database: TestDatabase) -> TenantId:
    books = Books(db, await make_tenant(own_database), Rerater(db, lambda: NOW))
    await books.use(NOVEMBER)
    return books.tenant


async def due(db: Database, processes: NoDecisions) -> int:
    anything: Any = processes
    return await Reratings(db, anything).begin_due()


async def test_a_list_concerns_every_tenant_with_spend_and_nobody_else(
    db: Database, own_database: TestDatabase, platform: PlatformDatabase
) -> None:
    first = await tenant_with_spend(db, own_database)
    second = await tenant_with_spend(db, own_database)
    await make_tenant(own_database)
    assert list(await tenants_to_rerate(db)) == []
    report = await import_price_list(platform, PRICES, "list", LONG_AGO, actor="operator:olga")
    asked = NoDecisions()
    assert await due(db, asked) == 2
    assert {one.tenant_id for one in asked.begun} == {first, second}
    assert {(one.price_version, one.requested_by) for one in asked.begun} == {
        (report.version, "system:rerate")
    }
    async with db.tenant(first) as tx:
        assert await read_undecided(tx) == [report.version]
        assert await read_importers(tx, [report.version]) == {"operator:olga"}


async def test_an_override_concerns_its_own_tenant(
    db: Database, own_database: TestDatabase
) -> None:
    first = await tenant_with_spend(db, own_database)
    await tenant_with_spend(db, own_database)
    await import_overrides(db, first, PRICES, "deal", LONG_AGO, actor="user:fin")
    assert list(await tenants_to_rerate(db)) == [first]
    async with db.tenant(first) as tx:
        assert await read_importers(tx, await read_undecided(tx)) == {"user:fin"}


async def test_prices_from_before_the_first_row_begin_nothing(
    db: Database, own_database: TestDatabase, platform: PlatformDatabase
) -> None:
    await import_price_list(platform, PRICES, "list", LONG_AGO, actor="operator:olga")
    superuser = await asyncpg.connect(own_database.superuser_url)
    await superuser.execute(
        "UPDATE ai.price_version SET imported_at = imported_at - interval '2 minutes'"
    )
    await superuser.close()
    tenant = await tenant_with_spend(db, own_database)
    asked = NoDecisions()
    assert list(await tenants_to_rerate(db)) == [tenant]
    assert await due(db, asked) == 0
    assert asked.begun == []
    assert list(await tenants_to_rerate(db)) == []


async def test_the_job_looks_every_minute(db: Database) -> None:
    anything: Any = NoDecisions()
    job = rerating_job(db, anything)
    assert (job.name, job.every) == ("rerate", RERATE_EVERY)
    assert await job.run() == 0
