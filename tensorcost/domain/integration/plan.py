"""Which pieces of work a backfill or a sync consists of. Pure: sites and windows in, items out.

A site is one place that can be read (a source in an account and region); an item is one site
over a range of days, small enough to finish, retry and report on its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.integration.states import SourceKind

TARGET_ITEMS: Final = 2_000
SPANS: Final = (1, 3, 7, 15, 30)
"""Days per item, smallest first: fine while there are few sites, coarse when there are many."""
METRIC_SPAN_DAYS: Final = 15
"""CloudWatch keeps one-minute points for 15 days: an item never mixes two resolutions."""

OVERLAP: Final[Mapping[SourceKind, timedelta]] = {
    SourceKind.LOGS_S3: timedelta(hours=2),
    SourceKind.LOGS_CLOUDWATCH: timedelta(hours=2),
    SourceKind.METRICS: timedelta(hours=3),
}
"""How far behind its watermark a sync reads again: late files and points that still grow."""

FIRST_SYNC: Final = timedelta(days=1)
"""What a sync reads of a site that has no watermark yet."""

RESTATED_FOR: Final = timedelta(days=366)
"""How long after its beginning a month is looked at while its invoice has not settled."""

SMALL_WINDOW: Final = timedelta(hours=6)
"""Up to which an item costs about as much to hand out as to read."""

_RANK: Final[Mapping[SourceKind, int]] = {
    SourceKind.PROFILES: 0,
    SourceKind.METRICS: 1,
    SourceKind.BILL: 1,
    SourceKind.LOGS_S3: 2,
    SourceKind.LOGS_CLOUDWATCH: 2,
}
"""Profiles resolve what the logs name; metrics and bills are few and show spend at once."""


@dataclass(frozen=True, slots=True)
class Site:
    """One source of one account and region. ``params`` say where: bucket, log group, export."""

    source: SourceKind
    account_id: str
    region: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the site's watermark."""
        place = self.params.get("place", "")
        return "/".join(part for part in (self.source, self.account_id, self.region, place) if part)


RETENTION: Final = "retention_days"
"""Param of a site whose place deletes what is older, and says after how many days."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One site over [window_start, window_end), at its place in the order of work."""

    step_key: str
    position: int
    site: Site
    window_start: datetime
    window_end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs aware times")
        if self.end <= self.start:
            raise ValueError("a window ends after it starts")


def backfill_window(now: datetime, days: int) -> Window:
    """``days`` whole UTC days up to today, and today up to ``now``."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return Window(midnight - timedelta(days=days), now.astimezone(UTC))


def days_per_item(sites: int, days: int) -> int:
    """The finest span that keeps the number of items near the target."""
    for span in SPANS:
        if sites * -(-days // span) <= TARGET_ITEMS:
            return span
    return SPANS[-1]


def plan_backfill(sites: Sequence[Site], window: Window) -> list[WorkItem]:
    """Items of a backfill: profiles first, then newest days before older ones."""
    days = -(-(window.end - window.start) // timedelta(days=1))
    windowed = sum(1 for site in sites if site.source is not SourceKind.PROFILES)
    span = days_per_item(windowed, days)
    pieces = [(site, piece) for site in sites for piece in _pieces(site.source, window, span)]
    pieces.sort(key=lambda item: (_RANK[item[0].source], -item[1].start.timestamp(), item[0].key))
    return _numbered(pieces)


def bills_since(months: Mapping[date, PeriodState], scheduled_at: datetime) -> datetime:
    """Where a sync begins to look for bills: at the first month that is not final yet.

    And at the last final one, whose restatement would be news; never later than the month
    before, and never longer ago than a year, after which no bill is restated.
    """
    latest = _month_start(_month_start(scheduled_at) - timedelta(days=1))
    final = [month for month, state in months.items() if state is PeriodState.FINAL]
    watched = [month for month, state in months.items() if state is not PeriodState.FINAL]
    watched += [max(final)] if final else []
    starts = [datetime.combine(month, time(), UTC) for month in watched]
    return min([latest, *(start for start in starts if start >= scheduled_at - RESTATED_FOR)])


def plan_sync(
    sites: Sequence[Site],
    watermarks: Mapping[str, datetime],
    scheduled_at: datetime,
    months: Mapping[date, PeriodState] | None = None,
) -> list[WorkItem]:
    """Items of one scheduled sync: from each site's watermark less its overlap.

    The bill's item spans the months that may still be restated; ``months`` are the known ones.
    """
    pieces = []
    for site in sites:
        if site.source is SourceKind.BILL:
            start = bills_since(months or {}, scheduled_at)
        else:
            known = watermarks.get(site.key, scheduled_at - FIRST_SYNC)
            start = min(known, scheduled_at) - OVERLAP.get(site.source, timedelta())
        if start < scheduled_at:
            pieces.append((site, Window(start, scheduled_at)))
        elif site.source is SourceKind.PROFILES:
            pieces.append((site, Window(scheduled_at - FIRST_SYNC, scheduled_at)))
    pieces.sort(key=lambda item: (_RANK[item[0].source], item[0].key))
    return _numbered(pieces)


def gathered(items: Sequence[WorkItem], most: int) -> list[list[WorkItem]]:
    """The items in their order, neighbours of one source together where their windows are small.

    A bill, whose files are large, stays alone.
    """
    groups: list[list[WorkItem]] = []
    for item in items:
        if groups and len(groups[-1]) < most and _belongs(item, groups[-1][-1]):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _belongs(item: WorkItem, before: WorkItem) -> bool:
    source = item.site.source
    return (
        source is before.site.source
        and source is not SourceKind.BILL
        and _is_small(item)
        and _is_small(before)
    )


def _is_small(item: WorkItem) -> bool:
    return item.window_end - item.window_start <= SMALL_WINDOW


def months_of(window: Window) -> list[datetime]:
    """First moments of the UTC months that the window touches, newest first."""
    months = []
    month = _month_start(window.end - timedelta(microseconds=1))
    while month >= _month_start(window.start):
        months.append(month)
        month = _month_start(month - timedelta(days=1))
    return months


def _pieces(source: SourceKind, window: Window, span: int) -> Iterable[Window]:
    if source is SourceKind.PROFILES:
        return [window]
    if source is SourceKind.BILL:
        return [_clip(month, window) for month in months_of(window)]
    return _day_ranges(window, METRIC_SPAN_DAYS if source is SourceKind.METRICS else span)


def _clip(month: datetime, window: Window) -> Window:
    following = _month_start(month + timedelta(days=32))
    return Window(max(month, window.start), min(following, window.end))


def _day_ranges(window: Window, span: int) -> list[Window]:
    """Cut backwards from the last midnight, so that the newest days come in whole items."""
    ranges = []
    end = window.end
    while end > window.start:
        midnight = datetime.combine((end - timedelta(microseconds=1)).date(), time(), UTC)
        start = max(window.start, midnight - timedelta(days=span - 1))
        ranges.append(Window(start, end))
        end = start
    return ranges


def _month_start(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def _numbered(pieces: Sequence[tuple[Site, Window]]) -> list[WorkItem]:
    return [
        WorkItem(f"{site.key}/{piece.start:%Y%m%dT%H%M}", position, site, piece.start, piece.end)
        for position, (site, piece) in enumerate(pieces, start=1)
    ]
