"""One gateway a module; a test makes tenants of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.world import World, open_world
from tests.support.databases import Database


@pytest.fixture(scope="module")
async def world(database: Database) -> AsyncIterator[World]:
    async with open_world(database) as opened:
        yield opened
