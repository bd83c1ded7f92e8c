"""A provider whose answers a test writes down: verdicts, sites and rows, no network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from tensorcost.activities.integration.ports import (
    Answer,
    BillChunk,
    Chunk,
    ConnectorError,
    Discovery,
    Known,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
    WindowChunk,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.contracts_rotation import Admission
from tensorcost.domain.integration.contracts_steps import ProbeStep, ProbeVerdict
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import AccountCoverage, StoredProfile
from tensorcost.domain.integration.states import Coverage, SourceKind
from tensorcost.domain.spend.bill import BillDelivery, ParsedBill
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.storage.spend.batches import ObjectRef
from tests.support.bills import bill_line
from tests.support.connections import ACCOUNT, NOW
from tests.support.spend import MODEL, add_row, dimension

HEALTHY = ProbeVerdict(
    healthy=True,
    may_heal=True,
    steps=(ProbeStep(name="sts:AssumeRole", ok=True),),
    judged=("TRUST_DENIED",),
)


def denied(*, may_heal: bool = True, title: str = "The role does not trust us") -> ProbeVerdict:
    """A round in which the role could not be assumed."""
    return ProbeVerdict(
        healthy=False,
        may_heal=may_heal,
        steps=(ProbeStep(name="sts:AssumeRole", ok=False, detail="AccessDenied"),),
        findings=(
            NewFinding(
                code="TRUST_DENIED",
                severity=Severity.ERROR,
                title=title,
                remedy="Redeploy the stack with the ExternalId that the wizard shows.",
                causes=(RankedCause(code="EXTERNAL_ID_MISMATCH", title="a", remedy="b"),),
            ),
        ),
        judged=("TRUST_DENIED",),
    )


def log_site(region: str = "us-east-1") -> Site:
    return Site(SourceKind.LOGS_S3, ACCOUNT, region, {"bucket": "fake-logs"})


def metric_site(region: str = "us-east-1") -> Site:
    return Site(SourceKind.METRICS, ACCOUNT, region)


@dataclass
class ScriptedConnector:
    """Verdicts are used up one a round; the last one repeats. Rows are a function of the item."""

    verdicts: list[ProbeVerdict] = field(default_factory=lambda: [HEALTHY])
    sites: Sequence[Site] = field(default_factory=lambda: [metric_site(), log_site()])
    objects_per_item: int = 2
    """Or pages of a log group, profiles, deliveries of the bill."""
    windows_in_metrics: int = 1
    rows_per_object: int = 3
    repeats_per_object: int = 0
    """Rows that come twice."""
    calls_in_metrics: int = 10
    rejects_per_object: int = 0
    fail: Callable[[ReadJob], ConnectorError | None] = lambda _job: None
    torn: dict[str, ConnectorError] = field(default_factory=dict)
    """Keys of objects whose rows cannot be read, and why."""
    gate: threading.Event | None = None
    """When given, every object waits for it before its rows are handed over."""
    unseen: ConnectorError | None = None
    """Why accounts and sources cannot be looked for."""
    trusted: set[str] = field(default_factory=set)
    """ExternalIds that the role trusts; empty trusts any."""
    probes: int = 0
    reads: list[str] = field(default_factory=list)
    objects_read: list[str] = field(default_factory=list)

    def probe(self, connection: Connection) -> ProbeVerdict:
        self.probes += 1
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]

    def admits(self, connection: Connection) -> Answer:
        known = not self.trusted or connection.external_id in self.trusted
        return Answer(Admission.ADMITTED if known else Admission.REFUSED)

    def discover(self, connection: Connection, known: Known) -> Discovery:
        if self.unseen is not None:
            raise self.unseen
        account = AccountCoverage(ACCOUNT, "main", "ACTIVE", "CREATED", Coverage.COVERED, "", NOW)
        return Discovery([account], self.sites)

    def read(self, job: ReadJob) -> Iterator[Chunk]:
        self.reads.append(job.item.step_key)
        if (error := self.fail(job)) is not None:
            raise error
        if job.item.site.source is SourceKind.METRICS:
            for hour in range(self.windows_in_metrics):
                at = job.item.window_start + timedelta(hours=hour)
                position = f"{at:%Y%m%dT%H}"
                if position > job.after:
                    yield MetricsChunk(position, "metrics", partial(self._metrics, job, at))
            return
        for number in range(self.objects_per_item):
            key = f"{job.item.step_key}/{number:04d}.json.gz"
            if key > job.after:
                yield self._chunk(job, key, number)

    def _chunk(self, job: ReadJob, key: str, number: int) -> Chunk:
        match job.item.site.source:
            case SourceKind.LOGS_CLOUDWATCH:
                return WindowChunk(key, key, partial(self._rows, job, key))
            case SourceKind.BILL:
                start = job.item.window_start.date().replace(month=1 + number, day=1)
                delivery = BillDelivery("daily", start, key, key)
                return BillChunk(key, delivery, partial(self._bill, key, start), 100)
            case SourceKind.PROFILES:
                place = job.item.site.account_id, job.item.site.region
                profile = StoredProfile(key, *place, "fake", MODEL, "in_region", "standard")
                return ProfilesChunk(key, [profile])
            case _:
                rows = partial(self._rows, job, key)
                return ObjectChunk(key, ObjectRef(key, "fake-etag"), rows, 100)

    def _rows(self, job: ReadJob, key: str) -> Iterator[ParsedSpend]:
        if self.gate is not None:
            self.gate.wait(30)
        if key in self.torn:
            raise self.torn[key]
        self.objects_read.append(key)
        parsed = ParsedSpend(Grain.REQUEST)
        where = dimension(region=job.item.site.region)
        for row in [*range(self.rows_per_object), *range(self.repeats_per_object)]:
            at = job.item.window_start + timedelta(seconds=row)
            add_row(parsed, f"{key}#{row}", at, where, request_id=None)
        parsed.rejects += self._rejects(key)
        parsed.rows_read += self.rejects_per_object
        yield parsed

    def _rejects(self, key: str) -> list[Reject]:
        return [
            Reject(key, 100 + position, RejectReason.NOT_JSON)
            for position in range(self.rejects_per_object)
        ]

    def _bill(self, key: str, period: date) -> list[ParsedBill]:
        lines = [bill_line(period, line_no=n + 1) for n in range(self.rows_per_object)]
        rows_read = len(lines) + self.rejects_per_object
        return [ParsedBill(lines=lines, rejects=self._rejects(key), rows_read=rows_read)]

    def _metrics(self, job: ReadJob, at: datetime) -> list[ParsedSpend]:
        parsed = ParsedSpend(Grain.METRIC)
        if self.calls_in_metrics:
            where = dimension(region=job.item.site.region, application="", team="")
            add_row(
                parsed,
                f"metric:{at.isoformat()}",
                at,
                where,
                requests=self.calls_in_metrics,
                request_id=None,
            )
        return [parsed]
