"""CloudWatch's memory of ``AWS/Bedrock``: one row per call, summed when asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.aws.state import MetricPoint

OK, THROTTLED, CLIENT_ERROR, SERVER_ERROR = range(4)
COLUMNS = ("ts", "model", "outcome", "weight", "input", "output", "read", "write")
METRICS = (
    "Invocations",
    "InputTokenCount",
    "OutputTokenCount",
    "CacheReadInputTokens",
    "CacheWriteInputTokens",
    "InvocationLatency",
    "TimeToFirstToken",
    "InvocationClientErrors",
    "InvocationServerErrors",
    "InvocationThrottles",
)
_TOKENS = {
    "InputTokenCount": "input",
    "OutputTokenCount": "output",
    "CacheReadInputTokens": "read",
    "CacheWriteInputTokens": "write",
}
_OUTCOMES = {
    "InvocationClientErrors": CLIENT_ERROR,
    "InvocationServerErrors": SERVER_ERROR,
    "InvocationThrottles": THROTTLED,
}
_RETENTION = ((300, timedelta(days=15)), (3600, timedelta(days=63)))
_LONGEST = timedelta(days=455)


class UnknownStatistic(ValueError):
    """A statistic that CloudWatch does not know."""


@dataclass(frozen=True, slots=True)
class CallRows:
    """Calls of one account and region, sorted by time (epoch seconds)."""

    models: tuple[str, ...]
    ints: dict[str, NDArray[np.int64]]
    latency: NDArray[np.float64]
    first_token: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Samples:
    """What one metric received: at ``ts`` a total of ``value`` over ``weight`` samples."""

    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    weight: NDArray[np.int64]


class MetricStore:
    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], CallRows] = {}

    def clear(self) -> None:
        self._rows.clear()

    def load_folder(self, folder: Path) -> None:
        """Load every ``<account>_<region>.npz`` of a world."""
        for path in sorted(folder.glob("*.npz")):
            account, _, region = path.stem.partition("_")
            self._rows[account, region] = load_rows(path)

    def add_points(self, points: Iterable[MetricPoint]) -> None:
        grouped: dict[tuple[str, str], list[MetricPoint]] = {}
        for point in points:
            grouped.setdefault((point.account, point.region), []).append(point)
        for place, listed in grouped.items():
            self._rows[place] = _rows_of(sorted(listed, key=lambda p: p.at))

    def models(self, account: str, region: str) -> tuple[str, ...]:
        rows = self._rows.get((account, region))
        return rows.models if rows else ()

    def samples(self, account: str, region: str, metric: str, model: str | None) -> Samples:
        """Samples of a metric; ``model`` None means every model (delivery metrics)."""
        rows = self._rows.get((account, region))
        empty = np.empty(0, np.int64)
        if rows is None or (model is not None and model not in rows.models):
            return Samples(empty, np.empty(0), empty)
        mask = np.ones(len(rows.latency), bool)
        if model is not None:
            mask = rows.ints["model"] == rows.models.index(model)
        mask &= rows.ints["outcome"] == _OUTCOMES.get(metric, OK)
        weight = rows.ints["weight"]
        value = weight.astype(np.float64)
        if column := _TOKENS.get(metric):
            value = rows.ints[column].astype(np.float64)
            if column in ("read", "write"):
                mask &= value > 0
        elif metric in ("InvocationLatency", "TimeToFirstToken"):
            per_call = rows.latency if metric == "InvocationLatency" else rows.first_token
            mask &= ~np.isnan(per_call)
            value = per_call * weight
        return Samples(rows.ints["ts"][mask], value[mask], weight[mask])


def binned(
    samples: Samples, start: int, end: int, period: int, stat: str, now: int
) -> list[tuple[int, float]]:
    """(bucket start, statistic) oldest first, on the period's grid, within retention."""
    low = start - start % period
    oldest = now - int(_LONGEST.total_seconds())
    for finer_than, kept in _RETENTION:
        if period < finer_than:
            oldest = now - int(kept.total_seconds())
            break
    bins = samples.ts - samples.ts % period
    mask = (bins >= low) & (bins < end) & (bins >= oldest) & (samples.ts < now)
    if not mask.any():
        return []
    starts, where = np.unique(bins[mask], return_inverse=True)
    values = _statistic(stat, samples.value[mask], samples.weight[mask], where)
    return list(zip(starts.tolist(), values.tolist(), strict=True))


def _statistic(
    stat: str, value: NDArray[np.float64], weight: NDArray[np.int64], where: NDArray[np.intp]
) -> NDArray[np.float64]:
    total = np.bincount(where, value).astype(np.float64)
    count = np.bincount(where, weight).astype(np.float64)
    each = value / weight
    match stat:
        case "Sum":
            return total
        case "SampleCount":
            return count
        case "Average":
            return np.asarray(total / count)
        case "Maximum":
            peak = np.full(len(total), -np.inf)
            np.maximum.at(peak, where, each)
            return peak
        case "Minimum":
            floor = np.full(len(total), np.inf)
            np.minimum.at(floor, where, each)
            return floor
    if stat[:1] == "p" and stat[1:].replace(".", "", 1).isdigit() and float(stat[1:]) <= 100:
        groups = [np.repeat(each[where == i], weight[where == i]) for i in range(len(total))]
        return np.array([np.percentile(group, float(stat[1:])) for group in groups])
    raise UnknownStatistic(stat)


def save_rows(path: Path, rows: CallRows) -> None:
    columns: dict[str, Any] = {name: rows.ints[name] for name in COLUMNS}
    columns |= {"latency": rows.latency, "first_token": rows.first_token}
    np.savez(path, models=np.array(rows.models), **columns)


def load_rows(path: Path) -> CallRows:
    with np.load(path, allow_pickle=False) as stored:
        return CallRows(
            models=tuple(str(model) for model in stored["models"]),
            ints={name: stored[name].astype(np.int64) for name in COLUMNS},
            latency=stored["latency"].astype(np.float64),
            first_token=stored["first_token"].astype(np.float64),
        )


def _rows_of(points: list[MetricPoint]) -> CallRows:
    models = tuple(dict.fromkeys(point.model_id for point in points))
    columns = {
        "ts": [int(p.at.timestamp()) for p in points],
        "model": [models.index(p.model_id) for p in points],
        "outcome": [OK] * len(points),
        "weight": [max(p.invocations, 1) for p in points],
        "input": [p.input_tokens for p in points],
        "output": [p.output_tokens for p in points],
        "read": [p.cache_read for p in points],
        "write": [p.cache_write for p in points],
    }
    return CallRows(
        models=models,
        ints={name: np.array(values, np.int64) for name, values in columns.items()},
        latency=np.array([p.latency_ms for p in points], np.float64),
        first_token=np.full(len(points), np.nan),
    )
