"""Money is exact, and there is one rounding rule."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.money import (
    INT64_MAX,
    decimal_from_nano,
    divide_half_even,
    format_nano,
    nano_from_decimal,
)

nanos = st.integers(min_value=-INT64_MAX, max_value=INT64_MAX)


@given(nanos)
def test_a_nano_amount_survives_the_way_to_decimal_and_back(nano: int) -> None:
    assert nano_from_decimal(decimal_from_nano(nano)) == nano
    assert nano_from_decimal(Decimal(format_nano(nano))) == nano


@given(nanos)
def test_text_is_plain_and_has_nine_places(nano: int) -> None:
    text = format_nano(nano)
    assert "E" not in text
    assert len(text.split(".")[1]) == 9


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=12))
def test_amounts_are_rounded_half_to_even(amount: Decimal) -> None:
    expected = (amount * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    assert nano_from_decimal(amount) == int(expected)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1e30"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"amount"):
        nano_from_decimal(Decimal(amount))


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_division_rounds_as_exact_fractions_do(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_division_by_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        divide_half_even(1, 0)
