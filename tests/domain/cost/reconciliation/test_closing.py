"""Days close as the bill moves past them; months settle when their invoice stands still."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.closing import (
    MonthBill,
    PeriodState,
    charge_day,
    closed_until,
    month_closed_until,
    period_end,
    period_state,
)

FEBRUARY = date(2028, 2, 1)
MARCH = date(2028, 3, 1)
AFTER = datetime(2028, 3, 1, tzinfo=UTC)
periods = st.dates(date(2015, 1, 1), date(2100, 12, 31)).map(lambda day: day.replace(day=1))


@pytest.mark.parametrize(
    ("used", "counts"),
    [
        (date(2028, 2, 14), date(2028, 2, 14)),
        (date(2028, 1, 31), FEBRUARY),
        (date(2027, 11, 3), FEBRUARY),
        (date(2028, 2, 29), date(2028, 2, 29)),
        (MARCH, date(2028, 2, 29)),
    ],
)
def test_a_charge_counts_in_the_month_that_bills_it(used: date, counts: date) -> None:
    assert charge_day(used, FEBRUARY) == counts


@given(periods, st.dates(date(2014, 1, 1), date(2102, 1, 1)))
def test_a_charge_never_leaves_its_month(period: date, used: date) -> None:
    assert period <= charge_day(used, period) < period_end(period)


def test_december_ends_with_the_year() -> None:
    assert period_end(date(2027, 12, 1)) == date(2028, 1, 1)


def test_a_month_starts_on_its_first_day() -> None:
    with pytest.raises(ValueError, match="first day"):
        period_end(date(2028, 2, 2))


@pytest.mark.parametrize(
    ("last", "known_at", "invoiced", "expected"),
    [
        (date(2028, 2, 9), datetime(2028, 2, 10, 6, tzinfo=UTC), False, date(2028, 2, 9)),
        (None, datetime(2028, 2, 10, 6, tzinfo=UTC), False, FEBRUARY),
        (date(2028, 2, 29), AFTER + timedelta(hours=23, minutes=59), False, date(2028, 2, 29)),
        (date(2028, 2, 29), AFTER + timedelta(hours=24), False, MARCH),
        (None, AFTER + timedelta(hours=24), False, MARCH),
        (date(2028, 2, 20), datetime(2028, 2, 21, tzinfo=UTC), True, MARCH),
        (date(2028, 3, 4), datetime(2028, 2, 10, tzinfo=UTC), False, date(2028, 2, 29)),
        (date(2028, 1, 20), datetime(2028, 2, 10, tzinfo=UTC), False, FEBRUARY),
    ],
)
def test_a_day_is_closed_once_the_bill_has_moved_past_it(
    last: date | None, known_at: datetime, invoiced: bool, expected: date
) -> None:
    assert closed_until(FEBRUARY, last, known_at, invoiced=invoiced) == expected


@pytest.mark.parametrize(
    ("invoice_id", "since", "now", "expected"),
    [
        ("", None, AFTER - timedelta(seconds=1), PeriodState.OPEN),
        ("2028-1", AFTER - timedelta(days=20), AFTER - timedelta(days=1), PeriodState.OPEN),
        ("", None, AFTER, PeriodState.CLOSING),
        ("", None, AFTER + timedelta(days=90), PeriodState.CLOSING),
        ("2028-1", AFTER, AFTER + timedelta(days=13, hours=23), PeriodState.CLOSING),
        ("2028-1", AFTER, AFTER + timedelta(days=14), PeriodState.FINAL),
    ],
)
def test_a_month_is_final_when_its_invoice_has_stood_for_fourteen_days(
    invoice_id: str, since: datetime | None, now: datetime, expected: PeriodState
) -> None:
    assert period_state(FEBRUARY, invoice_id, since, now) is expected


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        period_state(FEBRUARY, "", None, datetime(2028, 3, 1))


EARLY, LATE = date(2028, 2, 9), date(2028, 2, 20)


@pytest.mark.parametrize(
    ("bills", "former", "expected"),
    [
        ([], None, FEBRUARY),
        ([(LATE, 20)], None, LATE),
        ([(LATE, 20), (EARLY, 20)], None, EARLY),
        ([(LATE, 20), (EARLY, 16)], None, LATE),
        ([(EARLY, 20), (LATE, 16)], None, EARLY),
        ([(None, 20), (LATE, 19)], None, FEBRUARY),
        ([(EARLY, 20)], LATE, LATE),
        ([(LATE, 20)], EARLY, LATE),
    ],
)
def test_a_month_waits_for_every_bill_but_not_for_one_that_went_silent(
    bills: list[tuple[date | None, int]], former: date | None, expected: date
) -> None:
    found = [
        MonthBill(last, datetime(2028, 2, known, 12, tzinfo=UTC), invoiced=False)
        for last, known in bills
    ]
    assert month_closed_until(FEBRUARY, found, former) == expected


def test_an_invoiced_bill_holds_up_nobody() -> None:
    known = datetime(2028, 2, 20, tzinfo=UTC)
    bills = [MonthBill(EARLY, known, invoiced=True), MonthBill(LATE, known, invoiced=False)]
    assert month_closed_until(FEBRUARY, bills) == LATE
