"""Planning: windows cut without gap or overlap, in an order that shows spend early."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.integration.plan import (
    OVERLAP,
    SMALL_WINDOW,
    TARGET_ITEMS,
    Site,
    Window,
    backfill_window,
    days_per_item,
    gathered,
    months_of,
    plan_backfill,
    plan_sync,
)
from tensorcost.domain.integration.states import SourceKind

NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)
LOGS = Site(SourceKind.LOGS_S3, "111122223333", "us-east-1", {"bucket": "b"})
METRICS = Site(SourceKind.METRICS, "111122223333", "us-east-1")
PROFILES = Site(SourceKind.PROFILES, "111122223333", "us-east-1")
BILL = Site(SourceKind.BILL, "111122223333", "", {"place": "cur"})

moments = st.datetimes(
    min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)
)


def windows(site: Site, window: Window) -> list[tuple[datetime, datetime]]:
    items = [item for item in plan_backfill([site], window) if item.site == site]
    return sorted((item.window_start, item.window_end) for item in items)


@given(now=moments, days=st.integers(1, 400))
def test_log_items_tile_the_window_exactly(now: datetime, days: int) -> None:
    window = backfill_window(now, days)
    pieces = windows(LOGS, window)
    assert pieces[0][0] == window.start
    assert pieces[-1][1] == window.end
    assert all(end == start for (_, end), (start, _) in pairwise(pieces))
    assert all(start < end for start, end in pieces)


@given(now=moments, days=st.integers(1, 400))
def test_bill_items_are_one_a_month(now: datetime, days: int) -> None:
    window = backfill_window(now, days)
    pieces = windows(BILL, window)
    assert len(pieces) == len(months_of(window))
    assert len({(start.year, start.month) for start, _ in pieces}) == len(pieces)
    assert sum(((end - start) for start, end in pieces), timedelta()) == window.end - window.start


@given(sites=st.integers(1, 5_000), days=st.integers(1, 400))
def test_the_span_grows_only_when_there_would_be_too_many_items(sites: int, days: int) -> None:
    span = days_per_item(sites, days)
    assert span == 30 or sites * -(-days // span) <= TARGET_ITEMS
    assert days_per_item(1, 90) == 1


def test_profiles_come_first_and_new_days_before_old_ones() -> None:
    items = plan_backfill([LOGS, BILL, METRICS, PROFILES], backfill_window(NOW, 90))
    assert items[0].site == PROFILES
    assert [item.position for item in items] == list(range(1, len(items) + 1))
    assert len({item.step_key for item in items}) == len(items)
    days = [item.window_start for item in items if item.site == LOGS]
    assert days == sorted(days, reverse=True)


def test_equal_inputs_give_equal_plans() -> None:
    window = backfill_window(NOW, 90)
    sites = [LOGS, BILL, METRICS, PROFILES]
    assert plan_backfill(sites, window) == plan_backfill(sites[::-1], window)


def test_a_sync_reads_from_the_watermark_less_the_overlap() -> None:
    known = {LOGS.key: NOW - timedelta(minutes=15)}
    (item,) = plan_sync([LOGS], known, NOW)
    assert item.window_start == NOW - timedelta(minutes=15) - OVERLAP[SourceKind.LOGS_S3]
    assert item.window_end == NOW


def test_a_site_without_a_watermark_is_read_a_day_back() -> None:
    (item,) = plan_sync([METRICS], {}, NOW)
    assert item.window_start == NOW - timedelta(days=1) - OVERLAP[SourceKind.METRICS]


def test_the_bill_is_read_for_the_current_and_the_previous_month() -> None:
    (item,) = plan_sync([BILL], {BILL.key: NOW}, NOW)
    assert item.window_start == datetime(2026, 10, 1, tzinfo=UTC)
    (item,) = plan_sync([BILL], {}, datetime(2027, 1, 1, 0, 5, tzinfo=UTC))
    assert item.window_start == datetime(2026, 12, 1, tzinfo=UTC)


OPEN, CLOSING, FINAL = PeriodState


@pytest.mark.parametrize(
    ("months", "first"),
    [
        ({11: OPEN, 10: CLOSING, 9: CLOSING}, 9),
        ({11: OPEN, 10: CLOSING, 9: FINAL, 8: FINAL}, 9),
        ({11: OPEN, 10: FINAL, 9: CLOSING, 8: FINAL}, 9),
        ({11: OPEN, 10: FINAL, 9: FINAL}, 10),
        ({9: FINAL, 8: CLOSING}, 8),
    ],
)
def test_bills_are_read_again_until_they_are_final_and_the_last_final_one_too(
    months: dict[int, PeriodState], first: int
) -> None:
    known = {date(2026, month, 1): state for month, state in months.items()}
    (item,) = plan_sync([BILL], {}, NOW, known)
    assert item.window_start == datetime(2026, first, 1, tzinfo=UTC)


def test_a_bill_that_never_settles_is_given_up_after_a_year() -> None:
    known = {date(2025, 10, 1): CLOSING, date(2025, 12, 1): CLOSING}
    (item,) = plan_sync([BILL], {}, NOW, known)
    assert item.window_start == datetime(2025, 12, 1, tzinfo=UTC)


@given(watermark=moments, scheduled=moments)
def test_a_sync_never_leaves_a_gap_behind_its_watermark(
    watermark: datetime, scheduled: datetime
) -> None:
    (item,) = plan_sync([LOGS], {LOGS.key: watermark}, scheduled)
    assert item.window_start <= min(watermark, scheduled) - timedelta(hours=2)
    assert item.window_end == scheduled


def test_profiles_are_looked_at_again_in_every_sync() -> None:
    (item,) = plan_sync([PROFILES], {PROFILES.key: NOW}, NOW)
    assert item.site == PROFILES


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOW, NOW), (NOW, NOW - timedelta(1)), (NOW.replace(tzinfo=None), NOW)],
)
def test_an_empty_or_naive_window_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="window"):
        Window(start, end)


def test_two_bills_of_one_account_keep_watermarks_of_their_own() -> None:
    other = Site(SourceKind.BILL, "111122223333", "", {"place": "cur2"})
    assert BILL.key != other.key


def sites_of(accounts: int) -> list[Site]:
    kinds = (SourceKind.PROFILES, SourceKind.METRICS, SourceKind.LOGS_S3)
    return [Site(kind, f"{n:012}", "us-east-1") for n in range(accounts) for kind in kinds]


@given(accounts=st.integers(0, 40), most=st.integers(0, 9), late=st.integers(0, 10))
def test_gathered_items_are_all_there_in_order_and_no_more_together_than_asked(
    accounts: int, most: int, late: int
) -> None:
    sites = [*sites_of(accounts), BILL]
    known = {site.key: NOW - timedelta(hours=late) for site in sites}
    items = plan_sync(sites, known, NOW)
    groups = gathered(items, most)
    assert [item for group in groups for item in group] == items
    for group in groups:
        assert len(group) <= max(1, most)
        assert len({item.site.source for item in group}) == 1


def test_quiet_sites_of_a_sync_are_gathered_by_source_and_its_bill_is_read_alone() -> None:
    sites = [*sites_of(5), BILL]
    items = plan_sync(sites, {site.key: NOW - timedelta(hours=1) for site in sites}, NOW)
    groups = [(group[0].site.source, len(group)) for group in gathered(items, 4)]
    assert sorted(groups) == sorted(
        [
            (SourceKind.PROFILES, 4),
            (SourceKind.PROFILES, 1),
            (SourceKind.METRICS, 4),
            (SourceKind.METRICS, 1),
            (SourceKind.BILL, 1),
            (SourceKind.LOGS_S3, 4),
            (SourceKind.LOGS_S3, 1),
        ]
    )


def test_what_has_much_to_catch_up_is_read_alone() -> None:
    sites = sites_of(3)
    known = {site.key: NOW - SMALL_WINDOW - timedelta(minutes=1) for site in sites}
    assert {len(group) for group in gathered(plan_sync(sites, known, NOW), 8)} == {1}


def test_days_of_a_backfill_are_read_alone() -> None:
    items = plan_backfill(sites_of(3), backfill_window(NOW.replace(hour=20), 3))
    assert {len(group) for group in gathered(items, 8)} == {1}
