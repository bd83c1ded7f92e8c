"""The sample of faults that an ordinary run takes."""

import itertools

import pytest

from tests.support.faults import SAMPLE, choose

TARGETS, PHASES, SEEDS = ("worker", "postgres", "temporal"), ("backfill", "reconcile"), range(20)
KILLS = [
    f"tests/chaos/test_kills.py::test_kill[{target}-{phase}-{number}]"
    for target, phase, number in itertools.product(TARGETS, PHASES, SEEDS)
]
MANY_KINDS = [
    f"tests/chaos/test_faults.py::test_fault[{kind}-{number}]"
    for kind, number in itertools.product("abcdefghij", range(3))
]


def kind_of(node_id: str) -> str:
    return node_id.rpartition("-")[0]


@pytest.mark.parametrize("faults", [KILLS, MANY_KINDS])
def test_the_same_seed_takes_the_same_faults_in_any_order_of_collection(faults: list[str]) -> None:
    assert choose(faults, seed=7, every=False) == choose(faults[::-1], seed=7, every=False)


@pytest.mark.parametrize("faults", [KILLS, MANY_KINDS])
def test_seeds_differ_and_between_them_reach_every_fault(faults: list[str]) -> None:
    reached = frozenset[str]().union(
        *(choose(faults, seed=seed, every=False) for seed in range(300))
    )
    assert reached == frozenset(faults)


def test_every_kind_of_kill_is_taken_once() -> None:
    chosen = choose(KILLS, seed=1, every=False)
    assert len(chosen) == 6
    assert {kind_of(one) for one in chosen} == {kind_of(one) for one in KILLS}


def test_of_many_kinds_some_are_taken_and_of_each_one_case() -> None:
    chosen = choose(MANY_KINDS, seed=1, every=False)
    assert len(chosen) == len({kind_of(one) for one in chosen}) == SAMPLE


def test_a_fault_without_cases_always_runs_and_one_test_takes_nothing_from_another() -> None:
    alone = "tests/e2e/test_demo.py::test_a_kill"
    numbered = [f"tests/workflows/test_kills.py::test_kill[{number}]" for number in range(4)]
    chosen = choose([*KILLS, alone, *numbered], seed=1, every=False)
    assert alone in chosen
    assert len(chosen & set(numbered)) == 1
    assert len(chosen) == 6 + 1 + 1


def test_nothing_is_taken_of_nothing() -> None:
    assert choose([], seed=1, every=False) == frozenset()


def test_every_fault_runs_when_asked() -> None:
    assert choose(KILLS, seed=1, every=True) == frozenset(KILLS)
