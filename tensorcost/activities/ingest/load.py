"""What one transaction adds under one batch: events, rollups, rejects, counts and the event."""

from collections.abc import Sequence
from itertools import chain

import pyarrow as pa

from tensorcost.activities.ingest.columns import with_batch_id
from tensorcost.activities.ingest.groups import Part, Portion, Target
from tensorcost.activities.ingest.known import Known, KnownDimensions
from tensorcost.activities.ingest.overlap import deduplicate
from tensorcost.activities.ingest.rollup import Rollup, sum_by_hour
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin, close_batch
from tensorcost.storage.spend.events import copy_events, stage_events
from tensorcost.storage.spend.metrics import upsert_metrics
from tensorcost.storage.spend.quarantine import quarantine
from tensorcost.storage.spend.rollups import add_rollups
from tensorcost.storage.spend.seen import first_seen


class Load:
    """State of a load inside its transaction.

    ``seen`` also passes rows through ``event_seen``: for those whose repeated id may carry
    another time.
    """

    def __init__(
        self,
        tx: TenantTx,
        origin: Origin,
        batch_id: int,
        known: KnownDimensions,
        *,
        seen: bool = False,
    ) -> None:
        self._tx = tx
        self._origin = origin
        self._batch_id = batch_id
        self._known = known
        self._seen = seen
        self._rollup = Rollup()
        self.stored: set[Known] = set()
        """Dimensions and actors that were stored: certain once the transaction commits."""

    async def add(self, portion: Portion) -> None:
        """Load a portion: by one COPY where every row is new, else target by target."""
        parts = portion.parts
        for target, chunk in parts:
            target.count(chunk)
        self.stored |= await self._known.ensure(
            self._tx,
            list(dict.fromkeys(chain.from_iterable(part.chunk.dimensions for part in parts))),
            list(dict.fromkeys(chain.from_iterable(part.chunk.actors for part in parts))),
        )
        if await self._copy(portion.straight):
            self._rollup.add(portion.sums)
        else:
            await self._add_apart(portion.straight)
        await self._upsert([part for part in portion.checked if _is_metric(part)])
        for part in portion.checked:
            if not _is_metric(part):
                await self._add_unseen(part)
        # Now rather than at the end: a file of nothing but bad lines may be of any size.
        rejects = [r for target, _ in parts for r in target.take_rejects()]
        await quarantine(self._tx, self._origin, rejects)

    async def close(self, targets: Sequence[Target]) -> None:
        """Write rollups and counts, and announce what was accepted."""
        await add_rollups(self._tx, self._batch_id, self._rollup.sums())
        accepted = sum(target.report.accepted for target in targets)
        counts = {target.ref: target.counts() for target in targets if target.ref is not None}
        await close_batch(self._tx, self._batch_id, accepted, self._origin, counts)
        for target in targets:
            target.report.batch_ids.append(self._batch_id)
        if accepted:
            data = {"origin": self._origin.name, "accepted": accepted}
            self._tx.emit(NewEvent(EventType.COST_UPDATED, data))

    async def _copy(self, parts: Sequence[Part]) -> bool:
        """The straight road. False when a row was there before: nothing was written."""
        if not any(len(part.chunk.events) for part in parts):
            return True
        if not await copy_events(self._tx, [self._events(part) for part in parts]):
            return False
        for target, chunk in parts:
            target.report.accepted += len(chunk.events)
            target.report.accepted_unpriced += chunk.events.column("cost_nano").null_count
        return True

    async def _add_apart(self, parts: Sequence[Part]) -> None:
        """Find the targets that repeat rows; only those go on by the slow road."""
        for part in parts:
            several = len(parts) > 1
            if several and not part.target.checked and await self._copy([part]):
                self._rollup.add(sum_by_hour([part.chunk.events]))
            else:
                part.target.checked = True
                await self._add_unseen(part)

    async def _add_unseen(self, part: Part) -> None:
        if not len(part.chunk.events):
            return
        target, events = part.target, self._events(part)
        unique = deduplicate(events)
        fresh = unique.events
        conflicts: set[bytes] = set()
        if self._seen:
            verdict = await first_seen(self._tx, fresh)
            conflicts |= verdict.conflicts
            fresh = fresh.filter(pa.array(verdict.fresh, pa.bool_()))
        staged = await stage_events(self._tx, fresh)
        conflicts |= staged.conflicts
        ids = fresh.column("event_id").to_pylist()
        self._rollup.add(sum_by_hour([fresh], keep=[i in staged.accepted for i in ids]))
        refused = _conflict_rejects(part, conflicts, unique.conflicts)
        target.refuse(refused)
        target.report.accepted += len(staged.accepted)
        target.report.accepted_unpriced += len(_unpriced(fresh) & staged.accepted)
        target.report.duplicate += events.num_rows - len(staged.accepted) - len(refused)

    async def _upsert(self, parts: Sequence[Part]) -> None:
        """Metric rows of all parts by one statement; each part counts its own."""
        batches = [self._events(part) for part in parts]
        if not any(map(len, batches)):
            return
        unique = deduplicate(pa.concat_batches(batches))
        upserted = await upsert_metrics(self._tx, unique.events)
        ids = unique.events.column("event_id").to_pylist()
        self._rollup.add(sum_by_hour([upserted.replaced], sign=-1))
        self._rollup.add(sum_by_hour([unique.events], keep=[i in upserted.written for i in ids]))
        uncounted, unpriced = set(upserted.written), _unpriced(unique.events)
        for part, events in zip(parts, batches, strict=True):
            own = uncounted.intersection(events.column("event_id").to_pylist())
            uncounted -= own
            part.target.report.accepted += len(own)
            part.target.report.accepted_unpriced += len(own & unpriced)
            part.target.report.duplicate += events.num_rows - len(own)

    def _events(self, part: Part) -> pa.RecordBatch:
        return with_batch_id(part.chunk.events, self._batch_id)


def _unpriced(events: pa.RecordBatch) -> set[bytes]:
    """Ids of the events without a price."""
    ids = events.column("event_id")
    return set(ids.filter(events.column("cost_nano").is_null()).to_pylist())


def _is_metric(part: Part) -> bool:
    return part.chunk.grain is Grain.METRIC


def _conflict_rejects(part: Part, stored: set[bytes], within: Sequence[int]) -> list[Reject]:
    """``stored`` are ids that earlier loads accepted: the first row with one is meant."""
    if not stored and not within:
        return []
    ids: list[bytes] = part.chunk.events.column("event_id").to_pylist()
    first = {event_id: row for row, event_id in reversed(list(enumerate(ids)))}
    return [
        Reject(
            file=part.target.name,
            position=part.chunk.line_of(row),
            reason=RejectReason.ID_CONFLICT,
            detail=f"event {ids[row].hex()} was accepted before with other content",
            line_hash=ids[row],
        )
        for row in sorted((*(first[event_id] for event_id in stored), *within))
    ]
