"""Reading one work item of a Bedrock connection, source by source, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final, Self, TypeVar

from tensorcost.activities.integration.bedrock.access import (
    PROBE_OF,
    BedrockAccess,
    attribution_of,
    with_bucket,
)
from tensorcost.activities.integration.ports import (
    BillChunk,
    Chunk,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
    WindowChunk,
)
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.domain.integration.states import SourceKind
from tensorcost.domain.spend.bill import BillDelivery, ParsedBill
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.attribution import AttributionRules
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_messages, parse_object
from tensorcost.providers.bedrock.metrics import MetricParse, parse_metrics
from tensorcost.providers.bedrock.profiles import ProfileDirectory
from tensorcost.providers.bedrock.source_control import (
    directory_of,
    list_callable_models,
    list_profiles,
)
from tensorcost.providers.bedrock.source_cur import (
    BillExport,
    Delivery,
    ManifestRef,
    list_manifests,
    open_delivery,
    read_delivery,
)
from tensorcost.providers.bedrock.source_logs import read_log_events
from tensorcost.providers.bedrock.source_metrics import list_models, read_metrics
from tensorcost.providers.bedrock.source_objects import (
    LogBucket,
    StoredObject,
    list_log_objects,
    log_folder,
    open_object,
)
from tensorcost.storage.spend.batches import ObjectRef

T = TypeVar("T")
MIDNIGHT: Final = time()
LOG_SLICE: Final = timedelta(hours=6)
"""What of a log group is loaded in one transaction."""
VANISHED_AFTER: Final = 1.0
"""Seconds after which a listing without the vanished object can be had."""
LISTED_FOR: Final = timedelta(days=13)
"""CloudWatch lists a metric for two weeks after its last point; older windows ask by name."""


@dataclass(frozen=True, slots=True)
class ItemReader:
    """One item's read. ``chunks`` raises ConnectorError, also while a chunk is consumed."""

    access: BedrockAccess
    job: ReadJob
    now: datetime
    directory: ProfileDirectory
    attribution: AttributionRules

    @classmethod
    def of(cls, access: BedrockAccess, job: ReadJob, now: datetime) -> Self:
        rules = attribution_of(job.connection)
        return cls(access, job, now, directory_of(job.profiles), rules)

    def chunks(self) -> Iterator[Chunk]:
        """Chunks after the job's position, in order of position."""
        return self._translated(self._raw())

    def _raw(self) -> Iterator[Chunk]:
        item = self.job.item
        session = self.access.session(self.job.connection, item.site.account_id)
        match item.site.source:
            case SourceKind.LOGS_S3:
                return self._log_objects(session)
            case SourceKind.LOGS_CLOUDWATCH:
                return self._log_events(session)
            case SourceKind.METRICS:
                return self._metrics(session)
            case SourceKind.BILL:
                return self._bills(session)
            case SourceKind.PROFILES:
                return self._profiles(session)

    def _log_objects(self, session: AccountSession) -> Iterator[Chunk]:
        item, params = self.job.item, self.job.item.site.params
        place = LogBucket(params["bucket"], params.get("prefix", ""), params["bucket_region"])
        begin, end = item.window_start.astimezone(UTC), item.window_end.astimezone(UTC)
        folder = log_folder(place.prefix, session.account_id, item.site.region, begin.date())
        # Keys are in the order of time: from the window's first hour, or from where we stopped.
        after = max(f"{folder}{begin:%H}/", self.job.after)
        day = begin.date()
        while day < end.date() or (day == end.date() and end.time() > MIDNIGHT):
            folder = log_folder(place.prefix, session.account_id, item.site.region, day)
            if after < folder or after.startswith(folder):
                start = after if after.startswith(folder) else ""
                for found in list_log_objects(session, place, item.site.region, day, after=start):
                    yield self._object(session, place, found)
            day += timedelta(days=1)

    def _object(
        self, session: AccountSession, place: LogBucket, found: StoredObject
    ) -> ObjectChunk:
        def rows() -> Iterator[ParsedSpend]:
            name = f"s3://{found.bucket}/{found.key}"
            parse = self._log_parse(name, found.etag)
            with (
                _vanished_is_changed(),
                open_object(
                    session, found.bucket, found.key, place.region, etag=found.etag
                ) as data,
            ):
                yield from parse_object(data, parse)

        ref = ObjectRef(f"s3://{found.bucket}/{found.key}", found.etag)
        return ObjectChunk(found.key, ref, self._guarded(rows), found.size)

    def _log_events(self, session: AccountSession) -> Iterator[Chunk]:
        item = self.job.item
        group, start = item.site.params["log_group"], item.window_start
        while start < item.window_end:
            end = min(start + LOG_SLICE, item.window_end)
            position = end.astimezone(UTC).isoformat()
            if position > self.job.after:
                yield WindowChunk(
                    position, f"logs:{group}", self._guarded(self._events(session, start, end))
                )
            start = end

    def _events(
        self, session: AccountSession, start: datetime, end: datetime
    ) -> Callable[[], Iterator[ParsedSpend]]:
        site = self.job.item.site

        def rows() -> Iterator[ParsedSpend]:
            group = site.params["log_group"]
            events = read_log_events(session, site.region, group, start, end)
            yield from parse_messages(events, self._log_parse(f"logs:{group}", ""))

        return rows

    def _metrics(self, session: AccountSession) -> Iterator[Chunk]:
        item = self.job.item
        position = item.window_end.astimezone(UTC).isoformat()
        if position <= self.job.after:
            return

        def rows() -> Iterator[ParsedSpend]:
            site = item.site
            series = read_metrics(
                session, site.region, self._models(session), item.window_start, item.window_end
            )
            parse = MetricParse(
                account_id=site.account_id,
                region=site.region,
                bounds=self.job.bounds,
                directory=self.directory,
                attribution=self.attribution,
                file=f"cloudwatch:{site.account_id}/{site.region}",
            )
            yield parse_metrics(series, parse)

        yield MetricsChunk(position, f"metrics:{item.site.key}", self._guarded(rows))

    def _models(self, session: AccountSession) -> set[str]:
        """Names to ask for: what is listed, the connection's profiles, and for older windows
        every name under which a model can be called."""
        item = self.job.item
        models = list_models(session, item.site.region)
        models |= {
            profile.arn
            for profile in self.job.profiles
            if (profile.account_id, profile.region) == (item.site.account_id, item.site.region)
        }
        if item.window_start < self.now - LISTED_FOR:
            models |= list_callable_models(session, item.site.region)
        return models

    def _bills(self, session: AccountSession) -> Iterator[Chunk]:
        item, params = self.job.item, self.job.item.site.params
        export = BillExport(
            name=params.get("export", ""),
            bucket=params["bucket"],
            prefix=params.get("prefix", ""),
            bucket_region=params["bucket_region"],
            is_legacy=params.get("legacy") == "yes",
        )
        first = item.window_start.astimezone(UTC).date()
        last = (item.window_end - timedelta(microseconds=1)).astimezone(UTC).date()
        for ref in list_manifests(session, export, first, last):
            is_new = (ref.key, ref.etag) not in self.job.manifests
            if is_new and ref.period.isoformat() > self.job.after:
                yield self._bill(session, ref)

    def _bill(self, session: AccountSession, ref: ManifestRef) -> BillChunk:
        """One delivery. One that is odd becomes a reject, so that other months are read."""
        position = ref.period.isoformat()
        try:
            with _vanished_is_changed():
                delivery = open_delivery(session, ref)
        except ProviderError as error:
            if error.kind is not ErrorKind.INVALID:
                raise
            odd = _refused(ref.key, error)
            identity = BillDelivery(ref.export.name, ref.period, ref.key, ref.etag)
            return BillChunk(position, identity, lambda: [odd])
        lines = self._lines(session, delivery)
        return BillChunk(position, delivery.identity, self._guarded(lines))

    def _lines(
        self, session: AccountSession, delivery: Delivery
    ) -> Callable[[], Iterator[ParsedBill]]:
        def rows() -> Iterator[ParsedBill]:
            try:
                yield from read_delivery(session, delivery, self.job.bounds, self.directory)
            except ProviderError as error:
                if error.kind is not ErrorKind.INVALID:
                    raise
                yield _refused(delivery.ref.key, error)

        return rows

    def _profiles(self, session: AccountSession) -> Iterator[Chunk]:
        if not self.job.after:
            listing = list_profiles(session, self.job.item.site.region)
            yield ProfilesChunk("profiles", listing.profiles)

    def _log_parse(self, name: str, etag: str) -> LogParse:
        return LogParse(
            file=name,
            hash_key=self.job.hash_key,
            bounds=self.job.bounds,
            file_hash=etag,
            directory=self.directory,
            attribution=self.attribution,
        )

    def _guarded(self, rows: Callable[[], Iterable[T]]) -> Callable[[], Iterator[T]]:
        """``rows`` whose failures are translated as those of the listing are."""
        return lambda: self._translated(rows())

    def _translated(self, rows: Iterable[T]) -> Iterator[T]:
        try:
            yield from rows
        except ProviderError as error:
            site, connection = self.job.item.site, self.job.connection
            if site.source is SourceKind.BILL:
                connection = with_bucket(connection, site.params["bucket"])
            raise self.access.translated(error, PROBE_OF[site.source], connection) from error


def _refused(file: str, error: ProviderError) -> ParsedBill:
    reject = Reject(file, 0, RejectReason.BAD_MANIFEST, error.failure.message)
    return ParsedBill(rejects=[reject])


@contextmanager
def _vanished_is_changed() -> Iterator[None]:
    """An object that was listed and is gone says nothing of its bucket: list again."""
    try:
        yield
    except ProviderError as error:
        if error.failure.code != "NoSuchKey":
            raise
        changed = replace(error.failure, kind=ErrorKind.CHANGED)
        raise ProviderError(changed, VANISHED_AFTER) from error
