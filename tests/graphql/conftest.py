"""One GraphQL world a module; a test makes tenants of its own."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.domain.ids import TenantId
from tests.graphql.world import GraphqlWorld, open_graphql
from tests.support.databases import Database
from tests.support.tenants import make_tenant


@pytest.fixture(scope="module")
async def face(database: Database) -> AsyncIterator[GraphqlWorld]:
    async with open_graphql(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    return await make_tenant(database)
