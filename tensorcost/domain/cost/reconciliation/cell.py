"""Reconciles one cell of one day: account, region and model (decisions 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.reconciliation.amounts import NOTHING, total_of
from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    Cell,
    CellSum,
    GapClass,
    LineClass,
    Logged,
    Money,
    Share,
)
from tensorcost.domain.cost.reconciliation.groups import MICRO, group_billed, group_logged
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY, DayLedger
from tensorcost.domain.cost.reconciliation.matching import match_tokens
from tensorcost.domain.cost.reconciliation.rows import prepare
from tensorcost.domain.cost.reconciliation.settling import leave, leave_excess, settle
from tensorcost.domain.cost.reconciliation.tally import Tally
from tensorcost.domain.cost.reconciliation.units import match_units
from tensorcost.domain.money import divide_half_even
from tensorcost.domain.spend.facts import Grain

# Looking a member up costs more than comparing it, and this is done for every line.
_USAGE: Final = LineClass.USAGE
_SOLD: Final = (LineClass.USAGE, LineClass.OTHER_CURRENCY)
"""Classes whose lines count tokens; a tax or a refund repeats the quantity it is about."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """The rows of the grain that counts, and the tokens that a coarser grain saw."""

    rows: Sequence[Logged]
    grain: Grain | None
    metered_tokens: int


def reconcile_cell(
    cell: Cell, billed: Sequence[Billed], logged: Sequence[Logged], ledger: DayLedger
) -> None:
    """Add the cell to the ledger, each currency apart."""
    counted = _finest(logged)
    by_currency: dict[str, list[Billed]] = {ESTIMATE_CURRENCY: []} if logged else {}
    for line in billed:
        by_currency.setdefault(line.currency, []).append(line)
    for currency in sorted(by_currency):
        lines = by_currency[currency]
        rows = counted if currency == ESTIMATE_CURRENCY else _Counted((), None, 0)
        tally = Tally(cell, currency)
        usage = [line for line in lines if _class_of(line) is _USAGE]
        _keep_apart(lines, tally, ledger)
        attributed = _reconcile_usage(cell, usage, rows, tally, ledger)
        cell_sum = _sum(cell, currency, lines, rows, attributed)
        _note_place(tally, cell_sum, rows)
        ledger.cells.append(cell_sum)
        ledger.gaps.extend(tally.gaps())


def _finest(logged: Sequence[Logged]) -> _Counted:
    """Request rows before metric rows: the coarser ones tell of the same calls."""
    if not logged:
        return _Counted((), None, 0)
    grains = {row.grain for row in logged}
    grain = min(grains)
    if len(grains) == 1:
        return _Counted(logged, grain, 0)
    rows = [row for row in logged if row.grain is grain]
    coarser = sum([sum(row.tokens) for row in logged if row.grain is not grain])
    return _Counted(rows, grain, coarser)


def _class_of(line: Billed) -> LineClass:
    if line.line_class is _USAGE and line.currency != ESTIMATE_CURRENCY:
        return LineClass.OTHER_CURRENCY
    return line.line_class


def _keep_apart(lines: Sequence[Billed], tally: Tally, ledger: DayLedger) -> None:
    """Taxes, credits, fees and the like stay where the bill puts them, each as its own class."""
    for line in lines:
        line_class = _class_of(line)
        if line_class is not _USAGE:
            ledger.leave_on_bill(line, Share(line_class.value), line.money)
            tally.add(GapClass(line_class.value), line.money, lines=line.lines)


def _reconcile_usage(
    cell: Cell, usage: Sequence[Billed], counted: _Counted, tally: Tally, ledger: DayLedger
) -> Money:
    """Hold usage against rows; the attributed money."""
    rows = prepare(counted.rows)
    billed, logged = group_billed(usage), group_logged(rows)
    for pool in match_tokens(billed, logged):
        settle(pool, tally)
    for pool in match_units(billed, logged):
        settle(pool, tally)
    for row in rows:
        ledger.give(row)
    for sold in billed:
        leave(sold, cell, tally, rows=len(rows))
        for line, money in zip(sold.lines, sold.remainders(), strict=True):
            if any(money):
                ledger.leave_on_bill(line, Share.UNLOGGED, money)
    for used in logged:
        leave_excess(used, tally)
    return total_of([group.attributed for group in billed])


def _sum(
    cell: Cell, currency: str, lines: Sequence[Billed], counted: _Counted, attributed: Money
) -> CellSum:
    sold = (line for line in lines if _class_of(line) in _SOLD and line.kind is not None)
    return CellSum(
        cell=cell,
        currency=currency,
        grain=counted.grain,
        requests=sum([row.requests for row in counted.rows]),
        logged_tokens=sum([sum(row.tokens) for row in counted.rows]),
        billed_tokens=divide_half_even(sum(line.quantity for line in sold), MICRO),
        lines=sum(line.lines for line in lines),
        estimate_nano=sum([row.estimate_nano for row in counted.rows]),
        billed=total_of([line.money for line in lines]),
        attributed=attributed,
    )


def _note_place(tally: Tally, place: CellSum, counted: _Counted) -> None:
    """Tell once what holds for the whole place and makes a class readable."""
    for gap_class in (GapClass.UNLOGGED, GapClass.EXCESS):
        if gap_class in tally:
            tally.add(
                gap_class,
                NOTHING,
                billed_tokens=place.billed_tokens,
                logged_tokens=place.logged_tokens,
                rows=len(counted.rows),
                metered_tokens=counted.metered_tokens if gap_class is GapClass.UNLOGGED else 0,
            )
    unpriced = sum(row.unpriced_requests for row in counted.rows)
    for gap_class in (GapClass.UNPRICED, GapClass.PRICE_DRIFT):
        if gap_class in tally:
            tally.add(gap_class, NOTHING, unpriced_requests=unpriced)
