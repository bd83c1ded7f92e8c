"""The sample of faults that an ordinary run takes."""

import pytest

from tests.support.faults import choose

FAULTS = [f"tests/chaos/test_kills.py::test_kill_{number}" for number in range(20)]


def test_the_same_seed_takes_the_same_faults_in_any_order_of_collection() -> None:
    assert choose(FAULTS, seed=7, every=False) == choose(FAULTS[::-1], seed=7, every=False)


def test_seeds_differ_and_between_them_reach_every_fault() -> None:
    reached = frozenset[str]().union(
        *(choose(FAULTS, seed=seed, every=False) for seed in range(60))
    )
    assert reached == frozenset(FAULTS)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_faults_all_run(count: int) -> None:
    assert choose(FAULTS[:count], seed=1, every=False) == frozenset(FAULTS[:count])


def test_every_fault_runs_when_asked() -> None:
    assert choose(FAULTS, seed=1, every=True) == frozenset(FAULTS)
