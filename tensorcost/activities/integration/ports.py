"""What the integration activities need of a provider and of the loader: protocols, no code.

A connector is one provider's way to validate, discover and read; its methods block, the
activities call them in threads. Chunks come in order and each names the position after it, so
that committed work can be named.
"""

from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Final, Protocol

from tensorcost.activities.ingest.pipeline import SpendObject, SpendWindow
from tensorcost.activities.ingest.report import IngestReport, Settle
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.contracts_rotation import Admission
from tensorcost.domain.integration.contracts_steps import ProbeVerdict
from tensorcost.domain.integration.places import KnownPlace, Place
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.progress_records import AccountCoverage, StoredProfile
from tensorcost.domain.spend.bill import BillDelivery, ParsedBill
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.storage.spend.batches import ObjectRef, Origin

Spend = Callable[[], Iterable[ParsedSpend]]
Bills = Callable[[], Iterable[ParsedBill]]


@dataclass(frozen=True, slots=True)
class ObjectChunk:
    """One object: loaded once per version, whoever meets it."""

    position: str
    ref: ObjectRef
    spend: Spend
    size: int = 0
    """Bytes as stored, for the history of bytes read."""


@dataclass(frozen=True, slots=True)
class WindowChunk:
    """Rows of a polled window, which may repeat earlier ones."""

    position: str
    name: str
    spend: Spend


@dataclass(frozen=True, slots=True)
class MetricsChunk:
    """Metric rows of a window; re-reads replace."""

    position: str
    name: str
    spend: Spend


@dataclass(frozen=True, slots=True)
class BillChunk:
    """One whole delivery of one billing period."""

    position: str
    delivery: BillDelivery
    parts: Bills
    size: int = 0


@dataclass(frozen=True, slots=True)
class ProfilesChunk:
    """Inference profiles and provisioned throughput of one account and region."""

    position: str
    profiles: Sequence[StoredProfile]


Chunk = ObjectChunk | WindowChunk | MetricsChunk | BillChunk | ProfilesChunk


@dataclass(frozen=True, slots=True)
class ReadJob:
    """All that reading one item needs. ``after`` is the position of the last committed chunk."""

    connection: Connection
    item: WorkItem
    after: str
    hash_key: bytes
    bounds: TimeBounds
    profiles: Sequence[StoredProfile] = ()
    manifests: Collection[tuple[str, str]] = ()
    """(key, ETag) of bills that hold already: they need not be opened again."""


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier looks found; what is quiet need not be looked at each time."""

    accounts: Mapping[str, AccountCoverage] = field(default_factory=dict)
    sites: Sequence[Site] = ()
    places: Mapping[Place, KnownPlace] = field(default_factory=dict)
    billed: frozenset[Place] = frozenset()
    """Places that the newest bills name."""


NOTHING_KNOWN: Final = Known()


@dataclass(frozen=True, slots=True)
class Discovery:
    """What there is to read, account by account, and what is missing."""

    accounts: Sequence[AccountCoverage]
    sites: Sequence[Site]
    findings: Sequence[NewFinding] = ()
    judged: Sequence[str] = ()
    missing: Sequence[str] = ()
    profiles: Sequence[StoredProfile] = ()
    """Resolved before anything is read: logs name profiles by opaque ids."""
    places: Sequence[KnownPlace] = ()
    """What was looked at this time."""
    spared: frozenset[str] = frozenset()
    """Accounts, and regions of accounts (``account/region``), that were not: their sites are
    among ``sites`` as they were known, and their findings stand."""
    is_whole: bool = True
    """False where something failed for the moment that should have been looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider says to a secret. ``detail`` says why it could not be told."""

    admission: Admission
    detail: str = ""


class Connector(Protocol):
    """One provider. Raises ``ConnectorError`` for what it recognises."""

    def probe(self, connection: Connection) -> ProbeVerdict:
        """One validation round. Denials are answers, not exceptions."""
        ...

    def admits(self, connection: Connection) -> Answer:
        """Whether the provider lets us in with the connection's secret; raises nothing."""
        ...

    def discover(self, connection: Connection, known: Known) -> Discovery:
        """Accounts and sources as they are now. What fails for the moment stays as ``known``."""
        ...

    def read(self, job: ReadJob) -> Iterator[Chunk]:
        """Chunks after ``job.after``, in order. Closing the iterator frees what it holds."""
        ...


Connectors = Mapping[str, Connector]


class ConnectorError(Exception):
    """A failure that the connector recognised. ``retry_after`` is in seconds, None: never.

    ``finding`` says what it means where a person has to act.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None,
        finding: NewFinding | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.finding = finding


class SpendLoader(Protocol):
    """``activities.ingest.pipeline.SpendIngest``."""

    def load_objects(
        self,
        tenant_id: TenantId,
        origin: Origin,
        objects: Sequence[SpendObject],
        *,
        overlap: bool = False,
        seen: bool = False,
        settle: Settle | None = None,
    ) -> AsyncGenerator[IngestReport, None]:
        """A report for each object, in order, once it is committed."""
        ...

    async def load_window(
        self,
        tenant_id: TenantId,
        origin: Origin,
        name: str,
        chunks: Spend,
        *,
        seen: bool = False,
        settle: Settle | None = None,
    ) -> IngestReport: ...

    def load_metrics(
        self,
        tenant_id: TenantId,
        origin: Origin,
        windows: Sequence[SpendWindow],
        *,
        settle: Settle | None = None,
    ) -> AsyncGenerator[IngestReport, None]:
        """A report for each window, in order, once it is committed."""
        ...


class BillLoader(Protocol):
    """``activities.ingest.bills.BillIngest``."""

    async def load_bill(
        self,
        tenant_id: TenantId,
        origin: Origin,
        delivery: BillDelivery,
        parts: Bills,
        *,
        settle: Settle | None = None,
    ) -> IngestReport: ...

    async def refuse(
        self,
        tenant_id: TenantId,
        origin: Origin,
        rejects: list[Reject],
        rows_read: int,
        *,
        settle: Settle | None = None,
    ) -> IngestReport: ...


@dataclass(frozen=True, slots=True)
class Loaders:
    spend: SpendLoader
    bills: BillLoader
