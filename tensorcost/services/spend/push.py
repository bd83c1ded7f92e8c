"""Events that a partner pushes in one request (decisions 36): the same road as every file.

Each event carries an id of its own, unique within its source, account and region; a repeat
is a duplicate, the same id with other content is a conflict. What is accepted is durable
when the answer leaves; what comes after its month was reconciled has it reconciled again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Protocol

from tensorcost.activities.ingest.chunks import Chunks
from tensorcost.activities.ingest.columns import event_ids
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import PayloadTooLarge, ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock.model_family import family_and_tier
from tensorcost.providers.exports.event_spec import CachedTokens, EventSpec
from tensorcost.providers.exports.events import parse_event_objects
from tensorcost.services.authorise import requires
from tensorcost.services.spend.late import LateUsage
from tensorcost.storage.spend.batches import Origin

MAX_EVENTS: Final = 5_000
PUSH: Final = Origin("push")


class PushedEvents(Protocol):
    """Prices and loads parsed rows exactly once (``activities.ingest.pipeline.SpendIngest``)."""

    async def load_window(
        self, tenant_id: TenantId, origin: Origin, name: str, chunks: Chunks, *, seen: bool = False
    ) -> IngestReport: ...


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that was not taken. ``index`` is its place in the request, from 0."""

    index: int
    reason: str
    """A stable code such as ``missing_field`` (see ``RejectReason``)."""
    detail: str


@dataclass(frozen=True, slots=True)
class PushReport:
    """``received`` = ``accepted`` + ``duplicate`` + listed ``rejected`` + ``unlisted``."""

    received: int
    accepted: int
    duplicate: int
    unpriced: int
    """Of the accepted events: those for which there is no price."""
    rejected: tuple[RejectedEvent, ...]
    unlisted: int
    """Rejected beyond those listed; all of them are in the quarantine."""


class PushService:
    """Takes spend events over REST."""

    def __init__(self, ingest: PushedEvents, late: LateUsage, clock: Clock) -> None:
        self._ingest = ingest
        self._late = late
        self._clock = clock

    @requires(Scope.AI_WRITE)
    async def push(
        self,
        principal: Principal,
        events: Sequence[object],
        cached: CachedTokens = CachedTokens.BESIDE,
    ) -> PushReport:
        """Load the good events and tell of each bad one. Raises PayloadTooLarge beyond 5,000."""
        if not events:
            raise ValidationFailed("'events' is empty", field="events")
        if len(events) > MAX_EVENTS:
            raise PayloadTooLarge(f"at most {MAX_EVENTS} events a request; got {len(events)}")
        spec = EventSpec(
            bounds=TimeBounds.at(self._clock()), cached=cached, family_of=family_and_tier
        )
        batch = _parse(events, spec)
        report = await self._ingest.load_window(
            principal.tenant_id, PUSH, PUSH.name, lambda: [batch.parsed], seen=True
        )
        if report.accepted:
            await self._late.came(principal.tenant_id, *_days(batch.parsed))
        conflicts = [r for r in report.rejects if r.reason == RejectReason.ID_CONFLICT]
        rejected = [*batch.rejected, *_locate(conflicts, batch)]
        return PushReport(
            received=len(events),
            accepted=report.accepted,
            duplicate=report.duplicate,
            unpriced=report.accepted_unpriced,
            rejected=tuple(sorted(rejected, key=lambda one: one.index)),
            unlisted=len(events) - report.accepted - report.duplicate - len(rejected),
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    parsed: ParsedSpend
    rejected: list[RejectedEvent]
    index_of_row: list[int]


def _parse(events: Sequence[object], spec: EventSpec) -> _Batch:
    objects: list[Mapping[str, object]] = []
    places: list[int] = []
    rejected: list[RejectedEvent] = []
    for index, event in enumerate(events):
        if isinstance(event, Mapping):
            objects.append(event)
            places.append(index)
        else:
            rejected.append(RejectedEvent(index, RejectReason.WRONG_TYPE, "not an object"))
    parsed = parse_event_objects(objects, spec, origin=PUSH.name)
    refused = {reject.position for reject in parsed.rejects}
    rejected += [RejectedEvent(places[r.position - 1], r.reason, r.detail) for r in parsed.rejects]
    rows = [place for position, place in enumerate(places, start=1) if position not in refused]
    return _Batch(parsed, rejected, rows)


def _days(parsed: ParsedSpend) -> tuple[date, date]:
    """The first and the last UTC day of the rows."""
    return _day(min(parsed.ts_us)), _day(max(parsed.ts_us))


def _day(ts_us: int) -> date:
    return datetime.fromtimestamp(ts_us // 1_000_000, UTC).date()


def _locate(conflicts: Sequence[Reject], batch: _Batch) -> list[RejectedEvent]:
    """Conflicts name an event id; of several events with that id the later ones are meant."""
    if not conflicts:
        return []
    rows: dict[bytes, list[int]] = defaultdict(list)
    for index, event_id in zip(batch.index_of_row, event_ids(batch.parsed), strict=True):
        rows[event_id].append(index)
    return [
        RejectedEvent(
            rows[conflict.line_hash].pop(),
            conflict.reason,
            "the same id was accepted before with other content",
        )
        for conflict in conflicts
    ]
