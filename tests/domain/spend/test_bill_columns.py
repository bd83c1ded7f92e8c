"""Columns of bill lines are the lines themselves."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.money import INT64_MAX
from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.bill_columns import BillColumns
from tests.support.bills import OCTOBER, bill_line

NOVEMBER = date(2026, 11, 1)
NANO = st.integers(-INT64_MAX, INT64_MAX)
MOMENT = st.datetimes(datetime(2026, 9, 1), datetime(2026, 12, 1), timezones=st.just(UTC))
LINES = st.lists(
    st.builds(
        lambda start, hours, nano, net, number, **changes: bill_line(
            OCTOBER,
            usage_start=start,
            usage_end=start + timedelta(hours=hours),
            unblended_nano=nano,
            amortized_nano=-nano,
            net_nano=net,
            line_no=number,
            quantity_micro=number,
            **changes,
        ),
        MOMENT,
        st.integers(0, 48),
        NANO,
        st.none() | NANO,
        st.integers(0, INT64_MAX),
        region=st.sampled_from(["us-east-1", ""]),
        tags=st.sampled_from([(), (("team", "care"),)]),
    )
)


@given(LINES)
def test_lines_stay_what_they_are(lines: list[BillLine]) -> None:
    columns = BillColumns.of_lines(lines)
    assert list(columns.lines()) == lines
    assert len(columns) == len(lines)
    assert len(columns.patterns) <= 4, "a pattern has no number, time or amount of its own"


@given(LINES)
def test_months_part_the_lines_by_the_start_of_their_usage(lines: list[BillLine]) -> None:
    columns = BillColumns.of_lines(lines)
    assert columns.months() == {line.usage_start.date().replace(day=1) for line in lines}
    for month in (OCTOBER, NOVEMBER):
        wanted = [line for line in lines if line.usage_start.date().replace(day=1) == month]
        part = columns.of_month(month)
        assert list(part.lines()) == wanted
        assert set(part.pattern.tolist()) == set(range(len(part.patterns)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        BillColumns.of_lines([replace(bill_line(OCTOBER), quantity_micro=2**63)])


def test_only_keeps_the_order() -> None:
    lines = [bill_line(OCTOBER, line_no=number) for number in range(4)]
    chosen = BillColumns.of_lines(lines).only(np.array([True, False, False, True]))
    assert [line.line_no for line in chosen.lines()] == [0, 3]
