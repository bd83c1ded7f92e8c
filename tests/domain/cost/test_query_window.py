"""Windows are half-open and UTC; daylight saving and month ends change nothing."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.query import DAILY, HOURLY, Charges, CostBasis, CostQuery, Step
from tensorcost.domain.cost.query_window import (
    Window,
    day_window,
    instant_window,
    known_by,
    midnight,
    parse_instant,
    today_in,
)
from tensorcost.domain.errors import ValidationFailed

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
hours = st.integers(0, 24 * 40).map(
    lambda n: datetime(2026, 2, 20, tzinfo=UTC) + timedelta(hours=n)
)
edges = st.tuples(hours, hours).filter(lambda pair: pair[0] < pair[1])


@given(edges)
def test_whole_days_and_hour_edges_cover_the_window_once(pair: tuple[datetime, datetime]) -> None:
    window = Window(*pair)
    days = window.whole_days()
    parts = window.hour_edges()
    if days is not None:
        parts = [*parts, (midnight(days[0]), midnight(days[1]))]
    parts.sort()
    assert parts[0][0] == window.start
    assert parts[-1][1] == window.end
    assert all(left[1] == right[0] for left, right in pairwise(parts))
    assert all(low < high for low, high in parts)


@given(edges)
def test_the_days_touched_hold_the_window_and_no_day_more(
    pair: tuple[datetime, datetime],
) -> None:
    window = Window(*pair)
    assert (
        midnight(window.first_day) <= window.start < midnight(window.first_day + timedelta(days=1))
    )
    assert midnight(window.end_day - timedelta(days=1)) < window.end <= midnight(window.end_day)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01t01:00z", datetime(2026, 3, 1, 1, tzinfo=UTC)),
        ("2026-03-01 02:00:00.5+02:00", datetime(2026, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        (date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        (
            datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
    ],
)
def test_dates_and_timestamps_are_read(text: str | date, expected: datetime) -> None:
    assert parse_instant(text, field="from") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "20260301",
        "2026-W09-1",
        "2026-02-29",
        "2026-03-01T00:00:00",
        "2026-03-01T25:00:00Z",
        "1999-12-31",
        "2200-01-01",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        datetime(2026, 3, 1),
    ],
)
def test_anything_else_is_refused_by_the_parameters_name(text: str | datetime) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_instant(text, field="to")
    assert refused.value.field == "to"


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(ValidationFailed):
        assert parse_instant(text, field="from").tzinfo is UTC


def test_the_default_window_ends_with_today_in_whole_utc_days() -> None:
    window = day_window(None, None, today=date(2026, 3, 29), rule=DAILY)
    assert window == Window.of_days(date(2026, 2, 28), date(2026, 3, 30))
    assert window.length == timedelta(days=30)


def test_an_hourly_default_is_two_days() -> None:
    assert day_window(None, None, today=date(2026, 3, 29), rule=HOURLY).length == timedelta(days=2)


def test_a_listing_ends_now() -> None:
    window = instant_window(None, None, now=NOW, rule=DAILY)
    assert (window.end, window.length) == (NOW, timedelta(days=30))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", 29),
        ("Pacific/Honolulu", 28),
        ("Europe/Berlin", 29),
        ("Pacific/Kiritimati", 29),
        ("Nowhere/Land", 29),
        ("../etc", 29),
    ],
)
def test_the_tenants_zone_decides_which_day_today_is(zone: str, day: int) -> None:
    assert today_in(zone, NOW) == date(2026, 3, day)


def test_the_day_the_clocks_change_has_24_hours_in_a_window() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = day_window(
        None, None, today=datetime(2026, 3, 29, 3, tzinfo=berlin).date(), rule=DAILY
    )
    assert window.end - midnight(date(2026, 3, 29)) == timedelta(hours=24)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-28", datetime(2026, 3, 29, tzinfo=UTC)),
        ("2026-03-29", NOW),
        (date(2026, 3, 29), NOW),
        ("2026-03-29T00:10:00Z", datetime(2026, 3, 29, 0, 10, tzinfo=UTC)),
    ],
)
def test_an_as_of_date_means_its_end_or_now(moment: str | date, expected: datetime) -> None:
    assert known_by(moment, now=NOW) == expected


@pytest.mark.parametrize("moment", ["2026-03-30", "2026-03-29T00:31:00Z"])
def test_nobody_asks_what_will_be_known(moment: str) -> None:
    with pytest.raises(ValidationFailed, match="future"):
        known_by(moment, now=NOW)


def test_sums_are_asked_for_by_whole_hours_and_as_of_by_whole_days() -> None:
    start = midnight(date(2026, 3, 1))
    with pytest.raises(ValidationFailed, match="whole hours"):
        CostQuery(Window(start, start + timedelta(minutes=90)))
    with pytest.raises(ValidationFailed, match="whole days"):
        CostQuery(Window(start, start + timedelta(hours=1)), as_of=NOW)
    with pytest.raises(ValidationFailed, match="whole days"):
        CostQuery(Window(start, start + timedelta(days=1)), step=Step.HOUR, as_of=NOW)


def test_bills_answer_for_whole_days_and_never_for_an_estimate() -> None:
    start = midnight(date(2026, 3, 1))
    days = (date(2026, 3, 1), date(2026, 3, 3))
    assert CostQuery(Window.of_days(*days)).billed_days() == days
    cut = Window(start - timedelta(hours=5), start + timedelta(days=2, hours=1))
    assert CostQuery(cut).billed_days() == days
    assert CostQuery(Window(start, start + timedelta(hours=23))).billed_days() is None
    assert CostQuery(Window.of_days(*days), step=Step.HOUR).billed_days() is None
    assert CostQuery(Window.of_days(*days), basis=CostBasis.ESTIMATE).billed_days() is None
    with pytest.raises(ValidationFailed, match="knows no invoice"):
        CostQuery(Window.of_days(*days), basis=CostBasis.ESTIMATE, charges=Charges.INVOICE)
