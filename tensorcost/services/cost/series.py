"""The buckets of a series, and which of them are whole (trap 9)."""

from datetime import datetime, timedelta
from typing import Final

from tensorcost.domain.cost.query import Step
from tensorcost.domain.cost.query_window import DAY, HOUR, Window, midnight
from tensorcost.services.cost.answers import Bucket

LENGTH: Final[dict[Step, timedelta]] = {Step.DAY: DAY, Step.HOUR: HOUR}


def buckets_of(window: Window, step: Step, now: datetime) -> tuple[Bucket, ...]:
    """The days or hours that the window touches; whole are those inside it that are over."""
    length = LENGTH[step]
    first = midnight(window.first_day) if step is Step.DAY else window.start
    starts = [first + n * length for n in range(-(-(window.end - first) // length))]
    last = min(window.end, now)
    return tuple(Bucket(s, window.start <= s and s + length <= last) for s in starts)
