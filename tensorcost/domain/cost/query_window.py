"""Windows of time: half-open, UTC, ``[start, end)``. A tenant's zone decides only what today is."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tensorcost.domain.clock import require_utc
from tensorcost.domain.errors import ValidationFailed

Moment = str | date | datetime
"""ISO text as it came in, a date (its first instant in UTC), or an aware time."""
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})"
)


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)`` in UTC, never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
        object.__setattr__(self, "end", require_utc(self.end))
        if self.start >= self.end:
            raise ValidationFailed("'from' must be before 'to'", field="from")

    @classmethod
    def of_days(cls, first: date, end: date) -> "Window":
        """Whole UTC days from ``first`` up to, not including, ``end``."""
        return cls(midnight(first), midnight(end))

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def first_day(self) -> date:
        """The UTC day in which the window starts."""
        return self.start.date()

    @property
    def end_day(self) -> date:
        """The first UTC day of which the window holds nothing."""
        return (self.end - timedelta(microseconds=1)).date() + DAY

    def is_whole_hours(self) -> bool:
        return is_whole_hour(self.start) and is_whole_hour(self.end)

    def is_whole_days(self) -> bool:
        return self.start == midnight(self.first_day) and self.end == midnight(self.end_day)

    def whole_days(self) -> tuple[date, date] | None:
        """``[first, end)`` of the days that lie wholly inside, or None where there is none."""
        first = self.first_day if self.start == midnight(self.first_day) else self.first_day + DAY
        end = self.end.date()
        return (first, end) if first < end else None

    def hour_edges(self) -> list[tuple[datetime, datetime]]:
        """The parts outside the whole days: none, one or two stretches."""
        days = self.whole_days()
        if days is None:
            return [(self.start, self.end)]
        inner_start, inner_end = midnight(days[0]), midnight(days[1])
        edges = [(self.start, inner_start), (inner_end, self.end)]
        return [(low, high) for low, high in edges if low < high]


@dataclass(frozen=True, slots=True)
class WindowRule:
    """What a use case accepts: its default length and its longest."""

    default: timedelta
    longest: timedelta

    def check(self, window: Window) -> Window:
        """Return ``window``; raise ValidationFailed when it is longer than allowed."""
        if window.length > self.longest:
            raise ValidationFailed(
                f"the window is longer than {self.longest.days} days", field="from"
            )
        return window


def day_window(
    start: Moment | None, end: Moment | None, *, today: date, rule: WindowRule
) -> Window:
    """The window asked for; by default the last days up to and including ``today``."""
    last = midnight(today + DAY) if end is None else parse_instant(end, field="to")
    first = last - rule.default if start is None else parse_instant(start, field="from")
    return rule.check(Window(first, last))


def instant_window(
    start: Moment | None, end: Moment | None, *, now: datetime, rule: WindowRule
) -> Window:
    """The window asked for; by default the stretch that ends with ``now``."""
    last = now if end is None else parse_instant(end, field="to")
    first = last - rule.default if start is None else parse_instant(start, field="from")
    return rule.check(Window(first, last))


def parse_instant(moment: Moment, *, field: str) -> datetime:
    """The UTC instant that ``moment`` names, in the years 2000 to 2199.

    Raises ValidationFailed naming ``field``; a time without an offset is refused.
    """
    try:
        instant = _instant(moment)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not _EARLIEST <= instant < _LATEST:
        raise ValidationFailed(
            f"'{field}' is not a date (2026-01-31) or a timestamp with an offset "
            f"(2026-01-31T12:00:00Z): {str(moment)[:64]!r}",
            field=field,
        )
    return instant


def known_by(moment: Moment, *, now: datetime) -> datetime:
    """The instant of an ``as_of``: a date means its end in UTC, or ``now`` for today.

    Raises ValidationFailed for what is not a time, and for the future.
    """
    instant = parse_instant(moment, field="as_of")
    if _is_day(moment):
        today = midnight(now.astimezone(UTC).date())
        instant = now if instant == today else instant + DAY
    if instant > now:
        raise ValidationFailed("'as_of' lies in the future", field="as_of")
    return instant


def as_of_moment(as_of: Moment | None, now: datetime) -> datetime | None:
    """``known_by`` of what may not be asked; None means now."""
    return None if as_of is None else known_by(as_of, now=now)


def _instant(moment: Moment) -> datetime | None:
    if isinstance(moment, datetime):
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(moment, date):
        return midnight(moment)
    if _is_day(moment):
        return midnight(date.fromisoformat(moment))
    if _INSTANT.fullmatch(moment):
        return datetime.fromisoformat(moment.upper()).astimezone(UTC)
    return None


def _is_day(moment: Moment) -> bool:
    if isinstance(moment, str):
        return _DATE.fullmatch(moment) is not None
    return not isinstance(moment, datetime)


def today_in(zone: str, now: datetime) -> date:
    """The tenant's calendar date; an unknown zone falls back to UTC."""
    try:
        return now.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return now.astimezone(UTC).date()


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time.min, UTC)


def is_whole_hour(moment: datetime) -> bool:
    return moment.minute == moment.second == moment.microsecond == 0
