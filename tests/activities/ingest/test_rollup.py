"""Hourly sums against the plain loop that they replace."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.activities.ingest.rollup import Rollup, sum_by_hour
from tensorcost.storage.spend.events import EVENT_SCHEMA

START = datetime(2026, 11, 3, 22, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNTS = st.integers(0, 2**40)
ROWS = st.fixed_dictionaries(
    {
        "ts": st.integers(0, 4 * 3600 * 10**6).map(lambda us: START + timedelta(microseconds=us)),
        "event_id": st.just(bytes(16)),
        "dim_id": st.sampled_from([-(2**63), -1, 2**63 - 1]),
        "actor_id": st.sampled_from([0, 7]),
        "batch_id": st.just(1),
        "grain": st.sampled_from([1, 2]),
        "requests": st.integers(1, 1000),
        "input_tokens": COUNTS,
        "cached_tokens": COUNTS,
        "cache_write_5m_tokens": COUNTS,
        "cache_write_1h_tokens": COUNTS,
        "output_tokens": COUNTS,
        "quantity_micro": st.none() | COUNTS,
        "cost_nano": st.none() | COUNTS,
        "error_code": st.sampled_from([None, "throttled"]),
        "latency_ms": st.none() | st.integers(0, 2**31 - 1),
    }
)
TOKENS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
Row = dict[str, object]


def batch(rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=EVENT_SCHEMA)


def by_hand(rows: list[Row]) -> dict[tuple[int, ...], list[int]]:
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * 13)
    for row in rows:
        numbers = {name: int(str(value or 0)) for name, value in row.items() if _counts(name)}
        tokens = [numbers[name] for name in TOKENS]
        unpriced, failed = row["cost_nano"] is None, row["error_code"] is not None
        moment = row["ts"]
        assert isinstance(moment, datetime)
        key = (
            (moment - EPOCH) // timedelta(hours=1),
            numbers["dim_id"],
            numbers["actor_id"],
            numbers["grain"],
        )
        values = [
            numbers["requests"],
            *tokens,
            numbers["quantity_micro"],
            numbers["cost_nano"],
            numbers["requests"] * unpriced,
            sum(tokens) * unpriced,
            numbers["requests"] * failed,
            numbers["latency_ms"],
            int(row["latency_ms"] is not None),
        ]
        sums[key] = [a + b for a, b in zip(sums[key], values, strict=True)]
    return sums


def _counts(name: str) -> bool:
    return name not in {"ts", "event_id", "error_code"}


def summed(rollup: Rollup) -> dict[tuple[int, ...], list[int]]:
    sums = rollup.sums()
    keys = [tuple(key) for key in sums.keys.T.tolist()]
    assert keys == sorted(set(keys)), "sorted, and no key twice"
    return dict(zip(keys, sums.measures.T.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=8), max_size=40))
def test_sums_of_portions_are_the_sums_of_all_rows(portions: list[list[Row]]) -> None:
    rollup = Rollup()
    for rows in portions:
        rollup.add(sum_by_hour([batch(rows)]))
    assert summed(rollup) == by_hand([row for rows in portions for row in rows])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=20))
def test_rows_not_kept_do_not_count(rows: list[tuple[Row, bool]]) -> None:
    rollup = Rollup()
    keep = [kept for _, kept in rows]
    rollup.add(sum_by_hour([batch([row for row, _ in rows])], keep=keep))
    assert summed(rollup) == by_hand([row for row, kept in rows if kept])


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=20))
def test_what_is_taken_back_leaves_zeros(rows: list[Row]) -> None:
    rollup = Rollup()
    rollup.add(sum_by_hour([batch(rows)]))
    rollup.add(sum_by_hour([batch(rows)], sign=-1))
    assert all(not any(values) for values in summed(rollup).values())
