"""Days worked out by hand: what no row explains, and what it is called."""

from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import (
    Cell,
    GapClass,
    LineClass,
    Money,
    Share,
)
from tests.domain.cost.reconciliation.days import (
    USD,
    attributed,
    classes,
    gap_of,
    left,
    line,
    row,
)

MILLION = 10**6


def test_tax_credit_and_refund_stay_apart_each_under_its_name() -> None:
    apart = {
        LineClass.TAX: 100,
        LineClass.CREDIT: -200,
        LineClass.REFUND: -300,
        LineClass.DISCOUNT: -50,
        LineClass.COMMITMENT: 700,
        LineClass.OUT_OF_SCOPE: 900,
    }
    lines = [line(nano, dim_id=900, line_class=c, kind=None) for c, nano in apart.items()]
    result = reconcile_day([line(3 * USD, MILLION), *lines], [row(MILLION, 3 * USD)])
    for line_class, nano in apart.items():
        assert left(result, Share(line_class.value)) == {900: nano}
        assert classes(result)[GapClass(line_class.value)] == nano
    assert attributed(result) == {(1, 0): 3 * USD}
    (cell,) = result.cells
    assert cell.billed.unblended == 3 * USD + sum(apart.values())
    assert cell.attributed.unblended == 3 * USD


def test_a_tax_line_does_not_count_its_tokens_again() -> None:
    tax = line(300_000_000, MILLION, line_class=LineClass.TAX)
    (cell,) = reconcile_day([line(3 * USD, MILLION), tax], []).cells
    assert cell.billed_tokens == MILLION


def test_usage_in_another_currency_is_shown_apart_from_the_rows() -> None:
    result = reconcile_day([line(3 * USD, MILLION, currency="EUR")], [row(MILLION, 3 * USD)])
    assert left(result, Share.OTHER_CURRENCY) == {900: 3 * USD}
    euros, dollars = sorted(result.cells, key=lambda cell: cell.currency)
    assert (euros.currency, euros.estimate_nano, euros.requests) == ("EUR", 0, 0)
    assert (dollars.currency, dollars.billed, dollars.estimate_nano) == ("USD", Money(), 3 * USD)
    assert gap_of(result, GapClass.OTHER_CURRENCY).money == Money.same(3 * USD)
    assert gap_of(result, GapClass.EXCESS).currency == "USD"


def test_the_remainder_stays_on_each_line_in_proportion_to_its_own_money() -> None:
    result = reconcile_day(
        [line(10, 10, dim_id=900), line(5, 5, dim_id=901), line(-3, -3, dim_id=902)],
        [row(4, 4, requests=0)],
    )
    assert attributed(result) == {(1, 0): 4}
    assert left(result) == {900: 7, 901: 3, 902: -2}


def test_nothing_is_matched_with_a_correction() -> None:
    result = reconcile_day([line(-5, -10)], [row(10, 5)])
    assert left(result) == {900: -5}
    assert classes(result) == {GapClass.UNLOGGED: -5, GapClass.EXCESS: -5}
    assert "hints" not in gap_of(result, GapClass.UNLOGGED).evidence


def test_a_place_without_rows_or_without_a_model_says_so() -> None:
    nameless = Cell("111122223333", "us-east-1", "")
    silent = reconcile_day([line(USD, 100)], [])
    assert gap_of(silent, GapClass.UNLOGGED).evidence["hints"] == "no_rows"
    unknown = reconcile_day([line(USD, 100, cell=nameless, kind=None, unit="hours")], [])
    assert gap_of(unknown, GapClass.UNLOGGED).evidence["hints"] == (
        "no_rows,not_by_token,unknown_model"
    )
