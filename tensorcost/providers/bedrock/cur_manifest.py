"""Manifests of CUR 2.0 exports and of legacy reports.

AWS documents that a manifest lists columns, data files and period, not how its members are
called: every spelling seen or likely is accepted, and the period may come from the key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from tensorcost.domain.spend.bill import BillDelivery
from tensorcost.providers.bedrock.cur_columns import CORE, canonical_name

_FILE_MEMBERS: Final = (
    "dataFiles", "dataFileUris", "dataFileKeys", "reportKeys", "files", "data_files", "objects",
)  # fmt: skip
_KEY_MEMBERS: Final = ("uri", "s3Uri", "url", "key", "path", "name", "filePath", "s3Key")
_PERIOD_MEMBERS: Final = ("billingPeriod", "billing_period", "period", "BILLING_PERIOD")
_NAME_MEMBERS: Final = ("exportName", "reportName", "export_name", "name")
_RUN_MEMBERS: Final = ("executionId", "execution_id", "assemblyId", "assembly_id")
_BUCKET_MEMBERS: Final = ("bucket", "bucketName", "s3Bucket")
_MONTH_IN_KEY: Final = re.compile(r"BILLING_PERIOD=(\d{4})-(\d{2})", re.IGNORECASE)
_LEGACY_IN_KEY: Final = re.compile(r"/(\d{4})(\d{2})\d{2}-\d{8}/")
_EXECUTION_IN_KEY: Final = re.compile(r"BILLING_PERIOD=[^/]+/([^/]+)/[^/]+$", re.IGNORECASE)


class ManifestError(ValueError):
    """The manifest cannot be understood. The message says which part."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file. ``bucket`` is empty where the manifest names only a key."""

    bucket: str
    key: str

    @property
    def is_parquet(self) -> bool:
        return self.key.lower().endswith(".parquet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one delivery consists of, in the order in which its lines are numbered."""

    export_name: str
    period: date
    files: tuple[DataFile, ...]
    execution_id: str = ""
    columns: tuple[str, ...] = field(default=())

    @property
    def promised(self) -> frozenset[str]:
        """Columns that every part must have, by CUR 2.0 name: those that the manifest lists of
        the ones that amounts and classes depend on."""
        return CORE & {canonical_name(name) for name in self.columns}

    def delivery(self, key: str, etag: str) -> BillDelivery:
        """Identity of this restatement, given the manifest's own key and ETag."""
        return BillDelivery(self.export_name, self.period, key, etag, self.execution_id)


def parse_manifest(data: bytes, key: str) -> Manifest:
    """Read a manifest. Raises ManifestError when it names no files or no period."""
    try:
        body = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ManifestError("the manifest is not JSON") from error
    if not isinstance(body, Mapping):
        raise ManifestError("the manifest is not an object")
    files = _files(body)
    if not files:
        raise ManifestError("the manifest names no data files")
    run = _text(body, _RUN_MEMBERS)
    if not run and (found := _EXECUTION_IN_KEY.search(key)):
        run = found[1]
    return Manifest(
        export_name=_text(body, _NAME_MEMBERS) or _name_of_key(key),
        period=_period(body, key),
        files=files,
        execution_id=run,
        columns=_columns(body),
    )


def period_of_key(key: str) -> date | None:
    """First day of the billing month that a key names, or None."""
    found = _MONTH_IN_KEY.search(key) or _LEGACY_IN_KEY.search(key)
    if found is None or not 1 <= int(found[2]) <= 12:
        return None
    return date(int(found[1]), int(found[2]), 1)


def _text(body: Mapping[str, object], members: tuple[str, ...]) -> str:
    for member in members:
        if isinstance(value := body.get(member), str) and value:
            return value
    return ""


def _name_of_key(key: str) -> str:
    return re.sub(r"-?manifest$", "", key.rsplit("/", 1)[-1].split(".", 1)[0], flags=re.IGNORECASE)


def _files(body: Mapping[str, object]) -> tuple[DataFile, ...]:
    bucket = _text(body, _BUCKET_MEMBERS)
    for member in _FILE_MEMBERS:
        listed = body.get(member)
        if isinstance(listed, list) and listed:
            return tuple(file for item in listed if (file := _file(item, bucket)) is not None)
    return ()


def _file(item: object, bucket: str) -> DataFile | None:
    if isinstance(item, Mapping):
        bucket = _text(item, _BUCKET_MEMBERS) or bucket
        item = _text(item, _KEY_MEMBERS)
    if not isinstance(item, str) or not item:
        return None
    scheme, found, rest = item.partition("://")
    if found:
        if scheme not in ("s3", "s3a", "s3n"):
            return None
        bucket, _, item = rest.partition("/")
    return DataFile(bucket, item.lstrip("/"))


def _columns(body: Mapping[str, object]) -> tuple[str, ...]:
    listed = body.get("columns")
    if not isinstance(listed, list):
        return ()
    names: list[str] = []
    for item in listed:
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, Mapping) and (name := _text(item, ("name", "columnName"))):
            category = _text(item, ("category",))
            names.append(f"{category}/{name}" if category else name)
    return tuple(names)


def _period(body: Mapping[str, object], key: str) -> date:
    for member in _PERIOD_MEMBERS:
        value = body.get(member)
        if isinstance(value, Mapping):
            value = _text(value, ("start", "startDate", "from"))
        if isinstance(value, str) and (found := _month(value)):
            return found
    if found := period_of_key(key):
        return found
    raise ManifestError("the manifest names no billing period")


def _month(text: str) -> date | None:
    for form in ("%Y-%m", "%Y%m%dT%H%M%S.%fZ", "%Y%m%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC, day=1).date()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).date().replace(day=1)
    except ValueError:
        return None
