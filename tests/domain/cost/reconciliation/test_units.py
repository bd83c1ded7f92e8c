"""What is not sold by the token goes to the rows that can have caused it, whole."""

from dataclasses import replace

from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import Billed, GapClass, Logged
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tests.domain.cost.reconciliation.days import (
    USD,
    attributed,
    classes,
    gap_of,
    left,
    line,
    row,
)

PROVISIONED = ServiceTier.PROVISIONED


def hours(nano: int, tier: ServiceTier = PROVISIONED) -> Billed:
    return line(nano, 24, kind=None, unit="hours", service_tier=tier)


def images(nano: int, **parts: object) -> Billed:
    return line(nano, 10, kind=None, unit="images", **parts)


def pictures(requests: int, estimate: int, **parts: object) -> Logged:
    return row({}, estimate, requests=requests, **parts)


def test_hours_of_capacity_go_to_its_rows_by_tokens() -> None:
    rows = [
        row(n, 0, dim_id=n, service_tier=PROVISIONED, unpriced_requests=1, rates={})
        for n in (100, 300)
    ]
    result = reconcile_day([hours(40 * USD)], rows)
    assert attributed(result) == {(100, 0): 10 * USD, (300, 0): 30 * USD}
    assert classes(result) == {GapClass.UNPRICED: 40 * USD}


def test_hours_of_capacity_are_held_against_the_estimate_of_its_rows() -> None:
    result = reconcile_day([hours(40 * USD)], [row(100, 50 * USD, service_tier=PROVISIONED)])
    assert attributed(result) == {(1, 0): 40 * USD}
    assert classes(result) == {GapClass.PRICE_DRIFT: -10 * USD}


def test_reserved_capacity_is_paid_by_the_hour_as_well() -> None:
    reserved = ServiceTier.RESERVED
    result = reconcile_day([hours(8 * USD, reserved)], [row(5, 8 * USD, service_tier=reserved)])
    assert attributed(result) == {(1, 0): 8 * USD}
    assert not result.gaps


def test_idle_capacity_is_unlogged_even_beside_other_rows() -> None:
    result = reconcile_day([hours(40 * USD)], [row(100, 300)])
    assert left(result) == {900: 40 * USD}
    evidence = gap_of(result, GapClass.UNLOGGED).evidence
    assert (evidence["hints"], evidence["units"]) == ("not_by_token", "hours")


def test_images_go_to_rows_without_tokens_by_estimate() -> None:
    result = reconcile_day(
        [images(4 * USD)],
        [
            pictures(9, USD, dim_id=1),
            pictures(1, 3 * USD, dim_id=2),
            row(100, 300_000, dim_id=3),
        ],
    )
    assert attributed(result) == {(1, 0): USD, (2, 0): 3 * USD}
    assert classes(result) == {GapClass.EXCESS: -300_000}


def test_images_without_an_estimate_are_shared_by_requests() -> None:
    result = reconcile_day(
        [images(4 * USD)],
        [
            pictures(3, 0, dim_id=1, unpriced_requests=3),
            pictures(1, USD, dim_id=2),
        ],
    )
    assert attributed(result) == {(1, 0): 3 * USD, (2, 0): USD}
    assert classes(result) == {GapClass.UNPRICED: 3 * USD}


def test_failed_calls_use_nothing_and_are_given_nothing() -> None:
    result = reconcile_day([images(4 * USD)], [pictures(50, 0)])
    assert not attributed(result)
    assert left(result) == {900: 4 * USD}


def test_images_of_a_batch_never_take_rows_of_another_tier() -> None:
    batch = images(4 * USD, service_tier=ServiceTier.BATCH)
    assert not attributed(reconcile_day([batch], [pictures(1, USD)]))
    logged = [pictures(1, 4 * USD, service_tier=ServiceTier.BATCH)]
    assert attributed(reconcile_day([batch], logged)) == {(1, 0): 4 * USD}


def test_the_bill_may_name_another_scope_or_tier_for_units_too() -> None:
    scope = [pictures(1, 3 * USD, routing_scope=RoutingScope.GLOBAL)]
    assert classes(reconcile_day([images(4 * USD)], scope)) == {GapClass.SCOPE: USD}
    tier = [pictures(1, 3 * USD, service_tier=ServiceTier.PRIORITY)]
    assert classes(reconcile_day([images(4 * USD)], tier)) == {GapClass.TIER: USD}


def test_two_units_of_one_meter_are_held_against_the_estimate_once() -> None:
    seconds = replace(images(USD), unit="seconds")
    result = reconcile_day([images(4 * USD), seconds], [pictures(1, 3 * USD)])
    assert attributed(result) == {(1, 0): 5 * USD}
    assert classes(result) == {GapClass.PRICE_DRIFT: 2 * USD}


def test_rows_whose_units_nobody_billed_are_excess() -> None:
    result = reconcile_day([], [pictures(2, USD)])
    assert classes(result) == {GapClass.EXCESS: -USD}
