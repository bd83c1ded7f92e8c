"""Reconciliation of one day: which rows and which residuals the bill's money belongs to."""

from collections import defaultdict
from collections.abc import Iterable

from tensorcost.domain.cost.reconciliation.cell import reconcile_cell
from tensorcost.domain.cost.reconciliation.facts import Billed, Cell, DayResult, Logged
from tensorcost.domain.cost.reconciliation.ledger import DayLedger
from tensorcost.domain.spend.facts import Grain


def reconcile_day(billed: Iterable[Billed], logged: Iterable[Logged]) -> DayResult:
    """Hold the day's bill against its rows; the order of neither matters.

    What holds afterwards, in each currency and basis, exactly: the allocations add up to the
    billed amounts; the gaps of a cell add up to its billed minus estimate. Usage in dollars is
    attributed to rows as far as their tokens explain its quantity. The rest of it and all
    other lines stay on the bill's own dimensions, each under its share.

    Raises ValueError for a row of grain BILL, which is no usage that anybody logged.
    """
    lines: dict[Cell, list[Billed]] = defaultdict(list)
    for line in billed:
        lines[line.cell].append(line)
    rows: dict[Cell, list[Logged]] = defaultdict(list)
    for row in logged:
        if row.grain is Grain.BILL:
            raise ValueError("a bill line is not a logged row")
        rows[row.cell].append(row)
    ledger = DayLedger()
    for cell in sorted(lines.keys() | rows.keys()):
        reconcile_cell(cell, lines.get(cell, ()), rows.get(cell, ()), ledger)
    return ledger.result()
