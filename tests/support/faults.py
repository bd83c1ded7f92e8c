"""A seeded sample of the kills and faults in every run; all of them with ``--every-fault``."""

import random
from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import settings

SAMPLE = 6
"""Most cases of one test that an ordinary run takes."""
_MORE = 20
"""Times as many made-up worlds with ``--every-fault``."""
_PROFILE = "every fault"


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--every-fault", action="store_true", help="every test marked chaos, and more worlds"
    )
    group.addoption(
        "--fault-seed", type=int, default=20_261, help="seed of the sample of tests marked chaos"
    )


def configure(config: pytest.Config) -> None:
    """Before any test module is imported: ``examples`` looks at the profile."""
    if config.getoption("--every-fault"):
        usual = settings().max_examples
        settings.register_profile(_PROFILE, max_examples=_MORE * usual)
        settings.load_profile(_PROFILE)


def examples(percent: int) -> int:
    """So many of a hundred of the Hypothesis profile's examples, for tests of costly worlds."""
    return max(1, settings().max_examples * percent // 100)


def choose(node_ids: Iterable[str], *, seed: int, every: bool) -> frozenset[str]:
    """Return the ids to run: the same seed and the same tests give the same sample.

    Cases of a test that differ in their last parameter alone are of one kind. Of every kind one
    case is taken, of a test of many kinds ``SAMPLE`` in all.
    """
    if every:
        return frozenset(node_ids)
    tests: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for node_id in sorted(node_ids):
        test, _, parameters = node_id.partition("[")
        tests[test][parameters.rpartition("-")[0]].append(node_id)
    rng = random.Random(seed)
    chosen = set[str]()
    for _, kinds in sorted(tests.items()):
        taken = rng.sample(sorted(kinds), min(SAMPLE, len(kinds)))
        chosen.update(rng.choice(kinds[kind]) for kind in taken)
    return frozenset(chosen)


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
