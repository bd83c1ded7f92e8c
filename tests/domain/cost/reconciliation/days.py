"""Short ways to build bill lines and logged rows, and to read what became of them."""

from collections.abc import Mapping
from fractions import Fraction

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    Cell,
    DayResult,
    Gap,
    GapClass,
    LineClass,
    Logged,
    Money,
    Share,
)
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier

USD = 10**9
TOKEN = 10**6
"""One token, or one dollar a million tokens, as the bill's quantities and money count them."""
CELL = Cell("111122223333", "us-east-1", "anthropic.claude-sonnet-4-6")
LIST = {TokenKind.INPUT: Fraction(3_000), TokenKind.OUTPUT: Fraction(15_000)}
"""3 and 15 dollars a million tokens, in nano-dollars a token."""


def line(money: int | Money, tokens: int = 0, **parts: object) -> Billed:
    """One bill line of input tokens, unless ``parts`` say otherwise."""
    values: dict[str, object] = {
        "dim_id": 900,
        "cell": CELL,
        "line_class": LineClass.USAGE,
        "kind": TokenKind.INPUT,
        "unit": "tokens",
        "service_tier": ServiceTier.STANDARD,
        "routing_scope": RoutingScope.IN_REGION,
        "currency": "USD",
        "quantity": tokens * TOKEN,
        "money": money if isinstance(money, Money) else Money.same(money),
        "lines": 1,
    }
    return Billed(**{**values, **parts})  # type: ignore[arg-type]


def row(tokens: int | Mapping[TokenKind, int] = 0, estimate: int = 0, **parts: object) -> Logged:
    """One rollup row with list prices; a plain number counts input tokens."""
    values: dict[str, object] = {
        "dim_id": 1,
        "actor_id": 0,
        "grain": Grain.REQUEST,
        "cell": CELL,
        "service_tier": ServiceTier.STANDARD,
        "routing_scope": RoutingScope.IN_REGION,
        "tokens": by_kind({TokenKind.INPUT: tokens} if isinstance(tokens, int) else tokens),
        "requests": 1,
        "estimate_nano": estimate,
        "unpriced_requests": 0,
        "rates": LIST,
    }
    return Logged(**{**values, **parts})  # type: ignore[arg-type]


def by_kind(tokens: Mapping[TokenKind, int]) -> tuple[int, ...]:
    return tuple(tokens.get(kind, 0) for kind in TOKEN_KINDS)


def attributed(result: DayResult) -> dict[tuple[int, int], int]:
    """Unblended nano given to rows, by dimension and actor."""
    return {
        (a.dim_id, a.actor_id): a.money.unblended
        for a in result.allocations
        if a.share is Share.ATTRIBUTED
    }


def left(result: DayResult, share: Share = Share.UNLOGGED) -> dict[int, int]:
    """Unblended nano left on the bill's own dimensions."""
    return {a.dim_id: a.money.unblended for a in result.allocations if a.share is share}


def classes(result: DayResult) -> dict[GapClass, int]:
    """Unblended nano by class; for days with one cell and currency."""
    return {gap.gap_class: gap.money.unblended for gap in result.gaps}


def gap_of(result: DayResult, gap_class: GapClass) -> Gap:
    (found,) = (gap for gap in result.gaps if gap.gap_class is gap_class)
    return found
