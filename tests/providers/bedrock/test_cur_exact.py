"""Amounts in columns are the decimals of their texts, whatever their size."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.money import INT64_MAX
from tensorcost.providers.bedrock.cur_exact import LARGEST, read_exact, to_integers

EXACT = Context(prec=400)
AMOUNT = st.decimals(-LARGEST, LARGEST).map(str) | st.floats(-9e9, 9e9).map(repr)


@given(st.lists(AMOUNT, min_size=1, max_size=9), st.integers(0, 18))
def test_amounts_are_rounded_once_half_even(texts: list[str], digits: int) -> None:
    column = read_exact(pa.array(texts))
    found, passes = to_integers(column.values, digits)
    scaled = [EXACT.scaleb(Decimal(text), digits) for text in texts]
    wanted = [int(one.to_integral_value(ROUND_HALF_EVEN, EXACT)) for one in scaled]
    assert not column.bad.any()
    assert passes.tolist() == [abs(number) > INT64_MAX for number in wanted]
    kept = zip(found.tolist(), wanted, passes.tolist(), strict=True)
    assert all(number == right for number, right, passed in kept if not passed)


@pytest.mark.parametrize("exponent", [10, 11, 16, 28, 29, 30, 35, 37, 38, 40, 60, 76, 77, 400])
@pytest.mark.parametrize("other", ["1", f"0.{'1' * 35}", f"0.{'1' * 45}", "1_0"])
def test_no_number_is_too_large_to_be_refused(exponent: int, other: str) -> None:
    column = read_exact(pa.array([f"1.5e{exponent}", other, f"-7{'0' * exponent}"]))
    assert column.bad.tolist() == [True, False, True]
    assert column.present.tolist() == [False, True, False]


def test_empty_cells_are_no_amount_and_not_bad() -> None:
    column = read_exact(pa.array(["", None, "0"]))
    assert (column.bad.tolist(), column.present.tolist()) == ([False] * 3, [False, False, True])
    assert to_integers(column.values, 9)[0].tolist() == [0, 0, 0]
