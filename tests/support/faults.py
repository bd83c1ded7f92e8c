"""A seeded sample of the kills and faults in every run; all of them with ``--every-fault``."""

import random

import pytest

SAMPLE = 4


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--every-fault", action="store_true", help="run every test marked chaos")
    group.addoption(
        "--fault-seed", type=int, default=20_261, help="seed of the sample of tests marked chaos"
    )


def choose(node_ids: list[str], *, seed: int, every: bool, sample: int = SAMPLE) -> frozenset[str]:
    """Return the ids to run: the same seed and the same tests give the same sample."""
    if every or len(node_ids) <= sample:
        return frozenset(node_ids)
    return frozenset(random.Random(seed).sample(sorted(node_ids), sample))


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the faults that are not in the sample out of this run, visibly."""
    faults = [item.nodeid for item in items if item.get_closest_marker("chaos")]
    chosen = choose(
        faults, seed=config.getoption("--fault-seed"), every=config.getoption("--every-fault")
    )
    left_out = [item for item in items if item.nodeid in set(faults) - chosen]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
