"""Rows of a bill that are read together: what is known of each, and the numbers of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.money import INT64_MAX
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.cur_amounts import (
    RESERVATION_FEE,
    SPREADS,
    USAGE,
    Amounts,
    Spread,
    Views,
)
from tensorcost.providers.bedrock.cur_codes import Codes, Int64, Mask, pair_codes, text_codes
from tensorcost.providers.bedrock.cur_exact import to_integers
from tensorcost.providers.bedrock.cur_patterns import TAG_COLUMNS, Kind, may_name_model
from tensorcost.providers.bedrock.cur_problems import Problems
from tensorcost.providers.bedrock.cur_table import Rows

TAG: Final = "tag:"
"""Before the name of a column of one tag."""
_NANO_DIGITS: Final = 9
_MICRO_DIGITS: Final = 6
_MOST_DIGITS: Final = 18
_EXACT: Final = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of the file that are read together, and what is known of each."""

    rows: Rows
    before: int
    """Rows of the file before these."""
    keys: Sequence[Codes]
    kinds: Sequence[Kind]
    kind: Int64
    start_us: Int64
    amounts: Amounts
    problems: Problems

    @property
    def in_scope(self) -> Mask:
        scoped = [kind.usage.in_scope for kind in self.kinds]
        return np.array(scoped, dtype=np.bool_)[self.kind]


def product_names(rows: Rows, products: Codes) -> Codes:
    """The product's name, from the map of products where it has no column of its own."""
    names = text_codes(rows.columns.get("product_product_name"), rows.count)
    if "product" not in rows.columns:
        return names
    nameless = np.flatnonzero(products.where(may_name_model) & names.where(lambda name: not name))
    if not len(nameless):
        return names
    pairs = pair_codes(rows.columns["product"].take(pa.array(nameless)), len(nameless))
    found = [dict(one).get("product_name", "") for one in pairs.values]
    codes = names.codes.copy()
    codes[nameless] = len(names.values) + pairs.codes
    return Codes([*names.values, *found], codes)


def spreads_of(run: Run) -> dict[Spread, Int64]:
    """The rows of each way to spread amounts."""
    found: dict[Spread, list[int]] = {}
    for index, kind in enumerate(run.kinds):
        found.setdefault(kind.spread, []).append(index)
    rows = {spread: np.isin(run.kind, kinds) for spread, kinds in found.items()}
    fees = run.keys[0].where(lambda item: item == "Fee")
    if fees.any():
        reservations = text_codes(
            run.rows.columns.get("reservation_reservation_a_r_n"), run.rows.count
        )
        moved = fees & reservations.where(bool)
        rows = {spread: mask & ~moved for spread, mask in rows.items()}
        fee = SPREADS[RESERVATION_FEE]
        rows[fee] = rows.get(fee, np.zeros(run.rows.count, dtype=np.bool_)) | moved
    return {spread: np.flatnonzero(mask) for spread, mask in rows.items() if mask.any()}


def quantities_of(run: Run, rows: Int64) -> Int64:
    """Millionths of each row's unit; 0 for rows that are not among ``rows``."""
    quantity = np.zeros(run.rows.count, dtype=np.int64)
    values = run.amounts.column(USAGE).values
    scales = np.array([kind.usage.scale for kind in run.kinds], dtype=object)[run.kind[rows]]
    for scale in set(scales.tolist()):
        of_scale = rows[scales == scale]
        taken = values.take(pa.array(of_scale))
        digits = _MICRO_DIGITS + len(str(scale)) - 1
        if digits <= _MOST_DIGITS and scale == 10 ** (digits - _MICRO_DIGITS):
            found, passes = to_integers(taken, digits)
        else:
            found, passes = _scaled(taken.to_pylist(), scale)
        quantity[of_scale] = found
        run.problems.note(of_scale[passes], RejectReason.BAD_AMOUNT, "usage amount out of range")
    return quantity


def _scaled(amounts: Sequence[Decimal | None], scale: int) -> tuple[Int64, Mask]:
    """The same as ``to_integers`` for a scale that is no power of ten."""
    found, passes = np.zeros(len(amounts), dtype=np.int64), np.zeros(len(amounts), dtype=np.bool_)
    for index, amount in enumerate(amounts):
        exact = _EXACT.multiply(amount or Decimal(0), Decimal(scale * 10**_MICRO_DIGITS))
        micro = int(exact.to_integral_value(ROUND_HALF_EVEN, context=_EXACT))
        passes[index] = abs(micro) > INT64_MAX
        found[index] = 0 if passes[index] else micro
    return found, passes


def integers_of(views: Views, problems: Problems) -> tuple[Int64, Int64, Int64]:
    """Nano-units of the three bases; rows whose sums pass 64 bits are a problem."""
    known: dict[int, Int64] = {}
    for amounts in (views.unblended, views.amortized, views.net):
        if id(amounts) not in known:
            known[id(amounts)], passes = to_integers(amounts, _NANO_DIGITS)
            problems.note(views.rows[passes], RejectReason.BAD_AMOUNT, "amount out of range")
    return known[id(views.unblended)], known[id(views.amortized)], known[id(views.net)]


def tag_columns(columns: dict[str, pa.Array], count: int) -> list[Codes]:
    """Pairs of tags by column: maps first, then columns of one tag each."""
    found = [pair_codes(columns.get(name), count) for name in TAG_COLUMNS]
    for name, column in columns.items():
        if name.startswith(TAG):
            key = name.removeprefix(TAG)
            texts = text_codes(column, count)
            pairs = [((key, text),) if text else () for text in texts.values]
            found.append(Codes(pairs, texts.codes))
    return found
