"""Which regions of which accounts are looked at again, and when.

An organisation of hundreds of accounts has thousands of (account, region) pairs, nearly all of
them without a single call: those are looked at once a day, the others every time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zlib import crc32

Place = tuple[str, str]
"""Account and region."""

QUIET_FOR: Final = timedelta(hours=18)
SPREAD: Final = timedelta(hours=12)
"""Quiet places come due over so long: not all of an organisation at once."""


class PlaceState(StrEnum):
    ACTIVE = "active"
    """Something is read there."""
    QUIET = "quiet"
    """No call in two weeks, and logging is off."""
    DISABLED = "disabled"
    """The account has the region switched off."""


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A region of an account as it was when somebody last looked."""

    account_id: str
    region: str
    state: PlaceState
    looked_at: datetime

    @property
    def place(self) -> Place:
        return self.account_id, self.region


def is_due(place: Place, known: Mapping[Place, KnownPlace], now: datetime) -> bool:
    """Whether to look at a place: a new and an active one always, a quiet one once a day."""
    before = known.get(place)
    if before is None or before.state is PlaceState.ACTIVE:
        return True
    share = crc32("/".join(place).encode()) / 2**32
    return now - before.looked_at >= QUIET_FOR + SPREAD * share
