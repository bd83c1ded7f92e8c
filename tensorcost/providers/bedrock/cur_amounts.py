"""The three cost bases of bill lines: which columns make them, by type of line."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.cur_codes import Int64
from tensorcost.providers.bedrock.cur_exact import WIDE, Exact, read_exact, widened
from tensorcost.providers.bedrock.cur_problems import Problems
from tensorcost.providers.bedrock.cur_table import Rows

RESERVATION_FEE: Final = "Fee of a reservation"
"""A ``Fee`` line that names a reservation: its upfront payment, spread over the usage."""

CATEGORIES: Final[Mapping[str, ChargeCategory]] = {
    "Usage": ChargeCategory.USAGE,
    "DiscountedUsage": ChargeCategory.USAGE,
    "SavingsPlanCoveredUsage": ChargeCategory.USAGE,
    "SavingsPlanNegation": ChargeCategory.USAGE,
    "Fee": ChargeCategory.PURCHASE,
    "RIFee": ChargeCategory.PURCHASE,
    "SavingsPlanRecurringFee": ChargeCategory.PURCHASE,
    "SavingsPlanUpfrontFee": ChargeCategory.PURCHASE,
    "Tax": ChargeCategory.TAX,
    "Credit": ChargeCategory.CREDIT,
    "Refund": ChargeCategory.CREDIT,
    "EdpDiscount": ChargeCategory.ADJUSTMENT,
    "PrivateRateDiscount": ChargeCategory.ADJUSTMENT,
    "BundledDiscount": ChargeCategory.ADJUSTMENT,
    "Discount": ChargeCategory.ADJUSTMENT,
}
COST: Final = "line_item_unblended_cost"
NET_COST: Final = "line_item_net_unblended_cost"
USAGE: Final = "line_item_usage_amount"


@dataclass(frozen=True, slots=True)
class Spread:
    """How an amortised amount is made: columns that are added and, perhaps, one taken off.

    Reservations and savings plans are counted where they are used, never twice: covered usage
    carries its share of the commitment; fees keep only what went unused.
    """

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def columns(self, *, net: bool) -> tuple[str, ...]:
        """In the order in which they are looked at; ``net``: of the net view."""
        return tuple(name.format(net="net_" if net else "") for name in self.plus + self.minus)


PLAIN: Final = Spread(("line_item_{net}unblended_cost",))
ELSEWHERE: Final = Spread(())
SPREADS: Final[Mapping[str, Spread]] = {
    "DiscountedUsage": Spread(("reservation_{net}effective_cost",)),
    "SavingsPlanCoveredUsage": Spread(("savings_plan_{net}savings_plan_effective_cost",)),
    "SavingsPlanNegation": ELSEWHERE,
    "SavingsPlanUpfrontFee": ELSEWHERE,
    RESERVATION_FEE: ELSEWHERE,
    "RIFee": Spread(
        (
            "reservation_{net}unused_amortized_upfront_fee_for_billing_period",
            "reservation_{net}unused_recurring_fee",
        )
    ),
    "SavingsPlanRecurringFee": Spread(
        ("savings_plan_total_commitment_to_date",), ("savings_plan_used_commitment",)
    ),
}
"""Every other type of line is what it costs."""


@dataclass(frozen=True, slots=True)
class Views:
    """Decimals of the three bases of some rows; NULL is no amount."""

    rows: Int64
    unblended: pa.Array
    amortized: pa.Array
    net: pa.Array


def category_of(line_item_type: str) -> ChargeCategory:
    """FOCUS category; a type that is not listed is an adjustment, so it is seen, not spread."""
    return CATEGORIES.get(line_item_type, ChargeCategory.ADJUSTMENT)


class Amounts:
    """The amounts of a run of rows. Columns are read when the first row needs them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._read: dict[str, Exact] = {}

    def column(self, name: str) -> Exact:
        """One column; all NULL where the file does not have it."""
        if name not in self._read:
            column = self._rows.columns.get(name)
            found = pa.nulls(self._rows.count, pa.string()) if column is None else column
            self._read[name] = read_exact(found)
        return self._read[name]

    def check(self, spread: Spread, rows: Int64, problems: Problems) -> None:
        """Note the first column of each of these rows that holds no amount."""
        for name in (COST, *spread.columns(net=False), NET_COST):
            self._note(name, rows, problems)
        rows = rows[self.column(NET_COST).present[rows]]
        for name in spread.columns(net=True):
            self._note(name, rows, problems)

    def check_usage(self, rows: Int64, problems: Problems) -> None:
        """The same for the usage amount."""
        self._note(USAGE, rows, problems)

    def views(self, spread: Spread, rows: Int64) -> Views:
        """The bases of rows that are spread alike. The net ones are NULL where there are none."""
        net = self._sum(spread, rows, net=True)
        has_net = pa.array(self.column(NET_COST).present[rows])
        return Views(
            rows,
            self._taken(COST, rows),
            self._sum(spread, rows, net=False),
            net if spread is PLAIN else pc.if_else(has_net, net, pa.scalar(None, net.type)),
        )

    def _note(self, name: str, rows: Int64, problems: Problems) -> None:
        bad = self.column(name).bad
        if bad.any():
            problems.note(rows[bad[rows]], RejectReason.BAD_AMOUNT, name)

    def _taken(self, name: str, rows: Int64) -> pa.Array:
        values = self.column(name).values
        return values if len(rows) == len(values) else values.take(pa.array(rows))

    def _sum(self, spread: Spread, rows: Int64, *, net: bool) -> pa.Array:
        names = spread.columns(net=net)
        if len(names) == 1:
            return self._taken(names[0], rows)
        total = pa.array([Decimal(0)], WIDE).take(pa.array(np.zeros(len(rows), dtype=np.int64)))
        for place, name in enumerate(names):
            one = widened(self._taken(name, rows)).fill_null(Decimal(0))
            add = pc.add if place < len(spread.plus) else pc.subtract
            total = widened(add(total, one))
        return total
