"""Rows of a CSV file by column, each with its line number."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.text_lines import Line, read_lines, reject_of

_DELIMITERS: Final = ",;\t|"


class CsvRow(NamedTuple):
    line: Line
    """The row's first line; ``raw`` holds all of its lines."""
    values: list[str]


class CsvTable:
    """A CSV file with a header. Iterate once over ``rows``; defects come as ``Reject``.

    ``pads_short_rows``: a row that ends before its header does has empty cells at its end
    (some Azure exports leave them away); else it is a defect.
    """

    def __init__(self, path: Path, *, pads_short_rows: bool = False) -> None:
        self.file = path.name
        self._pads_short_rows = pads_short_rows
        self._problems: list[Reject] = []
        self._pending: list[bytes] = []
        self._lines = read_lines(path)
        first = next(self._lines, None)
        if first is None or first.problem:
            why = first.problem if first else "the file is empty"
            raise ValidationFailed(f"{self.file} has no header line: {why}", field="path")
        header = self._decode(first)
        delimiter = max(_DELIMITERS, key=header.count)
        self.columns = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
        self._reader = csv.reader(self._texts(), delimiter=delimiter)

    def rows(self) -> Iterator[CsvRow | Reject]:
        """Rows of the header's width; blank lines are passed over."""
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
            elif values and not self._has_width(values):
                detail = f"{len(values)} columns, the header has {len(self.columns)}"
                yield reject_of(self.file, line, RejectReason.WRONG_TYPE, detail)
            elif values:
                padding = [""] * (len(self.columns) - len(values))
                yield CsvRow(line, values + padding)

    def _has_width(self, values: list[str]) -> bool:
        if self._pads_short_rows:
            return len(values) <= len(self.columns)
        return len(values) == len(self.columns)

    def _texts(self) -> Iterator[str]:
        """Decoded lines with their ends. An unusable line stands as a blank one."""
        for line in self._lines:
            if line.problem:
                self._problems.append(reject_of(self.file, line, line.problem))
                text = ""
            else:
                text = self._decode(line)
            self._pending.append(line.raw)
            yield text + "\n"

    def _decode(self, line: Line) -> str:
        try:
            return line.raw.decode("utf-8")
        except UnicodeDecodeError:
            if line.number == 1:
                raise ValidationFailed(f"{self.file} is not UTF-8 text", field="path") from None
            self._problems.append(
                reject_of(self.file, line, RejectReason.WRONG_TYPE, "not UTF-8 text")
            )
            return ""

    def _drain(self) -> Iterator[Reject]:
        yield from self._problems
        self._problems.clear()
