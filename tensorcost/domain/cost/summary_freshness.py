"""How complete a source's days are: the watermark (trap 9)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from tensorcost.domain.spend.facts import Grain

LAG: Final[dict[Grain, timedelta]] = {
    Grain.REQUEST: timedelta(hours=1),
    Grain.METRIC: timedelta(minutes=15),
    Grain.BILL: timedelta(hours=48),
}
"""How long after a use the providers may still deliver its row."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest day on which a source has rows of a grain."""

    source: str
    grain: Grain
    last_day: date


@dataclass(frozen=True, slots=True)
class Watermark:
    """``complete_through`` is the last UTC day that will not grow by what is on its way."""

    source: str
    grain: Grain
    last_day: date
    complete_through: date


def watermark(seen: Seen, *, synced_at: datetime | None, now: datetime) -> Watermark:
    """The day before the newest one seen, or later where a read of the source proves more.

    ``synced_at`` is when the slowest connection of the source was last read, None without
    one. A day is complete once the source was read ``LAG`` after the day's end; today never is.
    """
    complete = seen.last_day - _DAY
    if synced_at is not None:
        complete = max(complete, (synced_at - LAG[seen.grain]).date() - _DAY)
    return Watermark(seen.source, seen.grain, seen.last_day, min(complete, now.date() - _DAY))
