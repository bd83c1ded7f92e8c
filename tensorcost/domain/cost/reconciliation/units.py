"""What is not sold by the token: capacity by the hour, images, seconds, requests.

The whole amount goes to the rows that can have caused it. Capacity belongs to the rows of its
tier, tokens or not. Anything else belongs to rows that used something but no tokens; rows of
failed calls, which are free by rule, did not.
"""

from collections.abc import Iterable, Iterator, Sequence

from tensorcost.domain.cost.reconciliation.amounts import total_of
from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.cost.reconciliation.groups import BilledGroup, LoggedGroup
from tensorcost.domain.cost.reconciliation.matching import (
    CAPACITY_TIERS,
    OWN_METER,
    Pool,
    place_on_bill,
)
from tensorcost.domain.cost.reconciliation.rows import UNITS, Row
from tensorcost.domain.spend.facts import ServiceTier


def match_units(billed: Iterable[BilledGroup], logged: Sequence[LoggedGroup]) -> Iterator[Pool]:
    """One pool for each meter that has both an amount and rows, after tokens are matched."""
    by_meter: dict[ServiceTier | None, list[BilledGroup]] = {}
    for group in billed:
        if group.kind is None and group.left:
            meter = group.tier if group.tier in OWN_METER else None
            by_meter.setdefault(meter, []).append(group)
    for meter, sold in by_meter.items():
        used = [g for g in logged if (g.tier if g.tier in OWN_METER else None) is meter]
        is_capacity = meter in CAPACITY_TIERS
        rows = [r for g in used for r in g.rows if is_capacity or _used_units(r)]
        if rows:
            yield _pool(sold, used, rows, is_capacity=is_capacity)


def _used_units(row: Row) -> bool:
    is_free = not row.logged.estimate_nano and not row.logged.unpriced_requests
    return row.is_tokenless and not is_free


def _pool(
    billed: list[BilledGroup], logged: list[LoggedGroup], rows: list[Row], *, is_capacity: bool
) -> Pool:
    if is_capacity:
        for group in logged:
            group.by_capacity = True
    kinds = range(UNITS + 1) if is_capacity else (UNITS,)
    return Pool(
        gap_class=GapClass.PRICE_DRIFT if is_capacity else _gap_class(billed, rows),
        billed=billed,
        logged=logged,
        kind=UNITS,
        quantity=sum(group.left for group in billed),
        money=total_of([group.take(group.left) for group in billed]),
        estimate=sum(group.take_rest(kinds) for group in logged),
        rows=rows,
        weights=_weigh(rows),
    )


def _weigh(rows: Sequence[Row]) -> list[int]:
    """By estimate where every row has one, else by tokens where there are any, else by calls."""
    estimates = [max(0, row.logged.estimate_nano) for row in rows]
    if any(estimates) and not any(row.has_no_estimate for row in rows):
        return estimates
    tokens = [max(0, sum(row.tokens)) for row in rows]
    return tokens if any(tokens) else [max(0, row.logged.requests) for row in rows]


def _gap_class(billed: Sequence[BilledGroup], rows: Sequence[Row]) -> GapClass:
    """What tells bill and rows apart, where no group of the bill finds its like."""
    named = {(group.tier, group.scope) for group in billed}
    places = {
        place_on_bill(row.logged.service_tier, row.logged.routing_scope, named) for row in rows
    }
    if named & places:
        return GapClass.PRICE_DRIFT
    tiers = {tier for tier, _ in places}
    return GapClass.SCOPE if any(group.tier in tiers for group in billed) else GapClass.TIER
