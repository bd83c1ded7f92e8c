"""Amount columns as exact decimals: never a float on the way, half-even once at the end.

A value counts by its shortest decimal form: CSV text as it stands, a Parquet double as it would
be printed.
"""

from dataclasses import dataclass
from decimal import ROUND_05UP, Context, Decimal, InvalidOperation
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tensorcost.domain.money import INT64_MAX
from tensorcost.providers.bedrock.cur_codes import Int64, Mask, text_codes

NARROW: Final = pa.decimal128(38, 28)
WIDE: Final = pa.decimal256(70, 40)
"""Places for any double that is an amount of money; the narrow one does for nearly all."""
LARGEST: Final = Decimal(INT64_MAX).scaleb(-9)
_TOO_LARGE: Final = 1e10
_SMALLEST_STEP: Final = Decimal(1).scaleb(-40)
_CONTEXT: Final = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Exact:
    """One column: decimals, NULL where a cell is empty or ``bad``."""

    values: pa.Array
    present: Mask
    """Neither empty nor bad."""
    bad: Mask
    """Not a number, or not an amount of money or usage."""


def read_exact(column: pa.Array) -> Exact:
    """The amounts of a text, integer, floating or decimal column."""
    texts = _texts(column)
    filled = texts.is_valid().to_numpy(zero_copy_only=False)
    values = _cast(texts)
    if values is None:
        values = _one_by_one(texts)
    else:
        bounds = pc.min_max(values)
        if pc.greater(bounds["max"], _bound(values)).as_py() or (
            pc.less(bounds["min"], pc.negate(_bound(values))).as_py()
        ):
            fits = pc.less_equal(pc.abs(values), _bound(values))
            values = pc.if_else(fits, values, pa.scalar(None, values.type))
    present = values.is_valid().to_numpy(zero_copy_only=False)
    return Exact(values, present, filled & ~present)


def widened(values: pa.Array) -> pa.Array:
    """In the type in which sums of any amounts fit."""
    return values.cast(WIDE)


def to_integers(values: pa.Array, digits: int) -> tuple[Int64, Mask]:
    """(amounts times 10^digits, rounded half-even; which pass 64 bits). NULLs are 0.

    ``digits`` must be at most 28, so that nothing is lost but by rounding.
    """
    rounded = pc.round(values, ndigits=digits, round_mode="half_to_even")
    kind = pa.decimal128 if pa.types.is_decimal128(values.type) else pa.decimal256
    scaled = rounded.fill_null(Decimal(0)).cast(kind(values.type.precision, digits))
    words = scaled.type.byte_width // 8
    end = scaled.offset + len(scaled)
    raw = np.frombuffer(scaled.buffers()[1], dtype="<i8", count=end * words).reshape(-1, words)
    raw = raw[scaled.offset :]
    low = raw[:, 0]
    passes = (raw[:, 1:] != (low >> 63)[:, None]).any(axis=1) | (low == -INT64_MAX - 1)
    return np.where(passes, 0, low), passes


def _texts(column: pa.Array) -> pa.Array:
    """The shortest decimal forms; NULL where a cell is empty."""
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
    texts = column.cast(pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _cast(texts: pa.Array) -> pa.Array | None:
    """NULL for what is out of range by far; None where a text is no plain number."""
    try:
        # Arrow's cast to a decimal does not refuse every text that is too large for it: some
        # come out as another number. Sizes are only compared here, amounts never come of them.
        fits = pc.less(pc.abs(texts.cast(pa.float64())), _TOO_LARGE)
        texts = pc.if_else(fits, texts, pa.scalar(None, pa.string()))
    except pa.ArrowInvalid:
        return None
    for kind in (NARROW, WIDE):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return None


def _bound(values: pa.Array) -> pa.Scalar:
    return pa.scalar(LARGEST, values.type)


def _one_by_one(texts: pa.Array) -> pa.Array:
    found = text_codes(texts, len(texts))
    values = pa.array([_decimal(text) for text in found.values], WIDE)
    return values.take(pa.array(found.codes))


def _decimal(text: str) -> Decimal | None:
    """None for what is no amount. Digits beyond the type's places count as more than none, so
    that what is rounded later is rounded as the whole number would be."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    if not amount.is_finite() or abs(amount) > LARGEST:
        return None
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -40:
        return amount
    return amount.quantize(_SMALLEST_STEP, rounding=ROUND_05UP, context=_CONTEXT)
