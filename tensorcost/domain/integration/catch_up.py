"""Which sites a later backfill owes: what became readable only after the first one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tensorcost.domain.integration.states import SourceKind

FIRST_WAIT: Final = timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwedSite:
    """An active site that no backfill has read whole, and how often one has tried."""

    key: str
    source: SourceKind
    tries: int
    tried_at: datetime | None


def owed_keys(sites: Sequence[OwedSite]) -> list[str]:
    """Keys of the sites to read; none where only profiles are owed, which have no past."""
    if all(site.source is SourceKind.PROFILES for site in sites):
        return []
    return [site.key for site in sites]


def due_keys(sites: Sequence[OwedSite], now: datetime) -> list[str]:
    """The same without those whose last backfill was a short while ago.

    The first time again is at once, when the cause was healed; a site whose past stays unreadable
    is tried more and more seldom, not after every sync.
    """
    return owed_keys([site for site in sites if _is_due(site, now)])


def _is_due(site: OwedSite, now: datetime) -> bool:
    if site.tried_at is None or site.tries <= 1:
        return True
    doubled: timedelta = FIRST_WAIT * 2 ** min(site.tries - 2, 10)
    return now - site.tried_at >= min(doubled, LONGEST_WAIT)
