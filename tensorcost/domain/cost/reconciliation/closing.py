"""When a day of a billing month can be reconciled, and when the month is settled (decisions 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.clock import require_utc
from tensorcost.domain.cost.query_window import DAY, midnight

SETTLING_TIME: Final = timedelta(hours=24)
"""A delivery that came this long after the month's end holds all of its days."""
FINAL_AFTER: Final = timedelta(days=14)
SILENT_AFTER: Final = timedelta(days=3)
"""A bill that was not delivered for so long, while another one was, is waited for no more."""
_LONGEST_MONTH: Final = timedelta(days=31)


class PeriodState(StrEnum):
    OPEN = "open"
    """The month still runs: its bill is an estimate and grows."""
    CLOSING = "closing"
    """The month is over, its bill may still be restated without surprise."""
    FINAL = "final"
    """Invoiced, and the invoice has stood unchanged for 14 days."""


class Cause(StrEnum):
    """What a version saw that the one before it did not. Prices and wishes are not among them."""

    BILL = "bill"
    """Other deliveries are the bill; so with a month's first version."""
    USAGE = "usage"
    """Usage of a closed day became known or was re-rated later; only looked for where the bill
    is the same."""
    RULES = "rules"
    """It was made by other rules of ours."""


@dataclass(frozen=True, slots=True)
class MonthBill:
    """What the closing of a month asks of one export's bill."""

    last_usage_day: date | None
    known_at: datetime
    invoiced: bool


def period_end(period: date) -> date:
    """The first day after the billing month that starts on ``period``.

    Raises ValueError where ``period`` is not the first day of a month.
    """
    if period.day != 1:
        raise ValueError(f"a billing month starts on its first day, not on {period}")
    return (period + _LONGEST_MONTH).replace(day=1)


def charge_day(usage_start_date: date, period: date) -> date:
    """The day that a charge counts on: its own, within the month that bills it.

    A refund that is dated last month belongs to the month on whose invoice it stands.
    """
    last = period_end(period) - DAY
    return min(max(usage_start_date, period), last)


def closed_until(
    period: date, last_usage_day: date | None, known_at: datetime, *, invoiced: bool
) -> date:
    """The first day of the month whose bill may still grow; the days before it are closed.

    ``last_usage_day`` is the last day that has bill lines, None for a bill without any, and
    ``known_at`` when the delivery was read. Bills are written in order of time, so a day is
    complete once a later one has lines. Lies between the month's first day and its end.
    """
    end = period_end(period)
    if invoiced or require_utc(known_at) >= midnight(end) + SETTLING_TIME:
        return end
    if last_usage_day is None:
        return period
    return charge_day(last_usage_day, period)


def month_closed_until(
    period: date, bills: Sequence[MonthBill], former: date | None = None
) -> date:
    """The same of a month that several exports bill, ``former`` being its former answer.

    A day is closed once every bill has it, so that no part of it is missing; but a file that
    somebody imported once does not hold up the month. What was closed stays so: the days that
    were reconciled must be restated, not forgotten.
    """
    newest = max((bill.known_at for bill in bills), default=None)
    answers = [
        closed_until(period, bill.last_usage_day, bill.known_at, invoiced=bill.invoiced)
        for bill in bills
        if newest is not None and newest - bill.known_at < SILENT_AFTER
    ]
    return max(min(answers, default=period), former or period)


def period_state(
    period: date, invoice_id: str, invoice_since: datetime | None, now: datetime
) -> PeriodState:
    """What may still happen to a month's bill.

    ``invoice_since`` is when the current invoice id was first seen; the id is empty, and the
    time None, before there is one.
    """
    moment = require_utc(now)
    if moment < midnight(period_end(period)):
        return PeriodState.OPEN
    if not invoice_id or invoice_since is None:
        return PeriodState.CLOSING
    has_settled = moment - require_utc(invoice_since) >= FINAL_AFTER
    return PeriodState.FINAL if has_settled else PeriodState.CLOSING
