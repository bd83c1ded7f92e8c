"""What holds for every day whatever was billed and logged: nothing is lost or made up."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.content import content_hash
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import (
    CellSum,
    LineClass,
    Money,
    Share,
)
from tests.domain.cost.reconciliation.worlds import World, money, true_worlds, worlds

BASES = range(3)
many = settings(max_examples=80, deadline=None)


def sums(amounts: Iterable[tuple[Hashable, Money]]) -> dict[tuple[Hashable, int], int]:
    """Nano by key and basis, without zeros."""
    found: Counter[tuple[Hashable, int]] = Counter()
    for key, amount in amounts:
        for basis in BASES:
            found[key, basis] += amount[basis]
    return {key: nano for key, nano in found.items() if nano}


@given(worlds())
@many
def test_allocations_add_up_to_the_bill_in_every_currency_and_basis(world: World) -> None:
    billed, logged = world
    result = reconcile_day(billed, logged)
    assert sums((a.currency, a.money) for a in result.allocations) == sums(
        (b.currency, b.money) for b in billed
    )
    assert sums((c.currency, c.billed) for c in result.cells) == sums(
        (b.currency, b.money) for b in billed
    )


@given(true_worlds)
@many
def test_every_cell_keeps_its_own_money(world: World) -> None:
    billed, logged = world
    cells = {b.dim_id: b.cell for b in billed} | {r.dim_id: r.cell for r in logged}
    result = reconcile_day(billed, logged)
    allocated = sums(((cells[a.dim_id], a.currency), a.money) for a in result.allocations)
    assert allocated == sums(((b.cell, b.currency), b.money) for b in billed)
    given_to_rows = [a for a in result.allocations if a.share is Share.ATTRIBUTED]
    assert sums(((cells[a.dim_id], a.currency), a.money) for a in given_to_rows) == sums(
        ((c.cell, c.currency), c.attributed) for c in result.cells
    )


@given(worlds())
@many
def test_a_residual_stays_on_the_dimensions_of_its_own_lines(world: World) -> None:
    billed, logged = world
    result = reconcile_day(billed, logged)
    apart = [b for b in billed if b.line_class is not LineClass.USAGE]
    for share in Share:
        if share in (Share.ATTRIBUTED, Share.UNLOGGED, Share.OTHER_CURRENCY):
            continue
        expected = [b for b in apart if b.line_class.value == share.value]
        found = [a for a in result.allocations if a.share is share]
        assert all(a.actor_id == 0 for a in found)
        assert sums(((a.dim_id, a.currency), a.money) for a in found) == sums(
            ((b.dim_id, b.currency), b.money) for b in expected
        )


@given(worlds())
@many
def test_the_gaps_of_a_cell_add_up_to_billed_minus_estimate(world: World) -> None:
    result = reconcile_day(*world)

    def gap(cell: CellSum) -> Money:
        return cell.billed.minus(Money.same(cell.estimate_nano))

    assert sums(((g.cell, g.currency), g.money) for g in result.gaps) == sums(
        ((c.cell, c.currency), gap(c)) for c in result.cells
    )
    keys = [(g.cell, g.currency, g.gap_class) for g in result.gaps]
    assert len(keys) == len(set(keys))


@given(worlds(), st.data())
@many
def test_the_order_of_lines_and_rows_changes_nothing(world: World, data: st.DataObject) -> None:
    billed, logged = world
    first = reconcile_day(billed, logged)
    other = reconcile_day(data.draw(st.permutations(billed)), data.draw(st.permutations(logged)))
    assert other == first
    assert content_hash(other) == content_hash(first)


@given(worlds(), st.integers(1, 3), money)
@many
def test_another_amount_has_another_hash(world: World, lines: int, more: Money) -> None:
    billed, logged = world
    if not billed or not any(more):
        return
    first = reconcile_day(billed, logged)
    changed = [replace(billed[0], money=billed[0].money.plus(more)), *billed[1:]]
    assert content_hash(reconcile_day(changed, logged)) != content_hash(first)


def positive(world: World) -> World:
    billed, logged = world
    return (
        [replace(b, money=Money(*map(abs, b.money)), quantity=abs(b.quantity)) for b in billed],
        logged,
    )


@given(worlds().map(positive))
@many
def test_rows_are_given_no_more_than_was_billed_and_nothing_negative(world: World) -> None:
    result = reconcile_day(*world)
    for cell in result.cells:
        assert all(0 <= cell.attributed[basis] <= cell.billed[basis] for basis in BASES)
    assert all(nano >= 0 for a in result.allocations for nano in a.money)


@given(true_worlds)
@many
def test_usage_without_a_price_is_on_the_bill_or_told(world: World) -> None:
    billed, logged = world
    sold = {b.cell for b in billed if b.line_class is LineClass.USAGE and not b.is_negation}
    unpriced = [row for row in logged if row.unpriced_requests > 0]
    finest = {r.cell: min(o.grain for o in logged if o.cell == r.cell) for r in logged}
    told = {found[:3] for found in reconcile_day(billed, logged).unpriced}
    assert told <= {(row.dim_id, row.actor_id, row.grain) for row in unpriced}
    assert told >= {
        (row.dim_id, row.actor_id, row.grain)
        for row in unpriced
        if row.cell not in sold and row.grain is finest[row.cell]
    }


@given(true_worlds)
@many
def test_only_the_finest_grain_of_a_cell_is_given_money(world: World) -> None:
    billed, logged = world
    cells = {item.dim_id: item.cell for item in logged}
    finest = {r.cell: min(o.grain for o in logged if o.cell == r.cell) for r in logged}
    for found in reconcile_day(billed, logged).allocations:
        if found.share is Share.ATTRIBUTED:
            assert found.grain is finest[cells[found.dim_id]]
