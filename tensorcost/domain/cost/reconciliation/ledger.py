"""What the cells of a day add up to, gathered cell by cell."""

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from tensorcost.domain.cost.reconciliation.amounts import total_of
from tensorcost.domain.cost.reconciliation.facts import (
    Allocation,
    Billed,
    CellSum,
    DayResult,
    Gap,
    Money,
    Share,
    Unpriced,
)
from tensorcost.domain.cost.reconciliation.rows import Row
from tensorcost.domain.spend.facts import Grain

ESTIMATE_CURRENCY: Final = "USD"
"""List prices are in dollars: only dollars are held against them."""
_NOBODY: Final = 0
_KEY_OF: Final = itemgetter(0)
# Looking a member up costs more than a sum, and this is done for every row.
_ATTRIBUTED: Final = Share.ATTRIBUTED
_BILL: Final = Grain.BILL
_AllocationKey = tuple[int, int, Grain, Share, str]


@dataclass(slots=True)
class DayLedger:
    """What a day's cells have come to so far."""

    cells: list[CellSum] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    _allocated: dict[_AllocationKey, Money] = field(default_factory=dict)
    _unpriced: list[Unpriced] = field(default_factory=list)

    def give(self, row: Row) -> None:
        """Allocate what a row has been credited with."""
        of = row.logged
        key = (of.dim_id, of.actor_id, of.grain, _ATTRIBUTED, ESTIMATE_CURRENCY)
        self._allocate(key, total_of(row.shares))
        if row.is_unknown and of.is_billed:
            self._unpriced.append(
                Unpriced(*key[:3], requests=of.unpriced_requests, tokens=of.unpriced_tokens)
            )

    def leave_on_bill(self, line: Billed, share: Share, money: Money) -> None:
        """Leave an amount on the bill line's own dimension: nobody is named."""
        self._allocate((line.dim_id, _NOBODY, _BILL, share, line.currency), money)

    def result(self) -> DayResult:
        """Everything in a fixed order; nothing is allocated where the amounts are zero."""
        in_order = sorted(self._allocated.items(), key=_KEY_OF)
        allocations = tuple([Allocation(*key, money) for key, money in in_order if any(money)])
        unpriced = tuple(sorted(self._unpriced))
        return DayResult(allocations, tuple(self.cells), tuple(self.gaps), unpriced)

    def _allocate(self, key: _AllocationKey, money: Money) -> None:
        former = self._allocated.get(key)
        self._allocated[key] = money if former is None else former.plus(money)
