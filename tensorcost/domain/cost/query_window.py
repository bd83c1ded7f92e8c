"""Windows of time: half-open, UTC, ``[start, end)``. A tenant's zone decides only what today is."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tensorcost.domain.clock import require_utc
from tensorcost.domain.errors import ValidationFailed

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


def day_window(start: str | None, end: str | None, *, today: date, rule: WindowRule) -> Window:
    """A window given as text; by default the last days up to and including ``today``."""
    last = midnight(today + DAY) if end is None else parse_instant(end, field="to")
    first = last - rule.default if start is None else parse_instant(start, field="from")
    return rule.check(Window(first, last))


def instant_window(
    start: str | None, end: str | None, *, now: datetime, rule: WindowRule
) -> Window:
    """A window given as text; by default the stretch that ends with ``now``."""
    last = now if end is None else parse_instant(end, field="to")
    first = last - rule.default if start is None else parse_instant(start, field="from")
    return rule.check(Window(first, last))


def parse_instant(text: str, *, field: str) -> datetime:
    """An ISO 8601 date (its first instant in UTC) or a timestamp with an offset.

    Raises ValidationFailed naming ``field``; a timestamp without an offset is refused.
    """
    if _DATE.fullmatch(text):
        try:
            return midnight(date.fromisoformat(text))
        except ValueError:
            raise _unreadable(text, field) from None
    if not _INSTANT.fullmatch(text):
        raise _unreadable(text, field)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unreadable(text, field) from None


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


def _unreadable(text: str, field: str) -> ValidationFailed:
    return ValidationFailed(
        f"'{field}' is not a date (2026-01-31) or a timestamp with an offset "
        f"(2026-01-31T12:00:00Z): {text[:64]!r}",
        field=field,
    )
