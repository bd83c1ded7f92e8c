from collections.abc import Iterator

import pytest

from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from tests.providers.aws.world import world


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimControl]:
    with running_simulator() as control:
        yield control


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    """The emulated AWS with this package's small world, untouched by other tests."""
    simulator.seed_state(world())
    return simulator
