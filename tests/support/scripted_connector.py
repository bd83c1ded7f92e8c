"""A provider whose answers a test writes down: verdicts, sites and rows, no network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from tensorcost.activities.integration.ports import (
    Answer,
    Chunk,
    ConnectorError,
    Discovery,
    Known,
    MetricsChunk,
    ObjectChunk,
    ReadJob,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.contracts_rotation import Admission
from tensorcost.domain.integration.contracts_steps import ProbeStep, ProbeVerdict
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import Coverage, SourceKind
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.storage.spend.batches import ObjectRef
from tests.support.connections import ACCOUNT, NOW
from tests.support.spend import add_row, dimension

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
    rows_per_object: int = 3
    calls_in_metrics: int = 10
    rejects_per_object: int = 0
    fail: Callable[[ReadJob], ConnectorError | None] = lambda _job: None
    torn: dict[str, ConnectorError] = field(default_factory=dict)
    """Keys of objects whose rows cannot be read, and why."""
    gate: threading.Event | None = None
    """When given, every object waits for it before its rows are handed over."""
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
        account = AccountCoverage(ACCOUNT, "main", "ACTIVE", "CREATED", Coverage.COVERED, "", NOW)
        return Discovery([account], self.sites)

    def read(self, job: ReadJob) -> Iterator[Chunk]:
        self.reads.append(job.item.step_key)
        if (error := self.fail(job)) is not None:
            raise error
        if job.item.site.source is SourceKind.METRICS:
            yield MetricsChunk(
                f"{job.item.window_start:%Y%m%d}", "metrics", lambda: [self._metric(job)]
            )
            return
        for number in range(self.objects_per_item):
            key = f"{job.item.step_key}/{number:04d}.json.gz"
            if key <= job.after:
                continue
            rows = partial(self._rows, job, key)
            yield ObjectChunk(key, ObjectRef(key, "fake-etag"), rows, 100)

    def _rows(self, job: ReadJob, key: str) -> Iterator[ParsedSpend]:
        if self.gate is not None:
            self.gate.wait(30)
        if key in self.torn:
            raise self.torn[key]
        self.objects_read.append(key)
        parsed = ParsedSpend(Grain.REQUEST)
        where = dimension(region=job.item.site.region)
        for row in range(self.rows_per_object):
            at = job.item.window_start + timedelta(seconds=row)
            add_row(parsed, f"{key}#{row}", at, where, request_id=None)
        for position in range(self.rejects_per_object):
            parsed.rejects.append(Reject(key, 100 + position, RejectReason.NOT_JSON))
        parsed.rows_read = self.rows_per_object + self.rejects_per_object
        yield parsed

    def _metric(self, job: ReadJob) -> ParsedSpend:
        parsed = ParsedSpend(Grain.METRIC)
        if self.calls_in_metrics:
            where = dimension(region=job.item.site.region, application="", team="")
            at = job.item.window_start
            add_row(
                parsed,
                f"metric:{at.isoformat()}",
                at,
                where,
                requests=self.calls_in_metrics,
                request_id=None,
            )
            parsed.rows_read = 1
        return parsed
