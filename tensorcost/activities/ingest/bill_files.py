"""Bill files from disk: each billing period that a file holds is one delivery of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillDelivery, BillLine, ParsedBill
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import BillParse, is_incomplete, parse_bill_file
from tensorcost.providers.exports.azure_export import read_azure_export
from tensorcost.providers.exports.bill_file import BillFile
from tensorcost.providers.exports.focus import read_focus
from tensorcost.storage.spend.batches import Origin


class BillFormat(StrEnum):
    AWS_CUR = "aws-cur"
    FOCUS = "focus"
    AZURE_EXPORT = "azure-export"


@dataclass(frozen=True, slots=True)
class BillSource:
    """A bill file as asked for; a later file under the same export name restates its periods."""

    path: Path
    format: BillFormat
    export_name: str
    file_hash: str
    bounds: TimeBounds


@dataclass(slots=True)
class _CurContents:
    """What one pass over a Cost and Usage Report finds."""

    rows_read: int = 0
    rejects: list[Reject] = field(default_factory=list)
    periods: set[date] = field(default_factory=set)


async def load_bill_file(
    bills: BillIngest, tenant_id: TenantId, origin: Origin, source: BillSource
) -> IngestReport:
    """Load every period of the file. A file that ends torn becomes nobody's current bill."""
    if source.format is BillFormat.AWS_CUR:
        return await _load_cur(bills, tenant_id, origin, source)
    read = read_focus if source.format is BillFormat.FOCUS else read_azure_export
    found: BillFile = read(source.path, export_name=source.export_name)
    if not found.periods:
        return await bills.refuse(tenant_id, origin, list(found.rejects), found.rows_read)
    report = IngestReport()
    for period in found.periods:
        report.merge(await bills.load_bill(tenant_id, origin, period.delivery, period.parts))
    return report


async def _load_cur(
    bills: BillIngest, tenant_id: TenantId, origin: Origin, source: BillSource
) -> IngestReport:
    contents = _CurContents()
    for part in _cur_parts(source):
        contents.rows_read += part.rows_read
        contents.rejects.extend(part.rejects)
        contents.periods.update(_period(line) for line in part.lines)
    if is_incomplete(contents.rejects) or not contents.periods:
        return await bills.refuse(tenant_id, origin, contents.rejects, contents.rows_read)
    report = IngestReport()
    for number, period in enumerate(sorted(contents.periods)):
        delivery = BillDelivery(
            source.export_name,
            period,
            manifest_key=source.path.name,
            manifest_etag=source.file_hash,
        )
        parts = _only(source, period, whole_file=number == 0)
        report.merge(await bills.load_bill(tenant_id, origin, delivery, parts))
    return report


def _cur_parts(source: BillSource) -> Iterator[ParsedBill]:
    with source.path.open("rb") as file:
        yield from parse_bill_file(file, BillParse(source.path.name, source.bounds))


def _only(
    source: BillSource, period: date, *, whole_file: bool
) -> Callable[[], Iterator[ParsedBill]]:
    """The period's lines; the first period also answers for the file's rows and rejects."""

    def parts() -> Iterator[ParsedBill]:
        for part in _cur_parts(source):
            lines = [line for line in part.lines if _period(line) == period]
            if whole_file:
                yield ParsedBill(lines, part.rejects, part.rows_read)
            elif lines:
                yield ParsedBill(lines)

    return parts


def _period(line: BillLine) -> date:
    return line.usage_start.date().replace(day=1)
