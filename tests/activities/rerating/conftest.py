"""A tenant with a price of two dollars a million, and nothing else."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.rerated import NOW, Books
from tests.support.tenants import app_database, make_tenant


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def books(database: databases.Database, db: Database) -> Books:
    made = Books(db, await make_tenant(database), Rerater(db, lambda: NOW))
    await made.price("2")
    return made
