"""One small world and one house for everything that is disturbed."""

from collections.abc import AsyncIterator, Iterator

import pytest

from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from demo.world.spec import World
from tests.chaos.house import House, open_house
from tests.chaos.road import DAYS, REQUESTS, Calm, set_out
from tests.support.estate import recent_world
from tests.support.folders import server_folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return recent_world(tmp_path_factory, days=DAYS, requests=REQUESTS)


@pytest.fixture(scope="session")
def aws(world: World) -> Iterator[SimControl]:
    with running_simulator(world.path) as control:
        yield control


@pytest.fixture(scope="session")
async def house(world: World, aws: SimControl) -> AsyncIterator[House]:
    """Servers and a worker of its own: the run's other tests keep theirs."""
    with server_folder() as folder:
        async with open_house(folder, world, aws.endpoint_url) as opened:
            yield opened


@pytest.fixture(scope="session")
async def calm(house: House, world: World) -> Calm:
    """Two undisturbed tenants, which must agree; the second was not the first of a new worker."""
    async with set_out(house, world) as first:
        expected = await first.arrive()
    async with set_out(house, world) as second:
        found = await second.arrive()
    expected.truths.assert_consistent()
    assert found == expected
    assert found.truths.failed_steps == 0
    assert all(found.truths.usage.rows.values())
    assert found.truths.reconciled
    return Calm(found, await second.reconciled_in())
