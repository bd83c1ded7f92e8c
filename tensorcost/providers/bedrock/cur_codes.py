"""Text columns as integers, so that what rows share is worked out once and not row by row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tensorcost.domain.spend.limits import to_us
from tensorcost.providers.bedrock.cur_columns import read_map

_MANY: Final = 2**31
_MAX_CACHED: Final = 50_000
Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Codes:
    """Distinct values, and which of them each row has."""

    values: Sequence[Any]
    codes: Int64

    def value(self, row: int) -> Any:
        return self.values[self.codes[row]]

    def take(self, rows: Int64) -> "Codes":
        return Codes(self.values, self.codes[rows])

    def where(self, holds: Callable[[Any], object]) -> Mask:
        """The rows whose value ``holds``; asked once a distinct value."""
        return np.array([bool(holds(value)) for value in self.values], dtype=np.bool_)[self.codes]


def text_codes(column: pa.Array | None, count: int) -> Codes:
    """A text column; cells that are NULL or absent are empty."""
    if column is None or pa.types.is_null(column.type):
        return Codes([""], np.zeros(count, dtype=np.int64))
    encoded = pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
    return Codes(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))


def pair_codes(column: pa.Array | None, count: int) -> Codes:
    """The pairs of a map column, as tuples of (key, value)."""
    if column is None:
        return Codes([()], np.zeros(count, dtype=np.int64))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = text_codes(column, count)
        return _distinct([tuple(read_map(text)) for text in texts.values], texts.codes)
    cells = [tuple(read_map(cell)) for cell in column.to_pylist()]
    return _distinct(cells, np.arange(count, dtype=np.int64))


def group_rows(columns: Sequence[Codes]) -> tuple[Int64, Int64]:
    """(a row of each group, group of each row): rows are of one group where all columns agree."""
    key: Int64 = np.zeros(len(columns[0].codes), dtype=np.int64)
    size = 1
    for column in columns:
        if size * len(column.values) > _MANY:
            seen, key = np.unique(key, return_inverse=True)
            size = len(seen)
        key = key * len(column.values) + column.codes
        size *= len(column.values)
    _, rows, groups = np.unique(key, return_index=True, return_inverse=True)
    return rows.astype(np.int64), groups.astype(np.int64)


class Times:
    """Columns of time as microseconds since the epoch. What was read once is remembered."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}

    def read(
        self, column: pa.Array | None, count: int, part: Callable[[str], str] = str
    ) -> tuple[Int64, Mask]:
        """(times, where there is one); ``part`` picks the time out of a text."""
        if column is not None and pa.types.is_temporal(column.type):
            moments = column.cast(pa.timestamp("us"), safe=False)
            present = moments.is_valid().to_numpy(zero_copy_only=False)
            return moments.cast(pa.int64()).fill_null(0).to_numpy().astype(np.int64), present
        texts = text_codes(column, count)
        found = [self._time(part(text)) for text in texts.values]
        present = np.array([one is not None for one in found], dtype=np.bool_)
        return np.array([one or 0 for one in found], dtype=np.int64)[texts.codes], present[
            texts.codes
        ]

    def _time(self, text: str) -> int | None:
        if text not in self._known:
            if len(self._known) > _MAX_CACHED:
                self._known.clear()
            self._known[text] = _parse_time(text)
        return self._known[text]


def _parse_time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        return to_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    except ValueError:
        return None


def _distinct(cells: Sequence[Any], codes: Int64) -> Codes:
    known: dict[Any, int] = {}
    numbers = [known.setdefault(cell, len(known)) for cell in cells]
    return Codes(list(known), np.array(numbers, dtype=np.int64)[codes])
