"""Cost and Usage Reports, CUR 2.0 and legacy, Parquet and CSV, to bill lines.

Lines of AI spend are kept one by one; all others are folded, exactly, by day, account,
product and type, so that the lines of a delivery still add up to the invoice. Numbering is by
row of the file: ``line_offset`` keeps parts of one delivery apart.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from tensorcost.domain.spend.bill import ParsedBill
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur_line import LineBuilder
from tensorcost.providers.bedrock.cur_table import Rows, UnreadableFile, read_csv, read_parquet
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory

_INCOMPLETE: Final = frozenset(
    {
        RejectReason.NOT_PARQUET,
        RejectReason.TRUNCATED_GZIP,
        RejectReason.NOT_GZIP,
        RejectReason.TRUNCATED_CSV,
    }
)
_WHOLE_FILE: Final = 0
_PARQUET_MAGIC: Final = b"PAR1"


@dataclass(frozen=True, slots=True)
class BillParse:
    """What parsing one part needs. ``file`` names it in rejects.

    ``line_offset`` is the number of rows of the delivery before this part.
    """

    file: str
    bounds: TimeBounds
    directory: ProfileDirectory = EMPTY_DIRECTORY
    line_offset: int = 0
    promised: frozenset[str] = frozenset()
    """Columns, by CUR 2.0 name, without which the part is refused."""


def parse_parquet(file: IO[bytes], parse: BillParse) -> Iterator[ParsedBill]:
    """Lines of a seekable Parquet part, batch by batch, the folded ones last."""
    return _parse(lambda: read_parquet(file, parse.promised), parse)


def parse_csv(chunks: Iterable[bytes], parse: BillParse) -> Iterator[ParsedBill]:
    """Lines of a CSV or CSV.gz part, batch by batch, the folded ones last."""
    return _parse(lambda: read_csv(chunks, parse.promised), parse)


def parse_bill_file(
    file: IO[bytes], parse: BillParse, *, chunk_size: int = 1 << 18
) -> Iterator[ParsedBill]:
    """Lines of a bare file, told apart by its first bytes; CUR 2.0 or legacy, no manifest."""
    head = file.read(len(_PARQUET_MAGIC))
    file.seek(0)
    if head == _PARQUET_MAGIC:
        return parse_parquet(file, parse)
    return parse_csv(iter(lambda: file.read(chunk_size), b""), parse)


def is_incomplete(rejects: Iterable[Reject]) -> bool:
    """True when a file, or the rest of one, could not be read.

    A delivery of which this holds must not become the current one of its period: its total
    would be too small.
    """
    return any(r.reason in _INCOMPLETE or r.position == _WHOLE_FILE for r in rejects)


def _parse(read: Callable[[], Iterator[Rows]], parse: BillParse) -> Iterator[ParsedBill]:
    builder = LineBuilder(parse.file, parse.bounds, parse.directory, parse.line_offset)
    row = 0
    try:
        for rows in read():
            bill = ParsedBill(rows_read=rows.count + len(rows.bad_lines))
            bill.rejects += [
                Reject(parse.file, number, RejectReason.WRONG_TYPE, "number of cells")
                for number in rows.bad_lines
            ]
            builder.add(rows, row, bill)
            row += bill.rows_read
            yield bill
    except UnreadableFile as error:
        position = row + 1 if row else _WHOLE_FILE
        reject = Reject(parse.file, position, error.reason, error.detail)
        yield ParsedBill(rejects=[reject], rows_read=1)
    yield ParsedBill(lines=builder.folded())
