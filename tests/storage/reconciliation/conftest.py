"""One database a module, one tenant a test."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.tenants import app_database, make_tenant


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: databases.Database) -> TenantId:
    return await make_tenant(database)
