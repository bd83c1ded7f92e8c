"""Rows of a CSV file by column, each with its line number."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.text_lines import Line, read_lines, reject_of

_DELIMITERS: Final = ",;\t|"


class CsvRow(NamedTuple):
    line: Line
    """The row's first line; ``raw`` holds all of its lines."""
    values: list[str]


class CsvTable:
    """A CSV file with a header. Iterate once over ``rows``; defects come as ``Reject``.

    ``pads_short_rows``: a row that ends before its header does has empty cells at its end
    (some Azure exports leave them away); else it is a defect. The file is torn where its last
    row lacks cells or the end of a quote; of padded rows, where no other one is as short and
    the line has no end either.
    """

    def __init__(self, path: Path, *, pads_short_rows: bool = False) -> None:
        self.file = path.name
        self._pads_short_rows = pads_short_rows
        self._problems: list[Reject] = []
        self._pending: list[bytes] = []
        self._widths: set[int] = set()
        self._ends_open = False
        self._lines = read_lines(path)
        first = next(self._lines, None)
        if first is None or first.problem:
            why = first.problem if first else "the file is empty"
            reason = first.problem if first else RejectReason.NO_ROWS
            raise BadFile(f"{self.file} has no header line: {why}", reason)
        header = self._decode(first)
        delimiter = max(_DELIMITERS, key=header.count)
        self.columns = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
        self._reader = csv.reader(self._texts(), delimiter=delimiter)

    def rows(self) -> Iterator[CsvRow | Reject]:
        """Rows of the header's width; blank lines are passed over."""
        last: CsvRow | None = None
        for row in self._rows():
            if last is not None:
                yield self._taken(last)
            last = row if isinstance(row, CsvRow) else None
            if isinstance(row, Reject):
                yield row
        if last is None:
            return
        if self._is_torn(last):
            detail = "the file ends within its last row"
            yield reject_of(self.file, last.line, RejectReason.TRUNCATED_CSV, detail)
        else:
            yield self._taken(last)

    def _rows(self) -> Iterator[CsvRow | Reject]:
        """Rows of any width."""
        number = 1
        while True:
            start, problem, values = number + 1, "", None
            try:
                values = next(self._reader, None)
            except csv.Error as error:
                problem = str(error)
            number = self._reader.line_num + 1
            yield from self._drain()
            if values is None and not problem:
                return
            line = Line(start, b"\n".join(self._pending))
            self._pending.clear()
            if values is None:
                yield reject_of(self.file, line, RejectReason.WRONG_TYPE, problem)
            elif values:
                yield CsvRow(line, values)

    def _taken(self, row: CsvRow) -> CsvRow | Reject:
        lacking = len(self.columns) - len(row.values)
        self._widths.add(len(row.values))
        if lacking == 0:
            return row
        if lacking > 0 and self._pads_short_rows:
            return CsvRow(row.line, row.values + [""] * lacking)
        detail = f"{len(row.values)} columns, the header has {len(self.columns)}"
        return reject_of(self.file, row.line, RejectReason.WRONG_TYPE, detail)

    def _is_torn(self, last: CsvRow) -> bool:
        if last.line.raw.count(b'"') % 2:
            return True
        if len(last.values) >= len(self.columns):
            return False
        is_padded = not self._ends_open or len(last.values) in self._widths
        return not (self._pads_short_rows and is_padded)

    def _texts(self) -> Iterator[str]:
        """Decoded lines with their ends. An unusable line stands as a blank one."""
        for line in self._lines:
            if line.problem:
                self._problems.append(reject_of(self.file, line, line.problem))
                text = ""
            else:
                text = self._decode(line)
            self._pending.append(line.raw)
            self._ends_open = line.is_open
            yield text + "\n"

    def _decode(self, line: Line) -> str:
        try:
            return line.raw.decode("utf-8")
        except UnicodeDecodeError:
            if line.number == 1:
                raise BadFile(f"{self.file} is not UTF-8 text", RejectReason.WRONG_TYPE) from None
            self._problems.append(
                reject_of(self.file, line, RejectReason.WRONG_TYPE, "not UTF-8 text")
            )
            return ""

    def _drain(self) -> Iterator[Reject]:
        yield from self._problems
        self._problems.clear()
