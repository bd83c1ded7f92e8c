"""What goes into the reconciliation of one day, and what comes out of it.

All money is in integer nano-units of one currency, all quantities in integer millionths.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier


class Basis(StrEnum):
    """Cost bases. Only unblended adds up to the invoice of a month (decisions 3)."""

    UNBLENDED = "unblended"
    AMORTIZED = "amortized"
    NET = "net"


class Money(NamedTuple):
    """One amount in the three bases."""

    unblended: int = 0
    amortized: int = 0
    net: int = 0

    def plus(self, other: "Money") -> "Money":
        return Money(self[0] + other[0], self[1] + other[1], self[2] + other[2])

    def minus(self, other: "Money") -> "Money":
        return Money(self[0] - other[0], self[1] - other[1], self[2] - other[2])

    @classmethod
    def same(cls, nano: int) -> "Money":
        """An amount that does not depend on the basis, such as an estimate."""
        return cls(nano, nano, nano)


class LineClass(StrEnum):
    """What a bill line is. Only usage in scope is held against logged rows."""

    USAGE = "usage"
    OUT_OF_SCOPE = "out_of_scope"
    COMMITMENT = "commitment"
    """Fees of reservations and savings plans."""
    DISCOUNT = "discount"
    CREDIT = "credit"
    REFUND = "refund"
    TAX = "tax"
    OTHER_CURRENCY = "other_currency"
    """Usage billed in another currency: shown apart until the month's rate is set."""


class Share(StrEnum):
    """Where a billed amount went. The values beside ``attributed`` are residuals."""

    ATTRIBUTED = "attributed"
    UNLOGGED = "unlogged"
    OUT_OF_SCOPE = "out_of_scope"
    COMMITMENT = "commitment"
    DISCOUNT = "discount"
    CREDIT = "credit"
    REFUND = "refund"
    TAX = "tax"
    OTHER_CURRENCY = "other_currency"


class GapClass(StrEnum):
    """Why the bill differs from the estimate. The classes of a cell add up to its gap."""

    UNLOGGED = "unlogged"
    """Billed usage that no row explains."""
    EXCESS = "excess"
    """Logged usage that was not billed; negative."""
    UNPRICED = "unpriced"
    """Billed money of rows whose list price is not known."""
    TIER = "tier"
    """The bill names another service tier than the rows."""
    SCOPE = "region_or_profile_scope"
    """The bill names another routing scope than the rows."""
    PRICE_DRIFT = "price_drift"
    ROUNDING = "rounding"
    OUT_OF_SCOPE = "out_of_scope"
    COMMITMENT = "commitment"
    DISCOUNT = "discount"
    CREDIT = "credit"
    REFUND = "refund"
    TAX = "tax"
    OTHER_CURRENCY = "other_currency"


class Cell(NamedTuple):
    """The place in which one grain counts, within one day; texts may be empty."""

    account_id: str
    region: str
    model_id: str


Rates = Mapping[TokenKind, Fraction | None]
"""Nano-USD a token by kind on one day; None or absent where the price is not known."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Lines of the day's bill that share everything below but amounts.

    ``kind`` is None for what is not sold by the token; ``quantity`` counts ``unit`` then.
    """

    dim_id: int
    cell: Cell
    line_class: LineClass
    kind: TokenKind | None
    unit: str
    service_tier: ServiceTier
    routing_scope: RoutingScope
    currency: str
    quantity: int
    """Tokens or units, times 10^6."""
    money: Money
    lines: int
    is_negation: bool = False
    """Takes back usage under a savings plan that is not on the day's bill. No quantity."""


class Logged(NamedTuple):
    """One row of the daily rollup. Sums may be negative where a metric window was restated."""

    dim_id: int
    actor_id: int
    grain: Grain
    cell: Cell
    service_tier: ServiceTier
    routing_scope: RoutingScope
    tokens: tuple[int, ...]
    """By kind, in the order of TOKEN_KINDS."""
    requests: int
    estimate_nano: int
    """List price of the priced requests."""
    unpriced_requests: int
    unpriced_tokens: int = 0
    """All tokens of the requests without a price."""
    is_billed: bool = True
    """A bill speaks for the account on the day; what it does not speak for goes on costing its
    estimate."""
    rates: Rates = MappingProxyType({})


class Allocation(NamedTuple):
    """Billed money given to a rollup row (``attributed``) or left on the bill's own dimension."""

    dim_id: int
    actor_id: int
    grain: Grain
    share: Share
    currency: str
    money: Money


class Unpriced(NamedTuple):
    """Usage of a rollup row that has no list price and that no line of the bill is about."""

    dim_id: int
    actor_id: int
    grain: Grain
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class CellSum:
    """One place of the day: what was logged, estimated, billed and attributed."""

    cell: Cell
    currency: str
    grain: Grain | None
    """Grain of the logged rows; None where there are none."""
    requests: int
    logged_tokens: int
    billed_tokens: int
    lines: int
    estimate_nano: int
    billed: Money
    attributed: Money


@dataclass(frozen=True, slots=True)
class Gap:
    """One class of one cell. ``money`` is the class's part of billed minus estimate."""

    cell: Cell
    currency: str
    gap_class: GapClass
    money: Money
    evidence: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DayResult:
    """Everything that one day's reconciliation says, in a deterministic order."""

    allocations: tuple[Allocation, ...]
    cells: tuple[CellSum, ...]
    gaps: tuple[Gap, ...]
    unpriced: tuple[Unpriced, ...] = ()
