"""Bring your own export: files from disk through the same parsing, pricing and loading.

The command line calls this module directly (decisions 36): no Temporal, no outside system.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_files import (
    BillFormat,
    BillSource,
    LoadedBill,
    distinct_files,
    load_bill_files,
)
from tensorcost.activities.ingest.bill_folders import find_bills
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.bedrock.model_family import family_and_tier
from tensorcost.providers.exports.event_spec import CachedTokens, EventSpec
from tensorcost.providers.exports.events import read_events
from tensorcost.providers.exports.text_lines import content_hash
from tensorcost.storage.secrets import read_secret
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tensorcost.storage.spend.quarantine import kept_rejects

IMPORT_ORIGIN: Final = Origin("import")
_HASHING_KEY: Final = "content_hash"
_BLOCK: Final = 1 << 18
_SPEND: Final = (FileFormat.BEDROCK_LOGS, FileFormat.EVENTS)
_CURRENCY: Final = "currency"


@dataclass(frozen=True, slots=True)
class FileImport:
    """One import as asked for. ``path`` is a file, or a folder of files of the format."""

    path: Path
    format: FileFormat
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    cached: CachedTokens = CachedTokens.BESIDE
    time_format: str = ""
    """Events: the form of ``timestamp``, where it is none that is read unasked."""
    export_name: str = ""
    """Bills: a later import under the same name restates the period; default the name of the
    file, or of the folder that holds the export."""


@dataclass(slots=True)
class FilesReport:
    """What an import did, and what it loaded, for the summary."""

    total: IngestReport = field(default_factory=IngestReport)
    files: int = 0
    objects: list[ObjectRef] = field(default_factory=list)
    bills: list[LoadedBill] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    """Files of a bill with the content of another one: read once."""
    refused: list[str] = field(default_factory=list)
    """Files, and exports of bills, of which nothing was taken."""


OnFile = Callable[[Path, int, int], None]
"""Called before each file with its number from 0 and how many there are."""


class FileImporter:
    """Loads files of any format for one tenant."""

    def __init__(self, db: Database, spend: SpendIngest, bills: BillIngest, clock: Clock) -> None:
        self._db = db
        self._spend = spend
        self._bills = bills
        self._clock = clock

    async def load(
        self, tenant_id: TenantId, wanted: FileImport, on_file: OnFile | None = None
    ) -> FilesReport:
        """Load every file; a file loaded before counts its rows as duplicates.

        Files of a bill are loaded together where they are its parts, as ``find_bills`` says.
        Raises ValidationFailed for options that do not fit or a path without files.
        """
        now = self._clock()
        report = FilesReport()
        if not wanted.path.exists():
            raise ValidationFailed(f"{wanted.path} does not exist", field="path")
        if wanted.format not in _SPEND:
            await self._load_bills(tenant_id, wanted, now, report, on_file)
            return report
        if wanted.format is FileFormat.BEDROCK_LOGS:
            _refuse_event_options(wanted, wanted.constants)
        paths = _paths(wanted)
        for number, path in enumerate(paths):
            if on_file is not None:
                on_file(path, number, len(paths))
            one = await self._load_one(tenant_id, wanted, path, now, report)
            if one.checkpoint is not None and one.checkpoint.rejected:
                async with self._db.tenant(tenant_id) as tx:
                    ref, most = report.objects[-1], one.checkpoint.rejected
                    one.rejects = await kept_rejects(tx, IMPORT_ORIGIN, ref, path.name, most)
            report.total.merge(one)
            report.files += 1
            if one.took_nothing:
                report.refused.append(path.name)
        return report

    async def _load_one(
        self,
        tenant_id: TenantId,
        wanted: FileImport,
        path: Path,
        now: datetime,
        report: FilesReport,
    ) -> IngestReport:
        file_hash = content_hash(path)
        ref = ObjectRef(f"{wanted.format}:{path.name}", _reading(wanted, file_hash))
        report.objects.append(ref)
        if wanted.format is FileFormat.EVENTS:
            spec = _event_spec(wanted, now)
            return await self._spend.load_object(
                tenant_id,
                IMPORT_ORIGIN,
                ref,
                lambda: _or_no_rows(path, read_events(path, spec)),
                seen=True,
                file=path.name,
            )
        parse = await self._log_parse(tenant_id, path, file_hash, now)
        return await self._spend.load_object(
            tenant_id,
            IMPORT_ORIGIN,
            ref,
            lambda: _or_no_rows(path, _log_rows(path, parse)),
            overlap=True,
            file=path.name,
        )

    async def _load_bills(
        self,
        tenant_id: TenantId,
        wanted: FileImport,
        now: datetime,
        report: FilesReport,
        on_file: OnFile | None,
    ) -> None:
        currency = _currency(wanted)
        kind = BillFormat(wanted.format.value)
        found = find_bills(wanted.path, wanted.export_name, has_manifests=kind.has_manifests)
        numbers = {path: n for n, path in enumerate(p for one in found for p in one.paths)}
        for parts in found:
            files = distinct_files(parts)
            report.copies += sorted(set(parts.labels) - set(files.labels))
            report.files += len(parts.paths)
            loaded = await load_bill_files(
                self._bills,
                tenant_id,
                IMPORT_ORIGIN,
                BillSource(parts, files, kind, TimeBounds.at(now), currency),
                lambda path: on_file(path, numbers[path], len(numbers)) if on_file else None,
            )
            report.bills += loaded
            for one in loaded:
                report.total.merge(one.report)
            if any(one.report.refused for one in loaded):
                report.refused.append(parts.export_name)

    async def _log_parse(
        self, tenant_id: TenantId, path: Path, file_hash: str, now: datetime
    ) -> LogParse:
        async with self._db.tenant(tenant_id) as tx:
            key = await read_secret(tx, _HASHING_KEY)
        if key is None:
            raise ValidationFailed("the tenant has no hashing key: create it with tenant create")
        return LogParse(
            file=path.name, hash_key=key, bounds=TimeBounds.at(now), file_hash=file_hash
        )


def _paths(wanted: FileImport) -> list[Path]:
    if wanted.path.is_file():
        return [wanted.path]
    found = sorted(path for path in wanted.path.rglob("*") if _is_data(path, wanted.format))
    if not found:
        raise ValidationFailed(f"{wanted.path} holds no file to import", field="path")
    return found


def _is_data(path: Path, file_format: FileFormat) -> bool:
    if not path.is_file() or path.name.startswith("."):
        return False
    if file_format is FileFormat.BEDROCK_LOGS:
        return "data" not in path.parts[-2:-1] and ".json" in path.name
    return True


def _event_spec(wanted: FileImport, now: datetime) -> EventSpec:
    return EventSpec(
        bounds=TimeBounds.at(now),
        mapping=wanted.mapping,
        constants=wanted.constants,
        cached=wanted.cached,
        family_of=family_and_tier,
        time_format=wanted.time_format,
    )


def _reading(wanted: FileImport, file_hash: str) -> str:
    """The version of a file as read: with other options it is read anew, for what they take."""
    options = (wanted.mapping, wanted.constants)
    told = [[f"{k}={v}" for k, v in sorted(one.items())] for one in options]
    if not any(told) and wanted.cached is CachedTokens.BESIDE and not wanted.time_format:
        return file_hash
    digest = blake2b(repr((told, wanted.cached.value, wanted.time_format)).encode(), digest_size=8)
    return f"{file_hash}:{digest.hexdigest()}"


def _currency(wanted: FileImport) -> str | None:
    """What ``--set currency=`` says, which is for the Azure layouts that state none."""
    told = dict(wanted.constants)
    currency = told.pop(_CURRENCY, None) if wanted.format is FileFormat.AZURE_EXPORT else None
    _refuse_event_options(wanted, told)
    return currency


def _refuse_event_options(wanted: FileImport, constants: Mapping[str, str]) -> None:
    if wanted.mapping or constants or wanted.time_format:
        raise ValidationFailed(
            "--map, --set and --time-format belong to --format events", field="map"
        )


def _or_no_rows(path: Path, batches: Iterator[ParsedSpend]) -> Iterator[ParsedSpend]:
    """The batches; a file without a single row is told of, for it may have been lost on its way."""
    batch = None
    for batch in batches:
        yield batch
    if batch is None:
        empty = Reject(path.name, 0, RejectReason.NO_ROWS)
        yield ParsedSpend(Grain.REQUEST, rejects=[empty], rows_read=1)


def _log_rows(path: Path, parse: LogParse) -> Iterator[ParsedSpend]:
    with path.open("rb") as file:
        yield from parse_object(iter(lambda: file.read(_BLOCK), b""), parse)
