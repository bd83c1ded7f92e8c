"""How fast a run moves and when it will be done. Standing still is not moving slowly."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MIN_SAMPLE: Final = 3
"""Finished items below which an estimate would be a guess."""
KEPT: Final = 0.85
"""What the pace so far weighs beside one more item: ten items back counts a fifth."""
SLOWER: Final = 4
"""An item that took longer than so many usual ones waited for something. It counts as that many,
so that an outage bends the pace a little, and work that became slow is followed within items."""
SLOWEST_FIRST: Final = timedelta(minutes=2)
"""The same for the first item, where nothing is usual yet."""
SHORTEST: Final = timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Pace:
    """Time per finished item, as of the last one; ``per_item`` is None before the first."""

    at: datetime
    done: int = 0
    per_item: timedelta | None = None

    def after(self, now: datetime, done: int) -> "Pace":
        """The pace once ``done`` items are finished: recent ones weigh more than old ones."""
        finished = done - self.done
        if finished <= 0:
            return self
        took = max(now - self.at, timedelta()) / finished
        if self.per_item is None:
            return Pace(now, done, min(took, SLOWEST_FIRST))
        took = min(took, max(self.per_item, SHORTEST) * SLOWER)
        weight = max(finished / done, 1 - KEPT**finished)
        return Pace(now, done, self.per_item + (took - self.per_item) * weight)

    def finish(self, now: datetime, total: int) -> datetime | None:
        """When ``total`` items are done; None before there is a pace.

        The item under way is credited with the time since the last one, up to its usual length:
        while nothing moves the estimate moves on with the clock.
        """
        if total <= 0 or self.done < min(MIN_SAMPLE, total):
            return None
        if self.done >= total:
            return now
        if self.per_item is None:
            return None
        begun = min(max(now - self.at, timedelta()), self.per_item)
        return now + self.per_item * (total - self.done) - begun
