"""The explained share of a place is of its usage, by the grain that explains it."""

from fractions import Fraction

import pytest
from hypothesis import given, settings

from tensorcost.domain.cost.reconciliation.coverage import Coverage, coverage, share_shown
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import Basis, LineClass, Money
from tensorcost.domain.spend.facts import Grain
from tests.domain.cost.reconciliation.days import CELL, USD, line, row
from tests.domain.cost.reconciliation.worlds import World, worlds

WEST = CELL._replace(region="us-west-2")
OTHER_MODEL = CELL._replace(model_id="amazon.nova-pro-v1:0")


def test_a_place_is_explained_by_requests_before_metrics_and_the_rest_is_unlogged() -> None:
    result = reconcile_day(
        [
            line(3 * USD, 1_000),
            line(USD, 1_000, cell=OTHER_MODEL),
            line(5 * USD, 1_000, cell=WEST),
            line(USD, line_class=LineClass.TAX, kind=None),
            line(USD, 1_000, currency="EUR"),
        ],
        [row(500, 1, dim_id=1), row(1_000, 1, dim_id=2, cell=OTHER_MODEL, grain=Grain.METRIC)],
    )
    east, west = coverage(result.cells, result.gaps)
    assert east == Coverage(
        "111122223333", "us-east-1", 1_500_000_000, 1_000_000_000, 1_500_000_000
    )
    assert east.billed == 4 * USD
    assert east.explained == Fraction(5, 8)
    assert east.explained_by_request == Fraction(3, 8)
    assert (west.region, west.unlogged) == ("us-west-2", 5 * USD)
    assert west.explained == 0


def test_another_basis_gives_another_share() -> None:
    result = reconcile_day(
        [line(Money(4, 4, 2), 4), line(Money(4, 4, 4), 4, cell=OTHER_MODEL)], [row(4, 4)]
    )
    (place,) = coverage(result.cells, result.gaps, Basis.NET)
    assert place.explained == Fraction(1, 3)


def test_where_nothing_is_billed_there_is_no_share() -> None:
    result = reconcile_day([], [row(4, 4)])
    (place,) = coverage(result.cells, result.gaps)
    assert place.explained is None


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "None"),
        (Fraction(0), "0.000000"),
        (Fraction(1, 3), "0.333333"),
        (Fraction(10**9 - 1, 10**9), "0.999999"),
        (Fraction(1), "1.000000"),
    ],
)
def test_a_share_is_shown_as_everything_only_where_it_is(
    share: Fraction | None, shown: str
) -> None:
    assert str(share_shown(share)) == shown


def test_a_correction_does_not_push_the_share_past_the_whole() -> None:
    result = reconcile_day([line(10, 10), line(-4, 0, kind=None)], [row(10, 10)])
    (place,) = coverage(result.cells, result.gaps)
    assert place.billed == 6
    assert place.explained == 1


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_coverage_counts_every_dollar_of_usage_once(world: World) -> None:
    billed, logged = world
    result = reconcile_day(billed, logged)
    total = sum(
        b.money.unblended for b in billed if b.line_class is LineClass.USAGE and b.currency == "USD"
    )
    assert sum(place.billed for place in coverage(result.cells, result.gaps)) == total
