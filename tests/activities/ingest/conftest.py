"""The road of spend events, with prices of one model."""

import pytest

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.prices import store_list_prices


@pytest.fixture(scope="module")
async def list_prices(database: databases.Database) -> None:
    await store_list_prices(database.urls.platform)


@pytest.fixture
def ingest(db: Database, list_prices: None) -> SpendIngest:
    return SpendIngest(db, PriceBooks(db))
