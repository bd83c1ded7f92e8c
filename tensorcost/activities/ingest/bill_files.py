"""Bills from disk: each billing period that a bill's files hold is one delivery of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from tensorcost.activities.ingest.bill_folders import BillParts
from tensorcost.activities.ingest.bills import BillIngest, is_mostly_bad
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.ingest.stamps import CHANGED, Stamps
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ParsedBill
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import BillParse, is_incomplete, parse_bill_file
from tensorcost.providers.exports.azure_export import read_azure_export
from tensorcost.providers.exports.bill_file import BillFiles
from tensorcost.providers.exports.focus import read_focus
from tensorcost.providers.exports.text_lines import combined_hash, content_hash
from tensorcost.storage.spend.batches import Origin


class BillFormat(StrEnum):
    AWS_CUR = "aws-cur"
    FOCUS = "focus"
    AZURE_EXPORT = "azure-export"

    @property
    def has_manifests(self) -> bool:
        """AWS writes one for each month of an export."""
        return self is not BillFormat.AZURE_EXPORT


@dataclass(frozen=True, slots=True)
class BillSource:
    """A bill as asked for; a later one under the same export name restates its periods."""

    parts: BillParts
    files: BillFiles
    format: BillFormat
    bounds: TimeBounds
    stamps: Stamps
    """Taken before the files were hashed."""
    currency: str | None = None
    """Azure exports: of a layout that states none."""

    @classmethod
    def of(
        cls, parts: BillParts, kind: BillFormat, bounds: TimeBounds, currency: str | None
    ) -> "BillSource":
        """The parts as they are on disk now."""
        stamps = Stamps(parts.paths)
        return cls(parts, _distinct_files(parts), kind, bounds, stamps, currency)


@dataclass(frozen=True, slots=True)
class LoadedBill:
    """What became of a bill in one billing period."""

    export_name: str
    etag: str
    period: date | None
    """None where it was refused before a period was found."""
    report: IngestReport


@dataclass(slots=True)
class _CurContents:
    """What one pass over a Cost and Usage Report finds."""

    rows_read: int = 0
    rejects: list[Reject] = field(default_factory=list)
    periods: set[date] = field(default_factory=set)


def _distinct_files(parts: BillParts) -> BillFiles:
    """The files to read. One with the content of another is a copy, and counts once."""
    hashes = [content_hash(path) for path in parts.paths]
    first = [index for index, one in enumerate(hashes) if one not in hashes[:index]]
    return BillFiles(
        export_name=parts.export_name,
        paths=tuple(parts.paths[index] for index in first),
        labels=tuple(parts.labels[index] for index in first),
        etag=combined_hash([hashes[index] for index in first]),
        name=parts.name,
        is_alone=parts.is_alone,
    )


async def load_bill_files(
    bills: BillIngest,
    tenant_id: TenantId,
    origin: Origin,
    source: BillSource,
    on_file: Callable[[Path], None],
) -> list[LoadedBill]:
    """Load every period of the bill; of one that is torn, or mostly bad, none.

    ``on_file`` is called when a file is read for the first time.
    """
    deliveries = _Deliveries(bills, tenant_id, origin, source)
    manifest = source.parts.manifest
    if manifest is not None and manifest.rejects:
        rejects = list(manifest.rejects)
        periods = [] if manifest.period is None else [manifest.period]
        return await deliveries.refuse(rejects, len(rejects), periods)
    if source.format is BillFormat.AWS_CUR:
        return await _load_cur(deliveries, source, on_file)
    for path in source.files.paths:
        on_file(path)
    if source.format is BillFormat.FOCUS:
        found = read_focus(source.files)
    else:
        found = read_azure_export(source.files, currency=source.currency)
    periods = [one.delivery.period for one in found.periods]
    if not periods or _is_refused(found.rejects, found.rows_read):
        return await deliveries.refuse(list(found.rejects), found.rows_read, periods)
    loaded = [await deliveries.load(one.delivery.period, one.parts) for one in found.periods]
    return _told_again(loaded, found.rejects)


@dataclass(frozen=True, slots=True)
class _Deliveries:
    """Loads and refuses periods of one bill."""

    bills: BillIngest
    tenant_id: TenantId
    origin: Origin
    source: BillSource

    async def load(self, period: date, parts: Callable[[], Iterator[ParsedBill]]) -> LoadedBill:
        delivery = self.source.files.delivery(period)
        report = await self.bills.load_bill(
            self.tenant_id, self.origin, delivery, lambda: self._unchanged(parts())
        )
        return self._loaded(period, report)

    def _unchanged(self, parts: Iterator[ParsedBill]) -> Iterator[ParsedBill]:
        """The parts; files that changed under the reader are no delivery."""
        yield from parts
        files = self.source.files
        names = dict(zip(files.paths, files.labels, strict=True))
        rejects = [
            Reject(names[path], 0, RejectReason.BROKEN_DELIVERY, CHANGED)
            for path in self.source.stamps.changed()
            if path in names
        ]
        if rejects:
            yield ParsedBill(rejects=rejects, rows_read=len(rejects))

    async def refuse(
        self, rejects: list[Reject], rows_read: int, periods: Sequence[date]
    ) -> list[LoadedBill]:
        """The first period answers for the rows."""
        report = await self.bills.refuse(self.tenant_id, self.origin, rejects, rows_read)
        loaded = [self._loaded(periods[0] if periods else None, report)]
        rest = [self._loaded(period, IngestReport(refused=True)) for period in periods[1:]]
        return loaded + rest

    def _loaded(self, period: date | None, report: IngestReport) -> LoadedBill:
        files = self.source.files
        return LoadedBill(files.export_name, files.etag, period, report)


async def _load_cur(
    deliveries: _Deliveries, source: BillSource, on_file: Callable[[Path], None]
) -> list[LoadedBill]:
    if source.parts.period is not None:
        of_month = await deliveries.load(source.parts.period, lambda: _cur_parts(source, on_file))
        if of_month.report.already_loaded:
            parts = _cur_parts(source, on_file)
            return _told_again([of_month], [one for part in parts for one in part.rejects])
        return [of_month]
    contents = _CurContents()
    for part in _cur_parts(source, on_file):
        contents.rows_read += part.rows_read
        contents.rejects.extend(part.rejects)
        contents.periods.update(_period(line) for line in part.lines)
        if part.columns is not None:
            contents.periods |= part.columns.months()
    periods = sorted(contents.periods)
    if not periods or _is_refused(contents.rejects, contents.rows_read):
        return await deliveries.refuse(contents.rejects, contents.rows_read, periods)
    loaded = [
        await deliveries.load(period, _only(source, period, whole_file=number == 0))
        for number, period in enumerate(periods)
    ]
    return _told_again(loaded, contents.rejects)


def _told_again(loaded: list[LoadedBill], rejects: Sequence[Reject]) -> list[LoadedBill]:
    """A bill that is there is not loaded again; what is wrong with its file is still told."""
    first = loaded[0].report
    if first.checkpoint is not None:
        first.checkpoint = replace(first.checkpoint, rejected=len(rejects))
        first.rejects = list(rejects)
    return loaded


def _is_refused(rejects: Sequence[Reject], rows_read: int) -> bool:
    return is_incomplete(rejects) or is_mostly_bad(len(rejects), rows_read)


def _cur_parts(
    source: BillSource, on_file: Callable[[Path], None] = lambda _: None
) -> Iterator[ParsedBill]:
    """Of all files. Without a single row it is no bill: it must not empty a month."""
    manifest = source.parts.manifest
    promised = frozenset[str]() if manifest is None else manifest.promised
    offset = 0
    for path, label in zip(source.files.paths, source.files.labels, strict=True):
        on_file(path)
        parse = BillParse(label, source.bounds, line_offset=offset, promised=promised)
        with path.open("rb") as file:
            for part in parse_bill_file(file, parse):
                offset += part.rows_read
                yield part
    if not offset:
        empty = Reject(source.files.name, 0, RejectReason.NO_ROWS)
        yield ParsedBill(rejects=[empty], rows_read=1)


def _only(
    source: BillSource, period: date, *, whole_file: bool
) -> Callable[[], Iterator[ParsedBill]]:
    """The period's lines; the first period also answers for the file's rows and rejects."""

    def parts() -> Iterator[ParsedBill]:
        for part in _cur_parts(source):
            lines = [line for line in part.lines if _period(line) == period]
            columns = None if part.columns is None else part.columns.of_month(period)
            if whole_file:
                yield ParsedBill(lines, part.rejects, part.rows_read, columns)
            elif lines or columns:
                yield ParsedBill(lines, columns=columns)

    return parts


def _period(line: BillLine) -> date:
    return line.billing_period or line.usage_start.date().replace(day=1)
