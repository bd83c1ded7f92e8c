"""Exact money: integer nano-units of a currency at rest, Decimal at the edge, never float.

One rounding rule for the whole product: half to even, once, at the end of a calculation.
"""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import NewType

NanoUsd = NewType("NanoUsd", int)
"""10^-9 US dollars."""

NANO_PER_UNIT = 1_000_000_000
_NANO = Decimal(NANO_PER_UNIT)
_ONE = Decimal(1)
INT64_MAX = 2**63 - 1


def nano_from_decimal(amount: Decimal) -> int:
    """Convert an amount in whole currency units to nano-units, half-even.

    Raises ValueError for NaN, infinities and amounts outside a signed 64-bit integer.
    """
    if not amount.is_finite():
        raise ValueError(f"amount is not a number: {amount}")
    with localcontext() as ctx:
        ctx.prec = 60
        nano = int((amount * _NANO).quantize(_ONE, rounding=ROUND_HALF_EVEN))
    if abs(nano) > INT64_MAX:
        raise ValueError(f"amount out of range: {amount}")
    return nano


def decimal_from_nano(nano: int) -> Decimal:
    """The exact Decimal of a nano amount in whole currency units."""
    return Decimal(nano).scaleb(-9)


def format_nano(nano: int) -> str:
    """Plain decimal string with nine places, never in exponent form: ``-0.000000001``."""
    sign = "-" if nano < 0 else ""
    whole, frac = divmod(abs(nano), NANO_PER_UNIT)
    return f"{sign}{whole}.{frac:09d}"


def divide_half_even(numerator: int, denominator: int) -> int:
    """Integer division rounded half to even; ``denominator`` must be positive."""
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    quotient, remainder = divmod(numerator, denominator)
    double = 2 * remainder
    if double > denominator or (double == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient
