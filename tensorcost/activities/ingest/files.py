"""Bring your own export: files from disk through the same parsing, pricing and loading.

The command line calls this module directly (decisions 36): no Temporal, no outside system.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_files import (
    BillFormat,
    BillSource,
    LoadedBill,
    load_bill_files,
)
from tensorcost.activities.ingest.bill_folders import find_bills
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.call_files import (
    BODIES,
    call_files,
    log_rows,
    reading,
    whole_file,
)
from tensorcost.activities.ingest.leftovers import left_out
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.ingest.stamps import Stamps, readable
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.providers.bedrock.invocation_log import LogParse
from tensorcost.providers.bedrock.model_family import family_and_tier
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.event_spec import CachedTokens, EventSpec
from tensorcost.providers.exports.events import read_events
from tensorcost.providers.exports.text_lines import content_hash
from tensorcost.storage.secrets import read_secret
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tensorcost.storage.spend.quarantine import kept_rejects

IMPORT_ORIGIN: Final = Origin("import")
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
    skipped: list[str] = field(default_factory=list)
    """Files of a folder that were not read: no data by their name, or of no bill."""


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
        Of a folder, a file of another kind is one reject, and the others are loaded. Raises
        ValidationFailed for options that do not fit, a path without files, or one file alone
        that is of another kind.
        """
        if not wanted.path.exists():
            raise ValidationFailed(f"{wanted.path} does not exist", field="path")
        job = _Job(tenant_id, wanted, self._clock(), on_file)
        if wanted.format in _SPEND:
            await self._load_calls(job)
        else:
            await self._load_bills(job)
        return job.report

    async def _load_calls(self, job: "_Job") -> None:
        wanted, report = job.wanted, job.report
        is_logs = wanted.format is FileFormat.BEDROCK_LOGS
        if is_logs:
            _refuse_event_options(wanted, wanted.constants)
        paths = call_files(wanted.path, wanted.format)
        if not paths:
            raise ValidationFailed(f"{wanted.path} holds no file to import", field="path")
        report.skipped = left_out(wanted.path, paths, whole=BODIES if is_logs else "")
        for number, path in enumerate(paths):
            job.begin(path, number, len(paths))
            try:
                with readable():
                    one = await self._load_file(job, path)
            except BadFile as bad:
                if path == wanted.path:
                    raise
                one = await self._refuse(job, path.name, bad)
            report.total.merge(one)
            report.files += 1
            if one.took_nothing:
                report.refused.append(path.name)

    async def _load_file(self, job: "_Job", path: Path) -> IngestReport:
        """A file that was loaded before is not read again; what was rejected of it is told."""
        wanted, stamps = job.wanted, Stamps([path])
        file_hash = content_hash(path)
        options = (wanted.mapping, wanted.constants)
        version = reading(file_hash, options, wanted.cached, wanted.time_format)
        ref = ObjectRef(f"{wanted.format}:{path.name}", version)
        job.report.objects.append(ref)
        is_events = wanted.format is FileFormat.EVENTS
        if is_events:
            rows = partial(read_events, path, _event_spec(wanted, job.now))
        else:
            rows = partial(log_rows, path, await self._log_parse(job, path, file_hash))
        one = await self._spend.load_object(
            job.tenant_id,
            IMPORT_ORIGIN,
            ref,
            lambda: whole_file(path, rows(), stamps),
            seen=is_events,
            overlap=not is_events,
            file=path.name,
        )
        if one.checkpoint is not None and one.checkpoint.rejected:
            async with self._db.tenant(job.tenant_id) as tx:
                most = one.checkpoint.rejected
                one.rejects = await kept_rejects(tx, IMPORT_ORIGIN, ref, path.name, most)
        return one

    async def _load_bills(self, job: "_Job") -> None:
        wanted, report = job.wanted, job.report
        currency = _currency(wanted)
        kind = BillFormat(wanted.format.value)
        found = find_bills(wanted.path, wanted.export_name, has_manifests=kind.has_manifests)
        manifests = [one.manifest.path for one in found if one.manifest is not None]
        used = [path for one in found for path in one.paths]
        report.skipped = left_out(wanted.path.resolve(), [*used, *manifests])
        numbers = {path: number for number, path in enumerate(used)}
        for parts in found:
            report.files += len(parts.paths)
            try:
                with readable():
                    source = BillSource.of(parts, kind, TimeBounds.at(job.now), currency)
                    report.copies += sorted(set(parts.labels) - set(source.files.labels))
                    loaded = await load_bill_files(
                        self._bills,
                        job.tenant_id,
                        IMPORT_ORIGIN,
                        source,
                        lambda path: job.begin(path, numbers[path], len(numbers)),
                    )
            except BadFile as bad:
                if parts.is_alone:
                    raise
                refused = await self._refuse(job, parts.name, bad)
                loaded = [LoadedBill(parts.export_name, "", parts.period, refused)]
            report.bills += loaded
            for one in loaded:
                report.total.merge(one.report)
            if any(one.report.refused for one in loaded):
                report.refused.append(parts.export_name)

    async def _refuse(self, job: "_Job", name: str, bad: BadFile) -> IngestReport:
        reject = Reject(name, 0, bad.reason, bad.detail)
        return await self._bills.refuse(job.tenant_id, IMPORT_ORIGIN, [reject], 1)

    async def _log_parse(self, job: "_Job", path: Path, file_hash: str) -> LogParse:
        async with self._db.tenant(job.tenant_id) as tx:
            key = await read_secret(tx, StoredSecretKind.CONTENT_HASH)
        if key is None:
            raise ValidationFailed("the tenant has no hashing key: create it with tenant create")
        return LogParse(
            file=path.name, hash_key=key, bounds=TimeBounds.at(job.now), file_hash=file_hash
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """One import as it goes on."""

    tenant_id: TenantId
    wanted: FileImport
    now: datetime
    on_file: OnFile | None
    report: FilesReport = field(default_factory=FilesReport)

    def begin(self, path: Path, number: int, count: int) -> None:
        if self.on_file is not None:
            self.on_file(path, number, count)


def _event_spec(wanted: FileImport, now: datetime) -> EventSpec:
    return EventSpec(
        bounds=TimeBounds.at(now),
        mapping=wanted.mapping,
        constants=wanted.constants,
        cached=wanted.cached,
        family_of=family_and_tier,
        time_format=wanted.time_format,
    )


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
