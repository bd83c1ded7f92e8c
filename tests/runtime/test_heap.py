"""A heap that was settled keeps what start-up made and still collects what comes after."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from tensorcost.runtime.heap import settle_heap


class Node:
    """Refers to itself, so that only the collector can take it away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """What the tests set is taken back: the process goes on with other ones."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def generations() -> set[int]:
    """What a collection would look through."""
    return {id(one) for one in gc.get_objects()}


def test_what_start_up_made_is_looked_through_no_more() -> None:
    kept = Node()
    assert id(kept) in generations()
    settle_heap()
    assert gc.get_freeze_count() > 0
    assert id(kept) not in generations()


def test_garbage_of_the_start_up_is_collected_before_and_not_kept_for_ever() -> None:
    gone = weakref.ref(Node())
    settle_heap()
    assert gone() is None


def test_garbage_that_comes_after_is_collected() -> None:
    settle_heap()
    assert gc.isenabled()
    gone = weakref.ref(Node())
    gc.collect()
    assert gone() is None


def test_a_batch_of_rows_does_not_start_a_collection() -> None:
    settle_heap()
    collections: list[str] = []
    gc.callbacks.append(lambda phase, _info: collections.append(phase))
    try:
        rows = [[n] for n in range(5_000)]
        assert collections == []
        rows += [[n] for n in range(20_000)]
        assert "start" in collections
    finally:
        gc.callbacks.pop()
