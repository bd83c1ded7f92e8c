"""A bill from files: its lines by billing period, each period one delivery of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from tensorcost.domain.spend.bill import BillDelivery, BillLine, ParsedBill
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.text_lines import content_hash

PART_LINES: Final = 5_000


class PeriodLine(NamedTuple):
    period: date
    """First day of the billing month that the file states for the line."""
    line: BillLine


BillRows = Callable[[Path], Iterator[PeriodLine | Reject]]
"""Reads one file once from its start."""


@dataclass(frozen=True, slots=True)
class BillFiles:
    """Files that are one bill together, in the order in which their lines are numbered."""

    export_name: str
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    """How rejects call each file."""
    etag: str
    """Hash of the whole content: the same again is the same delivery."""
    name: str
    """What the bill came as."""
    is_alone: bool = False
    """Asked for as one file: that it is of another kind is then an error, and else a reject."""

    @classmethod
    def of(cls, path: Path, export_name: str) -> "BillFiles":
        """One file alone."""
        return cls(export_name, (path,), (path.name,), content_hash(path), path.name, True)

    def delivery(self, period: date) -> BillDelivery:
        """Its month that begins with ``period``; other content under the name restates it."""
        return BillDelivery(self.export_name, period, self.name, self.etag)


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """One period of the bill: what it is called, and its lines in bounded memory."""

    delivery: BillDelivery
    lines: int
    parts: Callable[[], Iterator[ParsedBill]]


@dataclass(frozen=True, slots=True)
class BillFile:
    """The bill's periods in order. Every reject stands in ``rejects``, and in the parts of the
    first period too, so that loading the periods records each once."""

    periods: tuple[PeriodBill, ...]
    rejects: tuple[Reject, ...]
    rows_read: int


def bill_file(files: BillFiles, rows: BillRows) -> BillFile:
    """Read through ``rows`` once to find the periods; their lines are read again when loaded.

    Raises BadFile for one file alone that is of another kind, or without rows.
    """
    counts: Counter[date] = Counter()
    rejects: list[Reject] = []
    for row in _all_rows(files, rows):
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            counts[row.period] += 1
    if not counts and not rejects:
        if files.is_alone:
            raise BadFile(f"{files.name} holds no rows", RejectReason.NO_ROWS)
        rejects.append(Reject(files.name, 0, RejectReason.NO_ROWS))
    periods: list[PeriodBill] = []
    for period in sorted(counts):
        own_rejects = () if periods else tuple(rejects)
        parts = _Parts(files, rows, period, own_rejects)
        periods.append(PeriodBill(files.delivery(period), counts[period], parts))
    return BillFile(tuple(periods), tuple(rejects), counts.total() + len(rejects))


def _all_rows(files: BillFiles, rows: BillRows) -> Iterator[PeriodLine | Reject]:
    """Of every file; lines of later ones are numbered on from those before."""
    before = last = 0
    for path, label in zip(files.paths, files.labels, strict=True):
        for row in _rows_of(files, path, rows):
            if isinstance(row, Reject):
                yield row if row.file == label else replace(row, file=label)
                continue
            last = before + row.line.line_no
            yield row._replace(line=replace(row.line, line_no=last)) if before else row
        before = last


def _rows_of(files: BillFiles, path: Path, rows: BillRows) -> Iterator[PeriodLine | Reject]:
    try:
        yield from rows(path)
    except BadFile as bad:
        if files.is_alone:
            raise
        yield Reject(path.name, 0, bad.reason, bad.detail)


@dataclass(frozen=True, slots=True)
class _Parts:
    files: BillFiles
    rows: BillRows
    period: date
    rejects: tuple[Reject, ...]

    def __call__(self) -> Iterator[ParsedBill]:
        part = ParsedBill(rejects=list(self.rejects), rows_read=len(self.rejects))
        for row in _all_rows(self.files, self.rows):
            if isinstance(row, Reject) or row.period != self.period:
                continue
            part.lines.append(row.line)
            part.rows_read += 1
            if len(part.lines) >= PART_LINES:
                yield part
                part = ParsedBill()
        if part.rows_read:
            yield part
