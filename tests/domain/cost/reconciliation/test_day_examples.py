"""Days worked out by hand: what was billed, what was logged, where each dollar went.

Input tokens cost 3 dollars a million by the list, output tokens 15.
"""

from fractions import Fraction

import pytest

from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import (
    GapClass,
    Money,
    Share,
)
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier
from tests.domain.cost.reconciliation.days import (
    CELL,
    LIST,
    USD,
    attributed,
    classes,
    gap_of,
    left,
    line,
    row,
)

MILLION = 10**6


def test_a_bill_that_rows_explain_is_shared_by_what_each_of_them_used() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION)],
        [
            row(600_000, 1_800_000_000, dim_id=1),
            row(400_000, 1_200_000_000, dim_id=2, actor_id=7),
        ],
    )
    assert attributed(result) == {(1, 0): 1_800_000_000, (2, 7): 1_200_000_000}
    assert not left(result)
    assert not result.gaps
    (cell,) = result.cells
    assert (cell.billed_tokens, cell.logged_tokens, cell.requests, cell.lines) == (
        MILLION,
        MILLION,
        2,
        1,
    )
    assert cell.billed == cell.attributed == Money.same(cell.estimate_nano)


def test_a_quarter_logged_is_a_quarter_attributed() -> None:
    result = reconcile_day([line(3 * USD, MILLION)], [row(250_000, 750_000_000)])
    assert attributed(result) == {(1, 0): 750_000_000}
    assert left(result) == {900: 2_250_000_000}
    assert classes(result) == {GapClass.UNLOGGED: 2_250_000_000}
    assert gap_of(result, GapClass.UNLOGGED).evidence == {
        "bill_scopes": "in_region",
        "bill_tiers": "standard",
        "billed_tokens": MILLION,
        "hints": "fewer_rows",
        "kinds": "input",
        "lines": 1,
        "logged_tokens": 250_000,
        "rows": 1,
        "unmatched_tokens": 750_000,
    }


def test_tokens_beyond_the_bill_are_excess_and_carry_no_money() -> None:
    result = reconcile_day([line(3 * USD, MILLION)], [row(1_250_000, 3_750_000_000)])
    assert attributed(result) == {(1, 0): 3 * USD}
    assert classes(result) == {GapClass.EXCESS: -750_000_000}
    assert gap_of(result, GapClass.EXCESS).evidence["unmatched_tokens"] == 250_000


def test_rows_without_a_bill_are_all_excess() -> None:
    result = reconcile_day([], [row(MILLION, 3 * USD)])
    assert not result.allocations
    assert classes(result) == {GapClass.EXCESS: -3 * USD}
    (cell,) = result.cells
    assert (cell.lines, cell.billed, cell.estimate_nano) == (0, Money(), 3 * USD)


def test_a_negotiated_price_is_drift_and_the_bases_drift_apart() -> None:
    result = reconcile_day(
        [line(Money(3 * USD, 3 * USD, 2_700_000_000), MILLION)], [row(MILLION, 3 * USD)]
    )
    drift = gap_of(result, GapClass.PRICE_DRIFT)
    assert drift.money == Money(0, 0, -300_000_000)
    result = reconcile_day([line(2_850_000_000, MILLION)], [row(MILLION, 3 * USD)])
    drift = gap_of(result, GapClass.PRICE_DRIFT)
    assert drift.money == Money.same(-150_000_000)
    assert drift.evidence["implied_nano_per_million.input"] == 2_850_000_000
    assert drift.evidence["list_nano_per_million.input"] == 3_000_000_000


def test_a_nano_for_each_request_and_line_is_rounding() -> None:
    result = reconcile_day([line(3 * USD + 3, MILLION)], [row(MILLION, 3 * USD, requests=2)])
    assert classes(result) == {GapClass.ROUNDING: 3}
    result = reconcile_day([line(3 * USD + 4, MILLION)], [row(MILLION, 3 * USD, requests=2)])
    assert classes(result) == {GapClass.PRICE_DRIFT: 4}


def test_each_kind_is_matched_by_its_own_tokens() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION), line(15 * USD, MILLION, kind=TokenKind.OUTPUT)],
        [
            row({TokenKind.INPUT: MILLION, TokenKind.OUTPUT: 200_000}, 6 * USD, dim_id=1),
            row({TokenKind.OUTPUT: 300_000}, 4_500_000_000, dim_id=2),
        ],
    )
    assert attributed(result) == {(1, 0): 6 * USD, (2, 0): 4_500_000_000}
    assert left(result) == {900: 7_500_000_000}
    assert gap_of(result, GapClass.UNLOGGED).evidence["kinds"] == "output"


def test_long_context_is_given_more_of_a_line_that_mixes_both() -> None:
    double = {TokenKind.INPUT: Fraction(6_000)}
    result = reconcile_day(
        [line(9 * USD, 2 * MILLION)],
        [row(MILLION, 3 * USD, dim_id=1), row(MILLION, 6 * USD, dim_id=2, rates=double)],
    )
    assert attributed(result) == {(1, 0): 3 * USD, (2, 0): 6 * USD}
    assert not result.gaps


def test_geographic_rows_are_billed_as_their_region_where_the_bill_names_no_scope() -> None:
    dearer = {TokenKind.INPUT: Fraction(3_300)}
    result = reconcile_day(
        [line(6 * USD, 2 * MILLION)],
        [
            row(MILLION, 3_300_000_000, dim_id=1, routing_scope=RoutingScope.GEO, rates=dearer),
            row(MILLION, 3 * USD, dim_id=2),
        ],
    )
    assert sum(attributed(result).values()) == 6 * USD
    assert classes(result) == {GapClass.PRICE_DRIFT: -300_000_000}
    assert gap_of(result, GapClass.PRICE_DRIFT).evidence["row_scopes"] == "geo,in_region"


def test_rows_beyond_the_bill_are_left_over_of_both_scopes_alike() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION)],
        [
            row(MILLION, 3 * USD, dim_id=1, routing_scope=RoutingScope.GEO),
            row(MILLION, 3 * USD, dim_id=2),
        ],
    )
    assert attributed(result) == {(1, 0): 1_500_000_000, (2, 0): 1_500_000_000}
    assert classes(result) == {GapClass.EXCESS: -3 * USD}


def test_geographic_rows_take_the_line_that_names_their_scope() -> None:
    result = reconcile_day(
        [
            line(3 * USD, MILLION, dim_id=900),
            line(4 * USD, MILLION, dim_id=901, routing_scope=RoutingScope.GEO),
        ],
        [row(MILLION, 3 * USD, routing_scope=RoutingScope.GEO)],
    )
    assert attributed(result) == {(1, 0): 4 * USD}
    assert left(result) == {900: 3 * USD}


def test_global_rows_explain_an_in_region_line_and_the_difference_is_scope() -> None:
    cheaper = {TokenKind.INPUT: Fraction(2_700)}
    result = reconcile_day(
        [line(3 * USD, MILLION)],
        [row(MILLION, 2_700_000_000, routing_scope=RoutingScope.GLOBAL, rates=cheaper)],
    )
    assert attributed(result) == {(1, 0): 3 * USD}
    assert classes(result) == {GapClass.SCOPE: 300_000_000}
    evidence = gap_of(result, GapClass.SCOPE).evidence
    assert (evidence["bill_scopes"], evidence["row_scopes"]) == ("in_region", "global")


def test_a_tier_that_only_the_bill_names_is_told_as_such() -> None:
    result = reconcile_day(
        [line(1_500_000_000, MILLION, service_tier=ServiceTier.FLEX)], [row(MILLION, 3 * USD)]
    )
    assert attributed(result) == {(1, 0): 1_500_000_000}
    assert classes(result) == {GapClass.TIER: -1_500_000_000}
    evidence = gap_of(result, GapClass.TIER).evidence
    assert (evidence["bill_tiers"], evidence["row_tiers"]) == ("flex", "standard")


def test_rows_go_to_their_own_scope_and_tier_before_any_other() -> None:
    result = reconcile_day(
        [
            line(3 * USD, MILLION, dim_id=900),
            line(4 * USD, MILLION, dim_id=901, routing_scope=RoutingScope.GEO),
            line(6 * USD, MILLION, dim_id=902, service_tier=ServiceTier.PRIORITY),
        ],
        [
            row(MILLION, 3 * USD, dim_id=1),
            row(MILLION, 3 * USD, dim_id=2, routing_scope=RoutingScope.GLOBAL),
        ],
    )
    assert attributed(result) == {(1, 0): 3 * USD, (2, 0): 4 * USD}
    assert left(result) == {902: 6 * USD}
    assert classes(result) == {GapClass.SCOPE: USD, GapClass.UNLOGGED: 6 * USD}


def test_what_is_left_is_matched_in_proportion() -> None:
    result = reconcile_day(
        [
            line(30, 30, dim_id=900),
            line(120, 60, dim_id=901, routing_scope=RoutingScope.GEO),
        ],
        [row(45, 0, routing_scope=RoutingScope.GLOBAL, rates={})],
    )
    assert attributed(result) == {(1, 0): 15 + 60}
    assert left(result) == {900: 15, 901: 60}


def test_a_row_counts_in_the_next_step_with_what_it_has_left() -> None:
    result = reconcile_day(
        [
            line(300, 100, dim_id=900),
            line(400, 100, dim_id=901, routing_scope=RoutingScope.GEO),
        ],
        [
            row(150, 450, dim_id=1, requests=0),
            row(50, 150, dim_id=2, requests=0, routing_scope=RoutingScope.GLOBAL),
        ],
    )
    assert attributed(result) == {(1, 0): 300 + 200, (2, 0): 200}
    assert classes(result) == {GapClass.SCOPE: 100}


def test_equal_rows_and_lines_share_an_odd_nano_in_the_order_of_their_dimensions() -> None:
    lines = [line(7, 7, dim_id=901), line(7, 7, dim_id=900)]
    rows = [row(1, 1, dim_id=dim_id) for dim_id in (3, 1, 2)]
    for billed in (lines, lines[::-1]):
        assert left(reconcile_day(billed, rows)) == {900: 6, 901: 5}
    for logged in (rows, rows[::-1]):
        shares = attributed(reconcile_day([line(4, 3)], logged))
        assert shares == {(1, 0): 2, (2, 0): 1, (3, 0): 1}


def test_equal_groups_share_an_odd_part_of_a_token_in_the_order_of_their_names() -> None:
    tiers = (ServiceTier.UNKNOWN, ServiceTier.PRIORITY, ServiceTier.FLEX)
    lines = [line(MILLION, 1, dim_id=900 + n, service_tier=t) for n, t in enumerate(tiers)]
    for billed in (lines, lines[::-1]):
        assert left(reconcile_day(billed, [row(1)])) == {900: 666_667, 901: 666_667, 902: 666_666}


@pytest.mark.parametrize("tier", [ServiceTier.BATCH, ServiceTier.RESERVED, ServiceTier.PROVISIONED])
def test_tokens_of_a_tier_with_its_own_meter_never_take_rows_of_another(
    tier: ServiceTier,
) -> None:
    result = reconcile_day(
        [
            line(3 * USD, MILLION, dim_id=900),
            line(1_500_000_000, MILLION, dim_id=901, service_tier=tier),
        ],
        [row(1_500_000, 4_500_000_000)],
    )
    assert attributed(result) == {(1, 0): 3 * USD}
    assert left(result) == {901: 1_500_000_000}
    assert classes(result) == {
        GapClass.UNLOGGED: 1_500_000_000,
        GapClass.EXCESS: -1_500_000_000,
    }


def test_batch_is_named_as_never_logged() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION, service_tier=ServiceTier.BATCH)], [row(MILLION, 3 * USD)]
    )
    assert gap_of(result, GapClass.UNLOGGED).evidence["hints"] == "batch_not_logged"


def test_capacity_rows_are_not_on_a_line_by_the_token() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION)], [row(MILLION, 0, service_tier=ServiceTier.PROVISIONED, rates={})]
    )
    assert left(result) == {900: 3 * USD}
    assert not attributed(result)


def test_a_row_without_a_price_shares_by_tokens_and_its_money_is_unpriced() -> None:
    result = reconcile_day(
        [line(4 * USD, MILLION)],
        [
            row(750_000, 2_250_000_000, dim_id=1),
            row(250_000, 0, dim_id=2, unpriced_requests=1, rates={}),
        ],
    )
    assert attributed(result) == {(1, 0): 3 * USD, (2, 0): USD}
    assert classes(result) == {GapClass.UNPRICED: USD, GapClass.PRICE_DRIFT: 750_000_000}
    assert gap_of(result, GapClass.UNPRICED).evidence["unpriced_requests"] == 1


def test_only_the_finest_grain_counts_and_the_other_is_told() -> None:
    result = reconcile_day(
        [line(3 * USD, MILLION)],
        [
            row(500_000, 1_500_000_000, dim_id=1),
            row(MILLION, 3 * USD, dim_id=2, grain=Grain.METRIC),
        ],
    )
    assert attributed(result) == {(1, 0): 1_500_000_000}
    assert gap_of(result, GapClass.UNLOGGED).evidence["metered_tokens"] == MILLION
    (cell,) = result.cells
    assert (cell.grain, cell.estimate_nano) == (Grain.REQUEST, 1_500_000_000)


def test_metric_rows_are_given_money_where_there_are_no_others() -> None:
    result = reconcile_day([line(3 * USD, MILLION)], [row(MILLION, 3 * USD, grain=Grain.METRIC)])
    (allocation,) = result.allocations
    assert (allocation.grain, allocation.share) == (Grain.METRIC, Share.ATTRIBUTED)


def test_tokens_are_not_moved_between_cells() -> None:
    elsewhere = CELL._replace(region="eu-west-1")
    result = reconcile_day([line(3 * USD, MILLION)], [row(MILLION, 3 * USD, cell=elsewhere)])
    assert left(result) == {900: 3 * USD}
    assert [cell.cell for cell in result.cells] == [elsewhere, CELL]


def test_an_estimate_is_split_over_kinds_to_the_last_nano() -> None:
    thirds = {TokenKind.INPUT: Fraction(1, 3), TokenKind.OUTPUT: Fraction(1, 3)}
    both = row({TokenKind.INPUT: 1, TokenKind.OUTPUT: 1}, 1, rates=thirds, requests=0)
    as_input = classes(reconcile_day([line(0, 1)], [both]))
    assert as_input == {GapClass.ROUNDING: -1, GapClass.EXCESS: 0}
    as_output = classes(reconcile_day([line(0, 1, kind=TokenKind.OUTPUT)], [both]))
    assert as_output == {GapClass.EXCESS: -1}


def test_an_estimate_is_split_over_kinds_by_list_price() -> None:
    both = row({TokenKind.INPUT: MILLION, TokenKind.OUTPUT: MILLION}, 18 * USD)
    result = reconcile_day([line(15 * USD, MILLION, kind=TokenKind.OUTPUT)], [both])
    assert classes(result) == {GapClass.EXCESS: -3 * USD}


def test_free_tokens_are_shared_by_tokens() -> None:
    free = {TokenKind.INPUT: Fraction(0)}
    result = reconcile_day(
        [line(100, 4)], [row(1, 0, dim_id=1, rates=free), row(3, 0, dim_id=2, rates=LIST)]
    )
    assert attributed(result) == {(2, 0): 100}
    result = reconcile_day(
        [line(100, 4)], [row(1, 0, dim_id=1, rates=free), row(3, 0, dim_id=2, rates=free)]
    )
    assert attributed(result) == {(1, 0): 25, (2, 0): 75}


def test_a_bill_line_among_the_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="bill line"):
        reconcile_day([], [row(1, 1, grain=Grain.BILL)])
