"""Estimates: the pace of the work, whatever stood still in between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.integration.pace import SLOWEST_FIRST, Pace

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITEM = timedelta(seconds=10)
TOTAL = 100


def worked(items: int, each: timedelta = ITEM, since: Pace | None = None) -> Pace:
    """The pace after so many more items, told one by one."""
    pace = since or Pace(NOW)
    for _ in range(items):
        pace = pace.after(pace.at + each, pace.done + 1)
    return pace


def left(pace: Pace, now: datetime | None = None) -> timedelta:
    now = now or pace.at
    finish = pace.finish(now, TOTAL)
    assert finish is not None
    return finish - now


@given(items=st.integers(3, 99), each=st.timedeltas(timedelta(milliseconds=20), SLOWEST_FIRST))
def test_the_estimate_of_even_work_is_exact(items: int, each: timedelta) -> None:
    expected = each * (TOTAL - items)
    assert abs(left(worked(items, each)) - expected) <= timedelta(milliseconds=1) + expected / 1000


@pytest.mark.parametrize(("done", "total"), [(0, 10), (2, 10), (0, 0)])
def test_without_a_pace_there_is_no_estimate(done: int, total: int) -> None:
    assert worked(done).finish(NOW, total) is None


def test_what_is_done_is_finished_now() -> None:
    assert worked(2).finish(NOW + timedelta(hours=1), 2) == NOW + timedelta(hours=1)


@given(
    before=st.integers(3, 60),
    outage=st.timedeltas(timedelta(minutes=5), timedelta(days=30)),
)
def test_an_outage_of_any_length_is_not_taken_for_slowness(before: int, outage: timedelta) -> None:
    pace = worked(before)
    pace = pace.after(pace.at + outage, pace.done + 1)
    usual = ITEM * (TOTAL - pace.done)
    assert left(pace) <= usual * 2
    assert left(worked(20, since=pace)) <= ITEM * (TOTAL - pace.done - 20) * 1.15


@given(outage=st.timedeltas(timedelta(minutes=5), timedelta(days=30)))
def test_an_outage_before_the_first_item_is_not_the_pace(outage: timedelta) -> None:
    pace = Pace(NOW).after(NOW + outage, 1)
    assert left(worked(30, since=pace)) <= ITEM * (TOTAL - 31) * 1.3


@given(waited=st.timedeltas(timedelta(), timedelta(days=2)))
def test_while_nothing_moves_the_estimate_moves_with_the_clock(waited: timedelta) -> None:
    pace = worked(10)
    expected = ITEM * 90 - min(waited, ITEM)
    assert left(pace, pace.at + waited) == expected


def test_work_that_becomes_slow_is_followed_within_a_few_items() -> None:
    pace = worked(20, timedelta(minutes=5), since=worked(40, timedelta(seconds=2)))
    assert left(pace) >= timedelta(minutes=5) * 40 * 0.7


def test_work_that_becomes_fast_is_followed_too() -> None:
    pace = worked(30, timedelta(seconds=1), since=worked(20, timedelta(minutes=1)))
    assert left(pace) <= timedelta(seconds=5) * 50


def test_items_that_finish_together_count_one_by_one() -> None:
    assert Pace(NOW).after(NOW + ITEM * 5, 5).per_item == ITEM


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**6)), max_size=40))
def test_no_estimate_is_in_the_past(steps: list[tuple[int, int]]) -> None:
    for pace, now in _paces(steps):
        finish = pace.finish(now, TOTAL)
        assert finish is None or finish >= now


def _paces(steps: list[tuple[int, int]]) -> Iterator[tuple[Pace, datetime]]:
    pace, now = Pace(NOW), NOW
    for finished, milliseconds in steps:
        now += timedelta(milliseconds=milliseconds)
        pace = pace.after(now, pace.done + finished)
        yield pace, now
