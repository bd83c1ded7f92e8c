"""Exact division of integers: the parts always add up to the whole (largest remainder)."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import cast


def spread(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Divide ``total`` in proportion to ``weights``; every part is within 1 of its exact share.

    What flooring leaves over goes by ones to the largest remainders, ties to the lower
    index. ``spread(-t, w)`` is the negative of ``spread(t, w)``, so that a reversal undoes a
    charge part by part. Where all weights are zero, everything falls on the first part.

    Raises ValueError for a negative weight, or for no weights where there is an amount.
    """
    if not weights:
        if total:
            raise ValueError("nothing to spread an amount over")
        return []
    integers = _integers(weights)
    if min(integers) < 0:
        raise ValueError("a weight is negative")
    whole = sum(integers)
    if len(integers) == 1 or not whole:
        return [total] + [0] * (len(integers) - 1)
    if total == whole:
        return list(integers)
    return apportion(total, [total * weight for weight in integers], whole)


def apportion(total: int, numerators: Sequence[int], denominator: int) -> list[int]:
    """Round the exact shares ``numerator / denominator`` so that they add up to ``total``.

    ``total`` must be the sum of the shares or the integer next to it, and ``denominator``
    positive. Shares may differ in sign. Raises ValueError where ``total`` is further away.
    """
    if total < 0:
        return [-part for part in apportion(-total, [-n for n in numerators], denominator)]
    parts = [numerator // denominator for numerator in numerators]
    missing = total - sum(parts)
    if not 0 <= missing <= len(parts):
        raise ValueError(f"shares do not add up to {total}")
    if missing:
        rests = [numerator % denominator for numerator in numerators]
        # A reversed sort keeps equal remainders in their order: ties go to the lower index.
        for index in sorted(range(len(rests)), key=rests.__getitem__, reverse=True)[:missing]:
            parts[index] += 1
    return parts


def _integers(weights: Sequence[int | Fraction]) -> Sequence[int]:
    """The weights over one common denominator."""
    if set(map(type, weights)) == {int}:
        return cast("Sequence[int]", weights)
    scale = lcm(*{weight.denominator for weight in weights})
    return [weight.numerator * (scale // weight.denominator) for weight in weights]
