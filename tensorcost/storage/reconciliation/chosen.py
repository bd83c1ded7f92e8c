"""Which version's rows of each day are read: today's, those of a moment, those of a version."""

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.facts import Money

_DAYS: Final = "d.tenant_id = :tenant AND d.day >= :first_day AND d.day < :end_day"
_CURRENT: Final = (
    f"SELECT d.day, d.reconciliation_id FROM ai.reconciled_day d WHERE {_DAYS} AND d.is_current"
)
_NEWEST: Final = (
    "SELECT DISTINCT ON (d.day) d.day, d.reconciliation_id FROM ai.reconciled_day d "
    "JOIN ai.reconciliation r USING (tenant_id, reconciliation_id) "
    f"WHERE {_DAYS} AND {{among}} ORDER BY d.day, r.version DESC"
)
AMOUNTS: Final = ("unblended_nano", "amortized_nano", "net_nano")
"""Columns of the three bases, in the order of ``Money``."""
BEGINNING: Final = date(2000, 1, 1)
END: Final = date(2200, 1, 1)
"""Bounds that leave no day out."""


def chosen_days(as_of: datetime | None) -> str:
    """SELECT of (day, reconciliation_id); binds tenant, first_day, end_day and, if given, as_of."""
    return _CURRENT if as_of is None else _NEWEST.format(among="r.known_at <= :as_of")


def days_of_version(parameter: str) -> str:
    """The same as it stood after the version number bound to ``parameter``."""
    return _NEWEST.format(among=f"r.period = :period AND r.version <= :{parameter}")


def sums(*prefixes: str, alias: str, factor: str = "") -> str:
    """``sum`` of the three amounts, once a prefix such as ``billed_``."""
    return ", ".join(
        f"sum({factor}{alias}.{prefix}{name})::bigint AS {prefix}{name}"
        for prefix in prefixes
        for name in AMOUNTS
    )


def money_of(row: Row[Any], prefix: str = "") -> Money:
    """The three amounts of a row."""
    values = row._mapping
    return Money(*(values[f"{prefix}{name}"] for name in AMOUNTS))
