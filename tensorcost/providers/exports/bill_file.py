"""A bill from a file: its lines by billing period, each period one delivery of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import BillDelivery, BillLine, ParsedBill
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.text_lines import content_hash

PART_LINES: Final = 5_000


class PeriodLine(NamedTuple):
    period: date
    """First day of the billing month that the file states for the line."""
    line: BillLine


BillRows = Callable[[], Iterator[PeriodLine | Reject]]
"""Reads the file once from its start."""


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """One period of the file: what it is called, and its lines in bounded memory."""

    delivery: BillDelivery
    lines: int
    parts: Callable[[], Iterator[ParsedBill]]


@dataclass(frozen=True, slots=True)
class BillFile:
    """The file's periods in order. Every reject stands in ``rejects``, and in the parts of the
    first period too, so that loading the periods records each once."""

    periods: tuple[PeriodBill, ...]
    rejects: tuple[Reject, ...]
    rows_read: int


def bill_file(path: Path, export_name: str, rows: BillRows) -> BillFile:
    """Read through ``rows`` once to find the periods; their lines are read again when loaded.

    The delivery is known by the file's content: the same file again is the same delivery,
    and another file restates the period. Raises ValidationFailed for a file without rows.
    """
    counts: Counter[date] = Counter()
    rejects: list[Reject] = []
    for row in rows():
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            counts[row.period] += 1
    if not counts and not rejects:
        raise ValidationFailed(f"{path.name} holds no rows", field="path")
    etag = content_hash(path)
    periods: list[PeriodBill] = []
    for period in sorted(counts):
        delivery = BillDelivery(export_name, period, manifest_key=path.name, manifest_etag=etag)
        own_rejects = () if periods else tuple(rejects)
        parts = _Parts(rows, period, own_rejects)
        periods.append(PeriodBill(delivery, counts[period], parts))
    return BillFile(tuple(periods), tuple(rejects), counts.total() + len(rejects))


@dataclass(frozen=True, slots=True)
class _Parts:
    rows: BillRows
    period: date
    rejects: tuple[Reject, ...]

    def __call__(self) -> Iterator[ParsedBill]:
        part = ParsedBill(rejects=list(self.rejects), rows_read=len(self.rejects))
        for row in self.rows():
            if isinstance(row, Reject) or row.period != self.period:
                continue
            part.lines.append(row.line)
            part.rows_read += 1
            if len(part.lines) >= PART_LINES:
                yield part
                part = ParsedBill()
        if part.rows_read:
            yield part
