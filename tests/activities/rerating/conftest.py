"""A tenant with a price of two dollars a million, and nothing else."""

import pytest

from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database
from tests.support.rerated import NOW, Books


@pytest.fixture
async def books(tenant: TenantId, db: Database) -> Books:
    made = Books(db, tenant, Rerater(db, lambda: NOW))
    await made.price("2")
    return made
