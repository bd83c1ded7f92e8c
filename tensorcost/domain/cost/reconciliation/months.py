"""Billing months as people write them, and the state of one that several exports bill."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.errors import ValidationFailed

_MONTH: Final = re.compile(r"(2[01][0-9]{2})-(0[1-9]|1[0-2])")
_SETTLED: Final = (PeriodState.OPEN, PeriodState.CLOSING, PeriodState.FINAL)


def month_of(text: str, *, field: str = "period") -> date:
    """The first day of the month that ``2026-10`` names, in the years 2000 to 2199.

    Raises ValidationFailed naming ``field``.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ValidationFailed(f"'{field}' is not a month (2026-10): {text[:64]!r}", field=field)
    return date(int(found[1]), int(found[2]), 1)


def month_name(period: date) -> str:
    """The month of a day as ``month_of`` reads it."""
    return f"{period:%Y-%m}"


def least_settled(states: Iterable[PeriodState]) -> PeriodState:
    """A month is as settled as the least settled of its bills; without any it is open."""
    return min(states, key=_SETTLED.index, default=PeriodState.OPEN)
