"""The bill of the story, as AWS delivers it first and as it restates it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from demo.world.billline import BillLine
from demo.world.charges import other_lines
from demo.world.monthend import month_end, refund
from demo.world.spec import WorldSpec
from demo.world.story import PROD
from demo.world.tally import Tally
from demo.world.usage import usage_lines

_OPEN_REFUND, _LATE_REFUND = Decimal("8.40"), Decimal("31.75")


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines in order of period; costs are what a double keeps of the exact product.

    The last month that has ended comes first as AWS delivers it right after its end, without
    an invoice and with its last day not metered to the end; ``restated`` is that month as AWS
    bills it for good. Both are empty where the world ends before its first month does.
    """

    first: list[BillLine]
    restated: list[BillLine]
    restated_period: str


def make_bill(spec: WorldSpec, tally: Tally) -> Bill:
    """Everything that AWS ever delivers for the world's months."""
    last_day = _last_closed_day(spec)
    others, payer = list(other_lines(spec)), spec.story.payer
    first = _months(payer, [*usage_lines(spec, tally, late_day=last_day), *others])
    first.append(refund(payer, first[-1].period, _OPEN_REFUND))
    if last_day is None:
        return Bill(first, [], "")
    period = f"{last_day:%Y-%m}"
    usage = [line for line in (*usage_lines(spec, tally), *others) if line.period == period]
    kept = [line for line in first if line.kind == "Refund" and line.period == period]
    late = refund(PROD, period, _LATE_REFUND)
    return Bill(first, [*usage, *month_end(payer, period, usage), *kept, late], period)


def _last_closed_day(spec: WorldSpec) -> date | None:
    """Last day of the last month that ended within the world."""
    border = spec.end.replace(day=1, hour=0)
    return (border - timedelta(days=1)).date() if border > spec.start else None


def _months(payer: str, usage: Sequence[BillLine]) -> list[BillLine]:
    lines = list(usage)
    for period in sorted({line.period for line in usage}):
        lines += month_end(payer, period, [line for line in usage if line.period == period])
    return sorted(lines, key=lambda line: line.period)
