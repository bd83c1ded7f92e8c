from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from demo.world.build import build_world
from demo.world.spec import CurFormat, Variant, World, WorldSpec
from tests.demo.clients import Clients

UNTIL = date(2026, 11, 20)


@pytest.fixture(scope="session")
def organization_spec() -> WorldSpec:
    return WorldSpec.until(UNTIL, days=40, requests=6000)


@pytest.fixture(scope="session")
def organization(tmp_path_factory: pytest.TempPathFactory, organization_spec: WorldSpec) -> World:
    return build_world(tmp_path_factory.mktemp("organization"), organization_spec)


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> World:
    spec = WorldSpec.until(
        UNTIL, days=7, requests=2000, variant=Variant.SINGLE, cur=CurFormat.BOTH, dirty=True
    )
    return build_world(tmp_path_factory.mktemp("single"), spec)


@pytest.fixture(scope="session")
def running(organization: World) -> Iterator[SimControl]:
    with running_simulator(Path(organization.folder)) as control:
        yield control


@pytest.fixture
def sim(running: SimControl, organization: World) -> SimControl:
    running.seed_folder(organization.path)
    return running


@pytest.fixture
def clients(sim: SimControl, organization: World) -> Clients:
    return Clients(sim.endpoint_url, organization)
