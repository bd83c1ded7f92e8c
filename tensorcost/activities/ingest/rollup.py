"""Sums of a load by hour; storage adds the days.

Plain arrays: for the thousands of rows of a load a sort costs less than waking a data
frame's threads.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.cost.rates import Int64
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.storage.spend.rollups import HourlySums

_TOKENS: Final = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
_HOUR_US: Final = 3_600_000_000
_KEYS: Final = 4
_MERGE_AFTER: Final = 32
_NOTHING: Final = HourlySums(
    np.zeros((_KEYS, 0), dtype=np.int64), np.zeros((len(MEASURE_NAMES), 0), dtype=np.int64)
)


def sum_by_hour(
    batches: Sequence[pa.RecordBatch], *, keep: Sequence[bool] | None = None, sign: int = 1
) -> HourlySums:
    """Sums of the rows (those where ``keep`` is true), times ``sign``."""
    if not batches:
        return _NOTHING
    table = pa.Table.from_batches(batches)
    if keep is not None:
        table = table.filter(pa.array(keep, pa.bool_()))
    sums = _summed(_keys(table), _measures(table))
    return HourlySums(sums.keys, sums.measures * sign)


class Rollup:
    """Accumulates hourly sums over the portions of one load; memory goes by keys, not rows."""

    def __init__(self) -> None:
        self._parts: list[HourlySums] = []

    def add(self, sums: HourlySums) -> None:
        """Add what ``sum_by_hour`` gave."""
        self._parts.append(sums)
        if len(self._parts) > _MERGE_AFTER:
            self._parts = [self.sums()]

    def sums(self) -> HourlySums:
        """Sums per (hour, dimension, actor, grain), sorted by them."""
        if not self._parts:
            return _NOTHING
        return _summed(
            np.concatenate([part.keys for part in self._parts], axis=1),
            np.concatenate([part.measures for part in self._parts], axis=1),
        )


def _summed(keys: Int64, measures: Iterable[Int64]) -> HourlySums:
    if not keys.shape[1]:
        return _NOTHING
    order = np.lexsort(keys[::-1])
    keys = keys[:, order]
    new = np.ones(keys.shape[1], dtype=np.bool_)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    starts = np.flatnonzero(new)
    sums = np.zeros((len(MEASURE_NAMES), len(starts)), dtype=np.int64)
    for into, values in zip(sums, measures, strict=True):
        # Most sources fill half of the measures.
        if values.any():
            np.add.reduceat(values[order], starts, out=into)
    return HourlySums(keys[:, starts], sums)


def _keys(table: pa.Table) -> Int64:
    hours = table.column("ts").cast(pa.int64()).to_numpy() // _HOUR_US
    return np.stack([hours, *(_values(table, name) for name in ("dim_id", "actor_id", "grain"))])


def _measures(table: pa.Table) -> list[Int64]:
    requests = _values(table, "requests")
    tokens = [_values(table, name) for name in _TOKENS]
    unpriced = table.column("cost_nano").is_null().to_numpy()
    failed = table.column("error_code").is_valid().to_numpy()
    return [
        requests,
        *tokens,
        _values(table, "quantity_micro"),
        _values(table, "cost_nano"),
        requests * unpriced,
        sum(tokens) * unpriced,
        requests * failed,
        _values(table, "latency_ms"),
        table.column("latency_ms").is_valid().to_numpy().astype(np.int64),
    ]


def _values(table: pa.Table, name: str) -> Int64:
    """A column's integers, 0 where NULL."""
    filled = table.column(name).fill_null(0).to_numpy()
    return np.asarray(filled, dtype=np.int64)
