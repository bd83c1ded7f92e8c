"""Parts add up to the whole exactly, and each is within one of its exact share."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.spread import apportion, spread

totals = st.integers(-(10**30), 10**30)
weights = st.lists(
    st.one_of(st.integers(0, 10**24), st.fractions(0, 10**6)), min_size=1, max_size=30
)


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (10, [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)], [5, 3, 2]),
        (7, [0, 2, 0, 1], [0, 5, 0, 2]),
        (7, [0, 0], [7, 0]),
        (0, [3, 4], [0, 0]),
        (5, [0], [5]),
        (0, [], []),
    ],
)
def test_what_is_left_over_goes_to_the_largest_remainders(
    total: int, parts: list[int], expected: list[int]
) -> None:
    assert spread(total, parts) == expected


@given(totals, weights)
def test_parts_add_up_and_stay_within_one_of_their_share(
    total: int, given_weights: list[int | Fraction]
) -> None:
    parts = spread(total, given_weights)
    whole = sum(given_weights)
    assert sum(parts) == total
    if whole:
        assert all(
            abs(part - Fraction(total * weight) / whole) < 1
            for part, weight in zip(parts, given_weights, strict=True)
        )


@given(totals, weights)
def test_a_reversal_undoes_a_charge_part_by_part(
    total: int, given_weights: list[int | Fraction]
) -> None:
    assert spread(-total, given_weights) == [-part for part in spread(total, given_weights)]


@given(totals, st.data())
def test_the_order_of_the_weights_moves_no_part_by_more_than_a_tie(
    total: int, data: st.DataObject
) -> None:
    given_weights = data.draw(weights)
    order = data.draw(st.permutations(range(len(given_weights))))
    if not any(given_weights):
        return
    parts = spread(total, given_weights)
    moved = spread(total, [given_weights[index] for index in order])
    by_weight: dict[int | Fraction, list[int]] = {}
    by_weight_moved: dict[int | Fraction, list[int]] = {}
    for index, part in enumerate(parts):
        by_weight.setdefault(given_weights[index], []).append(part)
    for index, part in zip(order, moved, strict=True):
        by_weight_moved.setdefault(given_weights[index], []).append(part)
    remainders = {Fraction(total * w) / sum(given_weights) % 1 for w in by_weight}
    if len(remainders) == len(by_weight):
        assert {w: sorted(p) for w, p in by_weight.items()} == {
            w: sorted(p) for w, p in by_weight_moved.items()
        }
    assert all(abs(parts[index] - part) <= 1 for index, part in zip(order, moved, strict=True))


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20), st.integers(1, 10**9))
def test_shares_of_mixed_sign_are_rounded_to_either_neighbour_of_their_sum(
    numerators: list[int], denominator: int
) -> None:
    exact = Fraction(sum(numerators), denominator)
    for total in {exact.__floor__(), exact.__ceil__()}:
        parts = apportion(total, numerators, denominator)
        assert sum(parts) == total
        assert all(
            abs(part - Fraction(n, denominator)) <= 1
            for part, n in zip(parts, numerators, strict=True)
        )


def test_an_amount_needs_something_to_be_spread_over() -> None:
    with pytest.raises(ValueError, match="nothing to spread"):
        spread(1, [])


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        spread(5, [3, -1])


def test_a_total_that_the_shares_do_not_add_up_to_is_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        apportion(9, [1, 2], 1)
