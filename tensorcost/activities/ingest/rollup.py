"""Sums of a load by hour; storage adds the days."""

from collections.abc import Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from tensorcost.storage.spend.rollups import MEASURES, HourlyRows

_KEY: Final = ["hour", "dim_id", "actor_id", "grain"]
_TOKENS: Final = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
_NEEDED: Final = [
    "ts",
    "dim_id",
    "actor_id",
    "grain",
    "requests",
    *_TOKENS,
    "quantity_micro",
    "cost_nano",
    "error_code",
    "latency_ms",
]


def sum_by_hour(
    batches: Sequence[pa.RecordBatch], *, keep: Sequence[bool] | None = None, sign: int = 1
) -> pl.DataFrame:
    """Sums of the rows (those where ``keep`` is true) per ``_KEY``, times ``sign``."""
    if not batches:
        return _EMPTY
    frame = pl.from_arrow(pa.Table.from_batches(batches).select(_NEEDED))
    assert isinstance(frame, pl.DataFrame)
    if keep is not None:
        frame = frame.filter(pl.Series(keep, dtype=pl.Boolean))
    return _summed(frame, sign) if frame.height else _EMPTY


class Rollup:
    """Accumulates hourly sums over the portions of one load; memory goes by keys, not rows."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, sums: pl.DataFrame) -> None:
        """Add what ``sum_by_hour`` gave."""
        if sums.height:
            self._parts.append(sums)
        if len(self._parts) > 32:
            self._parts = [_merge(pl.concat(self._parts))]

    def rows(self) -> HourlyRows:
        """Sums per (hour, dimension, actor, grain)."""
        frame = self._merged()
        return HourlyRows(
            hour=frame["hour"].to_list(),
            dim_id=frame["dim_id"].to_list(),
            actor_id=frame["actor_id"].to_list(),
            grain=frame["grain"].to_list(),
            measures=[frame[name].to_list() for name in MEASURES],
        )

    def _merged(self) -> pl.DataFrame:
        if not self._parts:
            return _EMPTY
        if len(self._parts) > 1:
            self._parts = [_merge(pl.concat(self._parts))]
        return self._parts[0]


def _summed(frame: pl.DataFrame, sign: int) -> pl.DataFrame:
    unpriced = pl.col("cost_nano").is_null()
    tokens = sum((pl.col(name) for name in _TOKENS), start=pl.lit(0, dtype=pl.Int64))
    sums = (
        frame.lazy()
        .with_columns(pl.col("ts").dt.truncate("1h").alias("hour"))
        .group_by(_KEY)
        .agg(
            pl.col("requests").sum(),
            *(pl.col(name).sum() for name in _TOKENS),
            pl.col("quantity_micro").sum(),
            pl.col("cost_nano").sum(),
            pl.col("requests").filter(unpriced).sum().alias("unpriced_requests"),
            tokens.filter(unpriced).sum().alias("unpriced_tokens"),
            pl.col("requests")
            .filter(pl.col("error_code").is_not_null())
            .sum()
            .alias("error_requests"),
            pl.col("latency_ms").cast(pl.Int64).sum().alias("latency_ms_sum"),
            pl.col("latency_ms").count().cast(pl.Int64).alias("latency_count"),
        )
        .collect()
    )
    if sign == 1:
        return sums
    return sums.with_columns([pl.col(name) * sign for name in MEASURES])


def _merge(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by(_KEY).agg([pl.col(name).sum() for name in MEASURES])


_EMPTY: Final = pl.DataFrame(
    schema={
        "hour": pl.Datetime("us", "UTC"),
        "dim_id": pl.Int64,
        "actor_id": pl.Int64,
        "grain": pl.Int16,
        **dict.fromkeys(MEASURES, pl.Int64),
    }
)
