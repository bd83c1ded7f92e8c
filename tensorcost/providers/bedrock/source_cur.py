"""Bills in the customer's bucket: exports discovered, deliveries listed and read whole.

A delivery restates its whole billing period. It is read by its manifest alone, and the
manifest is looked at again afterwards: in a bucket that is overwritten in place the files may
have been replaced meanwhile.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any, Final

from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind
from tensorcost.domain.spend.bill import BillDelivery, ParsedBill
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.cur import BillParse, parse_csv, parse_parquet
from tensorcost.providers.bedrock.cur_manifest import (
    DataFile,
    Manifest,
    ManifestError,
    parse_manifest,
    period_of_key,
)
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory
from tensorcost.providers.bedrock.source_objects import (
    etag_now,
    list_objects,
    open_object,
    read_object,
)

HOME_REGION: Final = "us-east-1"
"""Data Exports and legacy report definitions answer in one region."""
_MANIFEST_LIMIT: Final = 8 * 1024 * 1024
_TABLE: Final = "COST_AND_USAGE_REPORT"


@dataclass(frozen=True, slots=True)
class BillExport:
    """One export or legacy report and where it is delivered."""

    name: str
    bucket: str
    prefix: str
    bucket_region: str
    is_healthy: bool = True
    reason: str = ""
    is_legacy: bool = False


@dataclass(frozen=True, slots=True)
class ManifestRef:
    """A manifest as listed: one delivery of one billing period."""

    export: BillExport
    period: date
    key: str
    etag: str
    modified: datetime


def discover_exports(session: AccountSession) -> list[BillExport]:
    """Cost and usage exports of the account, CUR 2.0 and legacy. Raises ProviderError."""
    found = [_export(session, listed) for listed in _listed_exports(session)]
    return [export for export in found if export is not None] + list(_legacy_reports(session))


def list_manifests(
    session: AccountSession, export: BillExport, first: date, last: date
) -> list[ManifestRef]:
    """The manifest of each billing month in ``[first, last]``. Raises ProviderError.

    Where each refresh has a folder of its own, the month's own manifest stands above them and
    names the newest; without one, the newest of the refreshes' own is the month's.
    """
    newest: dict[date, ManifestRef] = {}
    for found in list_objects(session, export.bucket, _folder(export), export.bucket_region):
        if not found.key.lower().endswith("-manifest.json"):
            continue
        period = period_of_key(found.key)
        if period is None or not first.replace(day=1) <= period <= last:
            continue
        ref = ManifestRef(export, period, found.key, found.etag, found.modified)
        known = newest.get(period)
        if known is None or _standing(ref) > _standing(known):
            newest[period] = ref
    return [newest[period] for period in sorted(newest)]


def _standing(ref: ManifestRef) -> tuple[int, datetime, str]:
    """Greater where a manifest goes before another of its month."""
    return -ref.key.count("/"), ref.modified, ref.key


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, its manifest read."""

    ref: ManifestRef
    manifest: Manifest
    etag: str

    @property
    def identity(self) -> BillDelivery:
        return self.manifest.delivery(self.ref.key, self.etag)


def open_delivery(session: AccountSession, ref: ManifestRef) -> Delivery:
    """Read the manifest. Raises ProviderError, with the kind ``invalid`` for one that is odd."""
    export = ref.export
    try:
        data, etag = read_object(
            session, export.bucket, ref.key, export.bucket_region, limit=_MANIFEST_LIMIT
        )
        return Delivery(ref, parse_manifest(data, ref.key), etag)
    except (ManifestError, ValueError) as error:
        raise _failure(session, export, ErrorKind.INVALID, "BadManifest", str(error)) from error


def read_delivery(
    session: AccountSession,
    delivery: Delivery,
    bounds: TimeBounds,
    directory: ProfileDirectory = EMPTY_DIRECTORY,
) -> Iterator[ParsedBill]:
    """Lines of all parts, then the second look at the manifest. Raises ProviderError.

    The kind ``changed`` means that the delivery was replaced or lacks a file: begin again from
    the manifest, and keep nothing of it. All parts are read as they were before the first one.
    """
    export, manifest, offset = delivery.ref.export, delivery.manifest, 0
    parts = [(file, _etag(session, export, file)) for file in manifest.files]
    for file, etag in parts:
        parse = BillParse(file.key, bounds, directory, offset, manifest.promised)
        for bill in _read_part(session, export, file, etag, parse):
            offset += bill.rows_read
            yield bill
    now = etag_now(session, export.bucket, delivery.ref.key, export.bucket_region)
    if now != delivery.etag:
        raise _changed(session, export, "the manifest was replaced")
    for file, etag in parts:
        if _etag(session, export, file) != etag:
            raise _changed(session, export, f"{file.key} was replaced")


def _etag(session: AccountSession, export: BillExport, file: DataFile) -> str:
    """A part's present ETag."""
    if file.bucket not in ("", export.bucket):
        raise _failure(
            session, export, ErrorKind.INVALID, "ForeignBucket", "a file lies in another bucket"
        )
    with _missing_is_changed(session, export, file):
        return etag_now(session, export.bucket, file.key, export.bucket_region)


def _read_part(
    session: AccountSession, export: BillExport, file: DataFile, etag: str, parse: BillParse
) -> Iterator[ParsedBill]:
    with (
        _missing_is_changed(session, export, file),
        open_object(session, export.bucket, file.key, export.bucket_region, etag=etag) as chunks,
    ):
        if not file.is_parquet:
            yield from parse_csv(chunks, parse)
            return
        with _seekable(chunks) as spooled:
            yield from parse_parquet(spooled, parse)


@contextmanager
def _missing_is_changed(
    session: AccountSession, export: BillExport, file: DataFile
) -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            raise _changed(session, export, f"{file.key} is gone") from error
        raise


@contextmanager
def _seekable(chunks: Iterator[bytes]) -> Iterator[IO[bytes]]:
    """Parquet is read from its end: the part waits in an unnamed file for as long as that."""
    with tempfile.TemporaryFile(prefix="bill-part-") as file:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        yield file


def _folder(export: BillExport) -> str:
    head = f"{export.prefix.strip('/')}/" if export.prefix.strip("/") else ""
    name = f"{export.name}/" if export.name else ""
    return f"{head}{name}" if export.is_legacy or not name else f"{head}{name}metadata/"


def _listed_exports(session: AccountSession) -> Iterator[dict[str, Any]]:
    given: dict[str, Any] = {"MaxResults": 100}
    while True:
        page = session.call("bcm-data-exports", "list_exports", HOME_REGION, **given)
        yield from page.get("Exports", [])
        token = page.get("NextToken")
        if not token:
            return
        given["NextToken"] = token


def _export(session: AccountSession, listed: dict[str, Any]) -> BillExport | None:
    answer = session.call(
        "bcm-data-exports", "get_export", HOME_REGION, ExportArn=listed["ExportArn"]
    )
    export = answer["Export"]
    query = str(export.get("DataQuery", {}).get("QueryStatement", ""))
    if _TABLE not in query.upper():
        return None
    place = export.get("DestinationConfigurations", {}).get("S3Destination", {})
    status = answer.get("ExportStatus") or listed.get("ExportStatus") or {}
    return BillExport(
        name=str(export["Name"]),
        bucket=str(place.get("S3Bucket", "")),
        prefix=str(place.get("S3Prefix", "")),
        bucket_region=str(place.get("S3Region", HOME_REGION)),
        is_healthy=status.get("StatusCode", "HEALTHY") == "HEALTHY",
        reason=str(status.get("StatusReason", "")),
    )


def _legacy_reports(session: AccountSession) -> Iterator[BillExport]:
    given: dict[str, Any] = {"MaxResults": 5}
    while True:
        page = session.call("cur", "describe_report_definitions", HOME_REGION, **given)
        for report in page.get("ReportDefinitions", []):
            last = (report.get("ReportStatus") or {}).get("lastStatus", "SUCCESS")
            yield BillExport(
                name=str(report["ReportName"]),
                bucket=str(report["S3Bucket"]),
                prefix=str(report.get("S3Prefix", "")),
                bucket_region=str(report.get("S3Region", HOME_REGION)),
                is_healthy=last == "SUCCESS",
                reason="" if last == "SUCCESS" else str(last),
                is_legacy=True,
            )
        token = page.get("NextToken")
        if not token:
            return
        given["NextToken"] = token


def _changed(session: AccountSession, export: BillExport, message: str) -> ProviderError:
    return _failure(session, export, ErrorKind.CHANGED, "DeliveryReplaced", message)


def _failure(
    session: AccountSession, export: BillExport, kind: ErrorKind, code: str, message: str
) -> ProviderError:
    return ProviderError(
        CallFailure(
            kind=kind,
            service="s3",
            operation="GetObject",
            code=code,
            account=session.account_id,
            region=export.bucket_region,
            message=message,
        )
    )
