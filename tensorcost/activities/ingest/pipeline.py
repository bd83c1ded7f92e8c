"""Parse, price, load: the one road of every spend event, free of Temporal (decisions 36).

One transaction an object: its checkpoint, its events, rollups, deltas, cells and quarantine
stand or fall together, so that a killed worker repeats an object and never half of it.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Final

import pyarrow as pa

from tensorcost.activities.ingest.chunks import Chunks, Prepared, prepared_chunks
from tensorcost.activities.ingest.known import Known, KnownDimensions
from tensorcost.activities.ingest.overlap import deduplicate
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.ingest.rollup import Rollup
from tensorcost.domain.cost.unpriced import merge_unpriced
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.batches import (
    Counts,
    ObjectRef,
    Origin,
    close_batch,
    loaded_counts,
    open_batch,
    open_object,
)
from tensorcost.storage.spend.events import copy_events, stage_events
from tensorcost.storage.spend.metrics import upsert_metrics
from tensorcost.storage.spend.partitions import ensure_partitions
from tensorcost.storage.spend.quarantine import quarantine
from tensorcost.storage.spend.rollups import add_rollups
from tensorcost.storage.spend.seen import first_seen

_READ_AHEAD: Final = 20
"""Chunks read before the transaction opens: most objects are read whole by then."""


@dataclass(slots=True)
class _Load:
    """State of one load inside its transaction."""

    tx: TenantTx
    batch_id: int
    file: str
    overlap: bool
    seen: bool
    report: IngestReport
    rollup: Rollup = field(default_factory=Rollup)
    rejects: list[Reject] = field(default_factory=list)


class SpendIngest:
    """Loads spend events exactly once, whatever is repeated."""

    def __init__(self, db: Database, prices: PriceBooks) -> None:
        self._db = db
        self._prices = prices
        self._known = KnownDimensions()
        self._days: set[date] = set()

    async def load_object(
        self,
        tenant_id: TenantId,
        origin: Origin,
        ref: ObjectRef,
        chunks: Chunks,
        *,
        overlap: bool = False,
        seen: bool = False,
    ) -> IngestReport:
        """Load one version of one object, or report that it was loaded before.

        ``overlap`` starts on the staging road, for sources that repeat rows between objects;
        ``seen`` also passes ``event_seen``, for rows whose repeated id may carry another time.
        """
        async with self._db.tenant(tenant_id) as tx:
            counts = await loaded_counts(tx, origin, ref)
            if counts is not None:
                return IngestReport(checkpoint=counts)
            book = await self._prices.read(tx)
        stream = prepared_chunks(chunks, book)
        return await self._load(tenant_id, origin, ref, stream, overlap=overlap, seen=seen)

    async def load_window(
        self, tenant_id: TenantId, origin: Origin, name: str, chunks: Chunks, *, seen: bool = False
    ) -> IngestReport:
        """Load polled or pushed rows without an object: every row is checked for a repeat."""
        stream = prepared_chunks(chunks, await self._prices.current(tenant_id))
        return await self._load(tenant_id, origin, None, stream, overlap=True, seen=seen, name=name)

    async def load_metrics(
        self, tenant_id: TenantId, origin: Origin, name: str, chunks: Chunks
    ) -> IngestReport:
        """Upsert metric rows of a re-read window; rollups get the difference (decisions 11).

        Unchanged rows count as duplicates.
        """
        book = await self._prices.current(tenant_id)
        report = IngestReport()
        async for chunk in prepared_chunks(chunks, book):
            await self._ensure_days(tenant_id, chunk.days())
            async with self._db.tenant(tenant_id) as tx:
                batch_id = await open_batch(tx, origin)
                load = _Load(tx, batch_id, name, True, False, IngestReport())
                added = await self._add(load, chunk)
                await self._finish(load, origin, None)
            self._known.remember(tenant_id, added)
            report.merge(load.report)
        return report

    async def _load(
        self,
        tenant_id: TenantId,
        origin: Origin,
        ref: ObjectRef | None,
        stream: AsyncIterator[Prepared],
        *,
        overlap: bool,
        seen: bool,
        name: str = "",
    ) -> IngestReport:
        ahead: list[Prepared] = []
        async for chunk in stream:
            ahead.append(chunk)
            if len(ahead) == _READ_AHEAD:
                break
        await self._ensure_days(tenant_id, chain.from_iterable(chunk.days() for chunk in ahead))
        report = IngestReport()
        added: set[Known] = set()
        async with self._db.tenant(tenant_id) as tx:
            batch_id = await (open_object(tx, origin, ref) if ref else open_batch(tx, origin))
            if batch_id is None:
                return IngestReport(checkpoint=Counts())
            load = _Load(tx, batch_id, ref.key if ref else name, overlap, seen, report)
            for chunk in ahead:
                added |= await self._add(load, chunk)
            ahead.clear()
            async for chunk in stream:
                await self._ensure_days(tenant_id, chunk.days())
                added |= await self._add(load, chunk)
            await self._finish(load, origin, ref)
        self._known.remember(tenant_id, added)
        return report

    async def _ensure_days(self, tenant_id: TenantId, days: Iterable[date]) -> None:
        missing = set(days) - self._days
        await ensure_partitions(self._db, tenant_id, missing)
        self._days |= missing

    async def _add(self, load: _Load, chunk: Prepared) -> set[Known]:
        report, parsed = load.report, chunk.load.parsed
        report.rows_read += chunk.rows_read
        report.unpriced = merge_unpriced([*report.unpriced, *chunk.unpriced])
        report.reject(chunk.rejects)
        load.rejects.extend(chunk.rejects)
        if not len(parsed):
            return set()
        added = await self._known.ensure(load.tx, parsed.dimensions, parsed.actors)
        events = chunk.load.with_batch_id(load.batch_id)
        if parsed.grain is Grain.METRIC:
            await _upsert(load, events)
            return added
        if not (load.overlap or load.seen):
            if await copy_events(load.tx, events):
                load.rollup.add(events)
                report.accepted += events.num_rows
                return added
            load.overlap = True
        await self._add_overlapping(load, events)
        return added

    async def _add_overlapping(self, load: _Load, events: pa.RecordBatch) -> None:
        unique = deduplicate(events)
        fresh = unique.events
        conflicts: set[bytes] = set()
        if load.seen:
            verdict = await first_seen(load.tx, fresh)
            conflicts |= verdict.conflicts
            fresh = fresh.filter(pa.array(verdict.fresh, pa.bool_()))
        staged = await stage_events(load.tx, fresh)
        conflicts |= staged.conflicts
        ids = fresh.column("event_id").to_pylist()
        load.rollup.add(fresh, keep=[i in staged.accepted for i in ids])
        load.report.accepted += len(staged.accepted)
        refused = _conflict_rejects(load.file, [*sorted(conflicts), *unique.conflicts])
        load.report.reject(refused)
        load.rejects.extend(refused)
        load.report.duplicate += events.num_rows - len(staged.accepted) - len(refused)

    async def _finish(self, load: _Load, origin: Origin, ref: ObjectRef | None) -> None:
        report = load.report
        await quarantine(load.tx, origin, load.rejects)
        await add_rollups(load.tx, load.batch_id, load.rollup.rows())
        counts = Counts(report.accepted, report.duplicate, report.rejected)
        await close_batch(load.tx, load.batch_id, counts, origin, ref)
        report.batch_ids.append(load.batch_id)
        if report.accepted:
            data = {"origin": origin.name, "batch": load.batch_id, "accepted": report.accepted}
            load.tx.emit(NewEvent(EventType.COST_UPDATED, data))


async def _upsert(load: _Load, events: pa.RecordBatch) -> None:
    unique = deduplicate(events)
    upserted = await upsert_metrics(load.tx, unique.events)
    ids = unique.events.column("event_id").to_pylist()
    load.rollup.add(upserted.replaced, sign=-1)
    load.rollup.add(unique.events, keep=[i in upserted.written for i in ids])
    load.report.accepted += len(upserted.written)
    load.report.duplicate += events.num_rows - len(upserted.written)


def _conflict_rejects(file: str, event_ids: list[bytes]) -> list[Reject]:
    return [
        Reject(
            file=file,
            position=0,
            reason=RejectReason.ID_CONFLICT,
            detail=f"event {event_id.hex()} was accepted before with other content",
            line_hash=event_id,
        )
        for event_id in event_ids
    ]
