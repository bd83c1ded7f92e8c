import pytest

from demo.aws.control import SimControl
from tests.providers.aws.world import world


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    """The emulated AWS with this package's small world, untouched by other tests."""
    simulator.seed_state(world())
    return simulator
