"""Rows of a bill file as runs of columns, in bounded memory.

Parquet is read a row group's slice at a time, CSV as a stream out of gzip; only the columns
that matter are decoded, and they stay columns.
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
)
from tensorcost.providers.bedrock.ndjson import inflate

BATCH_ROWS: Final = 32_768
_CSV_BLOCK: Final = 1 << 21
_HEADER_LIMIT: Final = 1 << 20
_TAIL: Final = 1 << 16


class UnreadableFile(Exception):
    """The file, or the rest of it, cannot be read; ``reason`` is a reject reason."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Rows:
    """Arrow columns of equal length by CUR 2.0 name; absent ones are absent."""

    count: int
    columns: dict[str, pa.Array] = field(default_factory=dict)
    bad_lines: list[int] = field(default_factory=list)
    """Numbers of rows with too many or too few cells, which are left out (CSV only)."""


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
    bad = _BadLines()
    held: Rows | None = None
    try:
        for batch in _batches(stream, names, chosen, bad):
            if held is not None:
                yield held
            held = _rows_of(batch, chosen)
            held.bad_lines = bad.take()
    except pa.ArrowInvalid as error:
        if not stream.problem:
            if held is None:
                raise UnreadableFile(RejectReason.WRONG_TYPE, "not a CSV file") from error
            yield held
            raise UnreadableFile(RejectReason.TRUNCATED_CSV, "not a CSV file") from error
    held = held or Rows(0)
    held.bad_lines += bad.take()
    is_short = bool(bad.short) and stream.ends_with(bad.short) and not stream.problem
    if is_short:
        held.bad_lines.remove(bad.short_number)
    yield held
    _raise_torn(stream, is_short=is_short)


def _batches(
    stream: "_Stream", names: list[str], chosen: dict[str, str], bad: "_BadLines"
) -> Iterable[Any]:
    found: Iterable[Any] = pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=_CSV_BLOCK, column_names=names, skip_rows=1
        ),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=bad.note),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(chosen), column_types=dict.fromkeys(chosen, pa.string())
        ),
    )
    return found


def _raise_torn(stream: "_Stream", *, is_short: bool) -> None:
    if stream.problem:
        raise UnreadableFile(stream.problem)
    if is_short:
        raise UnreadableFile(RejectReason.TRUNCATED_CSV, "the last row lacks cells")
    if stream.quotes % 2:
        raise UnreadableFile(RejectReason.TRUNCATED_CSV, "a quote is not closed")


class _BadLines:
    """Rows with too many or too few cells, as the reader meets them."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self.short = ""
        """Text of the last row with too few."""
        self.short_number = 0

    def note(self, row: Any) -> str:
        number = (row.number or 1) - 1  # the header is the first row
        self._numbers.append(number)
        if row.actual_columns < row.expected_columns:
            self.short, self.short_number = row.text, number
        return "skip"

    def take(self) -> list[int]:
        """Their numbers, from 1; each once."""
        found, self._numbers = self._numbers, []
        return found


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
    if ours in AMOUNT_COLUMNS:
        return _is_amount(found)
    kinds = [pa.types.is_null, pa.types.is_string, pa.types.is_large_string]
    if ours in TIME_COLUMNS:
        kinds += [pa.types.is_timestamp, pa.types.is_date]
    return ours in MAP_COLUMNS or any(is_kind(found) for is_kind in kinds)


def _is_amount(found: pa.DataType) -> bool:
    """Whether a Parquet column of this type may hold amounts: text may not."""
    kinds = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null)
    return any(is_kind(found) for is_kind in kinds)


def _rows_of(batch: pa.RecordBatch, chosen: dict[str, str]) -> Rows:
    rows = Rows(batch.num_rows)
    for name, ours in chosen.items():
        column = batch.column(batch.schema.get_field_index(name))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        rows.columns[ours] = column
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
        self._tail = b""
        self.problem = ""
        self.quotes = 0
        """In all that was read."""

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

    def ends_with(self, row: str) -> bool:
        """Whether the last row is this one, as far back as is remembered."""
        last = b"\n" + row.encode().strip(b"\r\n")
        return self._tail.rstrip(b"\r\n").endswith(last[1 - _TAIL :])

    def _fill(self) -> bool:
        block = next(self._blocks, b"")
        if isinstance(block, str):
            self.problem, self._rest = block, b""
            return False
        if not block:
            self._lines, self._rest = self._lines + self._rest, b""
            return False
        self.quotes += block.count(b'"')
        self._tail = (self._tail + block)[-_TAIL:]
        end = block.rfind(b"\n") + 1
        if end:
            self._lines, self._rest = self._lines + self._rest + block[:end], block[end:]
        else:
            self._rest += block
        return True
