"""One gateway a module, and workers behind it where a test asks; a test makes its own tenants."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.runtime.embedded.temporal import TemporalAddress
from tests.gateway.world import World, open_world
from tests.support.databases import Database
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House, open_house


@pytest.fixture(scope="module")
async def world(database: Database) -> AsyncIterator[World]:
    async with open_world(database) as opened:
        yield opened


@pytest.fixture(scope="module")
def connector() -> ScriptedConnector:
    return ScriptedConnector()


@pytest.fixture(scope="module")
async def house(
    world: World, temporal_server: TemporalAddress, connector: ScriptedConnector
) -> AsyncIterator[House]:
    async with open_house(temporal_server, world.database, connector) as opened:
        yield opened
