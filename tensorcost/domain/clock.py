"""Time arrives as an argument: rules take ``now``, services and activities take a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current aware UTC time."""


def require_utc(moment: datetime) -> datetime:
    """Return ``moment`` converted to UTC; refuse a naive datetime with ValueError."""
    if moment.tzinfo is None:
        raise ValueError("naive datetime: every time in TensorCost is aware UTC")
    return moment.astimezone(UTC)
