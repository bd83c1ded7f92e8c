"""Which logged tokens explain which billed tokens of one kind in a cell.

First what names the same service tier and routing scope, then what is left of the same tier
in other scopes, then what is left in other tiers. Each step is proportional on both sides.
Bills seldom mark calls through geographic profiles: they stand on the line of their region.
Tiers with a meter of their own stay out of the last step: batch jobs are never logged, and
capacity is paid by the hour, so that its tokens are on no line.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from math import gcd, lcm
from typing import Final, NamedTuple

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.amounts import total_of
from tensorcost.domain.cost.reconciliation.facts import GapClass, Money
from tensorcost.domain.cost.reconciliation.groups import BilledGroup, LoggedGroup
from tensorcost.domain.cost.reconciliation.rows import Row
from tensorcost.domain.cost.reconciliation.spread import spread
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier

CAPACITY_TIERS: Final = frozenset({ServiceTier.RESERVED, ServiceTier.PROVISIONED})
OWN_METER: Final = CAPACITY_TIERS | {ServiceTier.BATCH}
Place = tuple[ServiceTier, RoutingScope]


class Pool(NamedTuple):
    """Billed money, the rows it belongs to, and the estimate that is held against it."""

    gap_class: GapClass
    """Class of money minus estimate."""
    billed: Sequence[BilledGroup]
    logged: Sequence[LoggedGroup]
    kind: int
    """Index into TOKEN_KINDS, or UNITS."""
    quantity: int
    money: Money
    estimate: int
    rows: Sequence[Row]
    weights: Sequence[int]
    """By row: how the money is spread."""


def place_on_bill(tier: ServiceTier, scope: RoutingScope, named: Set[Place]) -> Place:
    """Where the bill counts calls of a tier and scope, given the places that it names."""
    if scope is RoutingScope.GEO and (tier, scope) not in named:
        return tier, RoutingScope.IN_REGION
    return tier, scope


def match_tokens(billed: Iterable[BilledGroup], logged: Sequence[LoggedGroup]) -> Iterator[Pool]:
    """Match what the groups hold, and mark it as matched while the pools are read."""
    groups = list(billed)
    for kind, name in enumerate(TOKEN_KINDS):
        sold = [group for group in groups if group.kind == name]
        used = [group for group in logged if group.left(kind)]
        if sold and used:
            yield from _match_kind(kind, sold, used)


def _match_kind(kind: int, billed: list[BilledGroup], logged: list[LoggedGroup]) -> Iterator[Pool]:
    named = {(group.tier, group.scope) for group in billed}
    places = [place_on_bill(group.tier, group.scope, named) for group in logged]
    for sold in billed:
        place = (sold.tier, sold.scope)
        same = [group for group, at in zip(logged, places, strict=True) if at == place]
        yield from _match(GapClass.PRICE_DRIFT, kind, [sold], same)
    billed = [group for group in billed if group.left]
    logged = [group for group in logged if group.left(kind)]
    if not billed or not logged:
        return
    for tier in ServiceTier:
        sold_there = [group for group in billed if group.tier == tier]
        used_there = [group for group in logged if group.tier == tier]
        yield from _match(GapClass.SCOPE, kind, sold_there, used_there)
    movable = [group for group in billed if group.tier not in OWN_METER]
    metered = [group for group in logged if group.tier not in CAPACITY_TIERS]
    yield from _match(GapClass.TIER, kind, movable, metered)


def _match(
    gap_class: GapClass, kind: int, billed: list[BilledGroup], logged: list[LoggedGroup]
) -> Iterator[Pool]:
    billed = [group for group in billed if group.left]
    logged = [group for group in logged if group.left(kind)]
    if not billed or not logged:
        return
    sold = [group.left for group in billed]
    used = [group.left(kind) for group in logged]
    quantity = min(sum(sold), sum(used))
    taken = spread(quantity, used)
    rows, weights = _weigh(kind, logged, taken)
    yield Pool(
        gap_class=gap_class,
        billed=billed,
        logged=logged,
        kind=kind,
        quantity=quantity,
        money=total_of([g.take(n) for g, n in zip(billed, spread(quantity, sold), strict=True)]),
        estimate=sum([g.take(kind, n) for g, n in zip(logged, taken, strict=True)]),
        rows=rows,
        weights=weights,
    )


def _weigh(
    kind: int, logged: Sequence[LoggedGroup], taken: Sequence[int]
) -> tuple[list[Row], list[int]]:
    """The rows with tokens, weighed by the list price of their part of what is matched.

    By tokens alone where a row has no price, or where all prices are zero.
    """
    rows: list[Row] = []
    listed: list[int] = []
    tokens: list[int] = []
    for group, factor in zip(logged, _factors(kind, logged, taken), strict=True):
        used = [row for row in group.rows if row.tokens[kind] > 0]
        rows += used
        listed += [row.weights[kind] * factor for row in used]
        tokens += [row.tokens[kind] * factor for row in used]
    is_priced = any(listed) and all(row.prices.is_known[kind] for row in rows)
    return rows, listed if is_priced else tokens


def _factors(kind: int, logged: Sequence[LoggedGroup], taken: Sequence[int]) -> list[int]:
    """How the matched parts of the groups compare, as small integers."""
    if all(n == group.tokens[kind] for group, n in zip(logged, taken, strict=True)):
        return [1] * len(logged)
    common = lcm(*(group.tokens[kind] for group in logged))
    parts = [n * (common // g.tokens[kind]) for g, n in zip(logged, taken, strict=True)]
    divisor = gcd(*parts)
    return [part // divisor for part in parts]
