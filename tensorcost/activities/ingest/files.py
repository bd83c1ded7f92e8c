"""Bring your own export: files from disk through the same parsing, pricing and loading.

The command line calls this module directly (decisions 36): no Temporal, no outside system.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_files import BillFormat, BillSource, load_bill_file
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.bedrock.model_family import family_and_tier
from tensorcost.providers.exports.event_spec import CachedTokens, EventSpec
from tensorcost.providers.exports.events import read_events
from tensorcost.providers.exports.text_lines import content_hash
from tensorcost.storage.secrets import read_secret
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin

IMPORT_ORIGIN: Final = Origin("import")
_HASHING_KEY: Final = "content_hash"
_BLOCK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class FileImport:
    """One import as asked for. ``path`` is a file, or a folder of files of the format."""

    path: Path
    format: FileFormat
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    cached: CachedTokens = CachedTokens.BESIDE
    export_name: str = ""
    """Bills: a later import under the same name restates the period; default the file's name."""


@dataclass(slots=True)
class FilesReport:
    """What an import did, and what it loaded, for the summary."""

    total: IngestReport = field(default_factory=IngestReport)
    files: int = 0
    objects: list[ObjectRef] = field(default_factory=list)
    deliveries: list[tuple[str, str]] = field(default_factory=list)
    """(export name, content hash) of each bill file."""


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

        Raises ValidationFailed for options that do not fit or a path without files.
        """
        now = self._clock()
        report = FilesReport()
        paths = _paths(wanted)
        for number, path in enumerate(paths):
            if on_file is not None:
                on_file(path, number, len(paths))
            one = await self._load_one(tenant_id, wanted, path, now, report)
            report.total.merge(one)
            report.files += 1
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
        if wanted.format in (FileFormat.BEDROCK_LOGS, FileFormat.EVENTS):
            ref = ObjectRef(f"{wanted.format}:{path.name}", file_hash)
            report.objects.append(ref)
            if wanted.format is FileFormat.EVENTS:
                spec = _event_spec(wanted, now)
                return await self._spend.load_object(
                    tenant_id, IMPORT_ORIGIN, ref, lambda: read_events(path, spec), seen=True
                )
            parse = await self._log_parse(tenant_id, path, file_hash, now)
            return await self._spend.load_object(
                tenant_id, IMPORT_ORIGIN, ref, lambda: _log_rows(path, parse), overlap=True
            )
        _refuse_event_options(wanted)
        name = wanted.export_name or path.name
        report.deliveries.append((name, file_hash))
        source = BillSource(
            path, BillFormat(wanted.format.value), name, file_hash, TimeBounds.at(now)
        )
        return await load_bill_file(self._bills, tenant_id, IMPORT_ORIGIN, source)

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
    if not wanted.path.is_dir():
        raise ValidationFailed(f"{wanted.path} does not exist", field="path")
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
    )


def _refuse_event_options(wanted: FileImport) -> None:
    if wanted.mapping or wanted.constants:
        raise ValidationFailed("--map and --set belong to --format events", field="map")


def _log_rows(path: Path, parse: LogParse) -> Iterator[ParsedSpend]:
    with path.open("rb") as file:
        yield from parse_object(iter(lambda: file.read(_BLOCK), b""), parse)
