"""What a pool's money means: shares of its rows, and the classes of money minus estimate."""

from collections.abc import Mapping, Set
from typing import Final

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.amounts import NOTHING, spread_money, total_of
from tensorcost.domain.cost.reconciliation.facts import Cell, GapClass, Money
from tensorcost.domain.cost.reconciliation.groups import MICRO, BilledGroup, LoggedGroup
from tensorcost.domain.cost.reconciliation.matching import Pool
from tensorcost.domain.cost.reconciliation.rows import UNITS
from tensorcost.domain.cost.reconciliation.tally import Tally
from tensorcost.domain.spend.facts import ServiceTier

NO_ROWS: Final = "no_rows"
FEWER_ROWS: Final = "fewer_rows"
BATCH_NOT_LOGGED: Final = "batch_not_logged"
NOT_BY_TOKEN: Final = "not_by_token"  # noqa: S105
UNKNOWN_MODEL: Final = "unknown_model"
NEGATION_ALONE: Final = "negation_without_usage"
"""Hints of unlogged money: what probably keeps it from being attributed."""
NO_PRICE: Final = "no_list_price"
PRICED_TOO: Final = "listed_too"
"""Hints of excess: usage without a list price is part of it; and usage with one as well."""


def settle(pool: Pool, tally: Tally) -> None:
    """Give the pool's money to its rows, and say why it differs from their estimate."""
    kind = pool.kind
    unpriced: list[tuple[int, int, int]] = []
    for row, share in zip(pool.rows, spread_money(pool.money, pool.weights), strict=True):
        row.shares.append(share)
        if not row.estimate[kind] and row.is_unpriced(kind):
            unpriced.append(share)
    unknown = total_of(unpriced)
    if unknown != NOTHING:
        _add(tally, pool, GapClass.UNPRICED, unknown, listed=None)
    drift = pool.money.minus(unknown).minus(Money.same(pool.estimate))
    rounded = _within(drift, _tolerance(pool))
    if rounded != NOTHING:
        tally.add(GapClass.ROUNDING, rounded, names=_sold(pool))
    if drift != rounded:
        listed = None if unpriced else pool.estimate
        _add(tally, pool, pool.gap_class, drift.minus(rounded), listed=listed)


def leave(group: BilledGroup, cell: Cell, tally: Tally, *, rows: int) -> None:
    """Say what of a billed group no row explains, and what probably keeps it so."""
    kept = group.money.minus(group.attributed)
    if kept == NOTHING and not group.left:
        return
    tokens = group.left // MICRO if group.kind else 0
    tally.add(
        GapClass.UNLOGGED,
        kept,
        names={
            "bill_tiers": {group.tier},
            "bill_scopes": {group.scope},
            "hints": _hints(group, cell, rows),
            "kinds": {group.kind} if group.kind else (),
            "units": () if group.kind else {group.unit},
        },
        unmatched_tokens=tokens,
        lines=group.line_count,
    )


def leave_excess(group: LoggedGroup, tally: Tally) -> None:
    """Say what of a group of rows was not billed: its estimate counts against the gap."""
    rest = group.take_rest(range(UNITS + 1))
    kinds = [] if group.by_capacity else [k for k in range(UNITS) if group.left(k)]
    unknown = sum(row.logged.unpriced_requests for row in group.rows if row.is_unknown)
    if rest or kinds or unknown:
        tally.add(
            GapClass.EXCESS,
            Money.same(-rest),
            names={
                "hints": {NO_PRICE, *([PRICED_TOO] if rest else [])} if unknown else (),
                "row_tiers": {group.tier},
                "row_scopes": {group.scope},
                "kinds": {TOKEN_KINDS[kind] for kind in kinds},
            },
            unmatched_tokens=sum(group.left(kind) for kind in kinds) // MICRO,
            unpriced_requests=unknown,
        )


def _hints(group: BilledGroup, cell: Cell, rows: int) -> set[str]:
    if group.is_negation:
        return {NEGATION_ALONE}
    hints = set()
    if not rows:
        hints.add(NO_ROWS)
    if not cell.model_id:
        hints.add(UNKNOWN_MODEL)
    if group.kind is None:
        hints.add(NOT_BY_TOKEN)
    elif group.tier is ServiceTier.BATCH:
        hints.add(BATCH_NOT_LOGGED)
    elif rows and group.left:
        hints.add(FEWER_ROWS)
    return hints


def _tolerance(pool: Pool) -> int:
    """Nano that rounding alone explains: half of one for each request and each line, and more."""
    requests = sum([row.logged.requests for row in pool.rows])
    return max(0, requests) + sum([group.line_count for group in pool.billed])


def _within(drift: Money, tolerance: int) -> Money:
    return Money(*(nano if abs(nano) <= tolerance else 0 for nano in drift))


def _sold(pool: Pool) -> Mapping[str, Set[str]]:
    if pool.kind == UNITS:
        return {"units": {group.unit for group in pool.billed}}
    return {"kinds": {TOKEN_KINDS[pool.kind]}}


def _add(
    tally: Tally, pool: Pool, gap_class: GapClass, money: Money, *, listed: int | None
) -> None:
    """Add to a class with what tells bill and rows apart; ``listed`` is None where unknown."""
    is_tokens = pool.kind != UNITS
    tally.add(
        gap_class,
        money,
        names={
            "bill_tiers": {group.tier for group in pool.billed},
            "bill_scopes": {group.scope for group in pool.billed},
            "row_tiers": {group.tier for group in pool.logged},
            "row_scopes": {group.scope for group in pool.logged},
            **_sold(pool),
        },
        matched_tokens=pool.quantity // MICRO if is_tokens else 0,
        lines=sum(group.line_count for group in pool.billed),
    )
    if is_tokens:
        kind = TOKEN_KINDS[pool.kind]
        tally.add_price(gap_class, kind, pool.quantity, pool.money.unblended, listed)
