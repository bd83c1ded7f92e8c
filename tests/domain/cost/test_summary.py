"""Adding up judged sums: nothing lost, nothing twice, unpriced never zero."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.cost.summary import (
    Fact,
    Sums,
    Verdict,
    add_up,
    draw,
    known_cost,
    set_beside,
    tabulate,
)
from tensorcost.domain.cost.summary_freshness import Seen, watermark
from tensorcost.domain.spend.facts import Grain

DAYS = [midnight(date(2026, 3, day)) for day in (1, 2, 3)]
measures = st.builds(
    RollupMeasures,
    requests=st.integers(0, 9),
    output_tokens=st.integers(0, 99),
    cost_nano=st.integers(-(10**6), 10**12),
)
facts = st.lists(
    st.builds(
        Fact,
        key=st.tuples(st.sampled_from(["", "a", "b", "c"])),
        bucket=st.sampled_from(DAYS),
        grain=st.sampled_from(Grain),
        verdict=st.sampled_from([Verdict.COUNTED, Verdict.COUNTED, Verdict.TAX]),
        currency=st.sampled_from(["USD", "EUR"]),
        measures=measures,
    ),
    max_size=30,
)


def cost(sums: Sums) -> int:
    return sums.total.cost_nano


@given(facts, st.integers(0, 4))
def test_rows_and_rest_add_up_to_the_total(found: list[Fact], limit: int) -> None:
    table = tabulate(found, limit=limit)
    parts = [row.sums for row in table.rows] + ([table.rest.sums] if table.rest else [])
    assert sum(cost(part) for part in parts) == cost(table.sums)
    assert len(table.rows) <= limit
    costs = [cost(row.sums) for row in table.rows]
    assert costs == sorted(costs, reverse=True)


@given(facts)
def test_every_fact_counts_or_stands_beside(found: list[Fact]) -> None:
    beside = sum(one.measures.cost_nano for one in set_beside(found))
    assert cost(add_up(found)) + beside == sum(fact.measures.cost_nano for fact in found)


@given(facts)
def test_currencies_are_never_mixed_beside(found: list[Fact]) -> None:
    for one in set_beside(found):
        same = [f for f in found if f.verdict is not Verdict.COUNTED and f.currency == one.currency]
        assert one.measures.cost_nano == sum(
            f.measures.cost_nano for f in same if (f.grain, f.verdict) == (one.grain, one.reason)
        )


@given(facts, st.integers(1, 3))
def test_lines_add_up_to_the_total_and_have_a_point_a_bucket(found: list[Fact], most: int) -> None:
    lines = draw(found, DAYS, most=most)
    assert sum(cost(line.sums) for line in lines) == cost(add_up(found))
    for line in lines:
        assert [point.bucket for point in line.points] == DAYS
        assert sum(cost(point.sums) for point in line.points) == cost(line.sums)
    assert len(lines) <= most + 1


def test_a_chart_of_nothing_has_one_empty_line() -> None:
    (line,) = draw([], DAYS, most=3)
    assert (line.key, [cost(point.sums) for point in line.points]) == ((), [0, 0, 0])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (RollupMeasures(), 0),
        (RollupMeasures(requests=1, cost_nano=0), 0),
        (RollupMeasures(requests=2, unpriced_requests=2), None),
        (RollupMeasures(requests=2, unpriced_requests=1), 0),
        (RollupMeasures(requests=2, unpriced_requests=1, cost_nano=5), 5),
        (RollupMeasures(output_tokens=7, unpriced_tokens=7), None),
    ],
)
def test_what_has_no_price_costs_nothing_known(found: RollupMeasures, expected: int | None) -> None:
    assert known_cost(found) == expected


@given(facts)
def test_the_billed_and_the_estimated_part_add_up_to_the_cost(found: list[Fact]) -> None:
    half = [replace(fact, is_billed=n % 2 == 0) for n, fact in enumerate(found)]
    sums = add_up(half)
    assert sums.estimated_nano is not None
    assert sums.billed_nano + sums.estimated_nano == cost(sums)


def test_an_unpriced_rest_of_a_billed_cost_is_not_zero() -> None:
    billed = RollupMeasures(requests=3, cost_nano=5, unpriced_requests=1)
    assert Sums({Grain.REQUEST: billed}, billed_nano=5).estimated_nano is None
    assert Sums({Grain.REQUEST: billed}, billed_nano=4).estimated_nano == 1


def test_unit_costs_leave_bill_lines_out() -> None:
    sums = Sums(
        {Grain.REQUEST: RollupMeasures(cost_nano=3), Grain.BILL: RollupMeasures(cost_nano=9)}
    )
    assert (sums.usage.cost_nano, sums.total.cost_nano) == (3, 12)


@pytest.mark.parametrize(
    ("grain", "last_day", "synced", "expected"),
    [
        (Grain.REQUEST, 10, None, 9),
        (Grain.REQUEST, 10, "2026-03-20T12:00:00+00:00", 19),
        (Grain.REQUEST, 10, "2026-03-20T00:59:00+00:00", 18),
        (Grain.BILL, 10, "2026-03-20T12:00:00+00:00", 17),
        (Grain.REQUEST, 20, None, 19),
        (Grain.REQUEST, 21, None, 19),
        (Grain.REQUEST, 10, "2026-03-05T12:00:00+00:00", 9),
    ],
)
def test_a_day_is_complete_when_something_later_proves_it(
    grain: Grain, last_day: int, synced: str | None, expected: int
) -> None:
    now = midnight(date(2026, 3, 20)) + timedelta(hours=18)
    found = watermark(
        Seen("bedrock", grain, date(2026, 3, last_day)),
        synced_at=None if synced is None else datetime.fromisoformat(synced),
        now=now,
    )
    assert found.complete_through == date(2026, 3, expected)
