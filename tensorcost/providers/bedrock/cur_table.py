"""Rows of a bill file as runs of columns, in bounded memory.

Parquet is read a row group's slice at a time, CSV as a stream out of gzip; only the columns
that matter are decoded, and no row ever becomes a dictionary.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.cur_columns import (
    AMOUNT_COLUMNS,
    MAP_COLUMNS,
    REQUIRED,
    TIME_COLUMNS,
    choose_columns,
    read_map,
)
from tensorcost.providers.bedrock.ndjson import inflate

BATCH_ROWS: Final = 32_768
_CSV_BLOCK: Final = 1 << 21
_HEADER_LIMIT: Final = 1 << 20


class UnreadableFile(Exception):
    """The file, or the rest of it, cannot be read; ``reason`` is a reject reason."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Rows:
    """Columns of equal length by CUR 2.0 name, each a list of cells; absent ones are absent."""

    count: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    maps: dict[str, Any] = field(default_factory=dict)
    """Arrow arrays of the map columns: dear to decode, and few rows need theirs."""
    bad_lines: list[int] = field(default_factory=list)
    """Numbers of rows with too many or too few cells, which are left out (CSV only)."""

    def column(self, name: str) -> list[Any]:
        """The cells of a column, Nones where the file does not have it."""
        return self.columns.get(name) or [None] * self.count

    def cell(self, name: str, index: int) -> Any:
        """One cell, None where the file does not have the column."""
        cells = self.columns.get(name)
        return None if cells is None else cells[index]

    def map_of(self, name: str, index: int) -> list[tuple[str, str]]:
        """The pairs of one map cell."""
        cells = self.maps.get(name)
        return [] if cells is None else read_map(cells[index].as_py())


def read_parquet(file: IO[bytes], promised: frozenset[str] = frozenset()) -> Iterator[Rows]:
    """Rows of a seekable Parquet file. Raises UnreadableFile for one that is half written, lacks
    a column or has one of a type that cannot be what it should."""
    try:
        source = pq.ParquetFile(file)
        chosen = choose_columns(source.schema_arrow.names)
        _require(chosen, promised)
        _check_types(source.schema_arrow, chosen)
        for batch in source.iter_batches(batch_size=BATCH_ROWS, columns=list(chosen)):
            yield _rows_of(batch, chosen)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(RejectReason.NOT_PARQUET, type(error).__name__) from error


def read_csv(chunks: Iterable[bytes], promised: frozenset[str] = frozenset()) -> Iterator[Rows]:
    """Rows of a CSV stream, gzip or plain. Raises UnreadableFile at a tear, after its rows."""
    stream = _Stream(chunks)
    header = stream.peek_line(_HEADER_LIMIT)
    if stream.problem and not header:
        raise UnreadableFile(stream.problem)
    names = next(csv.reader([header.decode("utf-8-sig", "replace")]), [])
    chosen = choose_columns(names)
    _require(chosen, promised)
    bad: list[int] = []

    def note(row: Any) -> str:
        bad.append((row.number or 1) - 1)  # the header is its first row
        return "skip"

    try:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=_CSV_BLOCK, column_names=names, skip_rows=1
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                include_columns=list(chosen), column_types=dict.fromkeys(chosen, pa.string())
            ),
        )
        for batch in reader:
            rows = _rows_of(batch, chosen)
            rows.bad_lines, bad = bad, []
            yield rows
    except pa.ArrowInvalid as error:
        if not stream.problem:
            raise UnreadableFile(RejectReason.WRONG_TYPE, "not a CSV file") from error
    if bad:
        yield Rows(0, bad_lines=bad)
    if stream.problem:
        raise UnreadableFile(stream.problem)


def _require(chosen: dict[str, str], promised: frozenset[str]) -> None:
    if missing := (REQUIRED | promised) - set(chosen.values()):
        raise UnreadableFile(RejectReason.MISSING_FIELD, ", ".join(sorted(missing)))


def _check_types(schema: pa.Schema, chosen: dict[str, str]) -> None:
    wrong = [
        f"{ours} is {schema.field(name).type}"
        for name, ours in chosen.items()
        if not _can_be(schema.field(name).type, ours)
    ]
    if wrong:
        raise UnreadableFile(RejectReason.WRONG_TYPE, ", ".join(sorted(wrong)))


def _can_be(found: pa.DataType, ours: str) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    kinds = [pa.types.is_null, pa.types.is_string, pa.types.is_large_string]
    if ours in AMOUNT_COLUMNS:
        kinds += [pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal]
    elif ours in TIME_COLUMNS:
        kinds += [pa.types.is_timestamp, pa.types.is_date]
    return ours in MAP_COLUMNS or any(is_kind(found) for is_kind in kinds)


def _rows_of(batch: pa.RecordBatch, chosen: dict[str, str]) -> Rows:
    rows = Rows(batch.num_rows)
    for name, ours in chosen.items():
        column = batch.column(batch.schema.get_field_index(name))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if ours in MAP_COLUMNS:
            rows.maps[ours] = column
            continue
        if ours in TIME_COLUMNS and pa.types.is_temporal(column.type):
            column = column.cast(pa.timestamp("us"), safe=False)
        rows.columns[ours] = column.to_pylist()
    return rows


class _Stream(io.RawIOBase):
    """A readable over decompressed blocks that hands out whole lines only.

    A tear ends it, is kept in ``problem``, and takes the torn line with it: cut within its
    last cell it would look complete.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._blocks = inflate(chunks)
        self._lines = b""
        self._rest = b""
        self.problem = ""

    def readable(self) -> bool:
        return True

    def peek_line(self, limit: int) -> bytes:
        """The first line, left in place."""
        while not self._lines and len(self._rest) < limit and self._fill():
            pass
        return self._lines.split(b"\n", 1)[0].rstrip(b"\r")

    def read(self, size: int = -1) -> bytes:
        while (size < 0 or len(self._lines) < size) and self._fill():
            pass
        if size < 0:
            size = len(self._lines)
        found, self._lines = self._lines[:size], self._lines[size:]
        return found

    def readinto(self, target: Any) -> int:
        found = self.read(len(target))
        target[: len(found)] = found
        return len(found)

    def _fill(self) -> bool:
        block = next(self._blocks, b"")
        if isinstance(block, str):
            self.problem, self._rest = block, b""
            return False
        if not block:
            self._lines, self._rest = self._lines + self._rest, b""
            return False
        end = block.rfind(b"\n") + 1
        if end:
            self._lines, self._rest = self._lines + self._rest + block[:end], block[end:]
        else:
            self._rest += block
        return True
