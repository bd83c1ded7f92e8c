"""Parse, price, load: the one road of every spend event, free of Temporal (decisions 36).

One transaction an object, or several small ones: checkpoints, events, rollups, deltas, cells
and quarantine stand or fall together, so that a killed worker repeats an object and never
half of it.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from tensorcost.activities.ingest.chunks import Chunks, ahead
from tensorcost.activities.ingest.groups import Group, GroupReader, Target
from tensorcost.activities.ingest.known import KnownDimensions
from tensorcost.activities.ingest.load import Load
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.ingest.report import IngestReport, Settle
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.batches import (
    ObjectRef,
    Origin,
    loaded_counts,
    open_batch,
    open_objects,
)
from tensorcost.storage.spend.partitions import ensure_partitions


@dataclass(frozen=True, slots=True)
class SpendObject:
    """One version of one object, and what to call in a thread for its rows."""

    ref: ObjectRef
    chunks: Chunks
    file: str = ""
    """How rejects call it; default its key."""


@dataclass(frozen=True, slots=True)
class SpendWindow:
    """A polled window, named, and what to call in a thread for its rows."""

    name: str
    chunks: Chunks


class SpendIngest:
    """Loads spend events exactly once, whatever is repeated."""

    def __init__(self, db: Database, prices: PriceBooks) -> None:
        self._db = db
        self._prices = prices
        self._known = KnownDimensions()
        self._days: set[date] = set()

    async def load_objects(
        self,
        tenant_id: TenantId,
        origin: Origin,
        objects: Sequence[SpendObject],
        *,
        overlap: bool = False,
        seen: bool = False,
        settle: Settle | None = None,
    ) -> AsyncGenerator[IngestReport, None]:
        """Load objects, small ones together in one transaction and under one batch.

        Yields a report for each object, in order, once it is committed; while one transaction
        loads, the objects after it are read. An object that cannot be read raises in its
        turn: those before it are loaded. See ``load_object`` for the options.
        """
        refs = [item.ref for item in objects]
        if len(set(refs)) < len(refs):
            raise ValueError("an object is named twice")
        async with self._db.tenant(tenant_id) as tx:
            loaded = await loaded_counts(tx, origin, refs)
            book = await self._prices.read(tx) if len(loaded) < len(refs) else PriceBook([])
        targets = [
            Target(
                name=item.file or item.ref.key,
                chunks=item.chunks,
                ref=item.ref,
                checked=overlap or seen,
                report=IngestReport(checkpoint=loaded.get(item.ref)),
            )
            for item in objects
        ]
        loading = self._load(tenant_id, origin, targets, book, seen=seen, settle=settle)
        async with aclosing(loading) as reports:
            async for report in reports:
                yield report

    async def load_object(
        self,
        tenant_id: TenantId,
        origin: Origin,
        ref: ObjectRef,
        chunks: Chunks,
        *,
        overlap: bool = False,
        seen: bool = False,
        file: str = "",
    ) -> IngestReport:
        """Load one version of one object, or report that it was loaded before.

        ``file`` is how rejects call it. ``overlap`` starts on the staging road, for sources that
        repeat rows between objects; ``seen`` also passes ``event_seen``, for rows whose repeated
        id may carry another time.
        """
        objects = [SpendObject(ref, chunks, file)]
        reports = self.load_objects(tenant_id, origin, objects, overlap=overlap, seen=seen)
        [report] = [report async for report in reports]
        return report

    async def load_window(
        self,
        tenant_id: TenantId,
        origin: Origin,
        name: str,
        chunks: Chunks,
        *,
        seen: bool = False,
        settle: Settle | None = None,
    ) -> IngestReport:
        """Load polled or pushed rows without an object: every row is checked for a repeat."""
        book = await self._prices.current(tenant_id)
        window = Target(name, chunks, ref=None, checked=True)
        loading = self._load(tenant_id, origin, [window], book, seen=seen, settle=settle)
        [report] = [report async for report in loading]
        return report

    async def load_metrics(
        self,
        tenant_id: TenantId,
        origin: Origin,
        windows: Sequence[SpendWindow],
        *,
        settle: Settle | None = None,
    ) -> AsyncGenerator[IngestReport, None]:
        """Upsert metric rows of re-read windows; rollups get the difference (decisions 11).

        Unchanged rows count as duplicates. Yields a report for each window, in order, once it is
        committed; small ones share a transaction. One that cannot be read raises in its turn.
        """
        book = await self._prices.current(tenant_id)
        targets = [Target(each.name, each.chunks, ref=None, checked=True) for each in windows]
        loading = self._load(tenant_id, origin, targets, book, seen=False, settle=settle)
        async with aclosing(loading) as reports:
            async for report in reports:
                yield report

    async def _load(
        self,
        tenant_id: TenantId,
        origin: Origin,
        targets: Sequence[Target],
        book: PriceBook,
        *,
        seen: bool,
        settle: Settle | None,
    ) -> AsyncGenerator[IngestReport, None]:
        reader = GroupReader(targets, book)
        async with aclosing(ahead(reader.next_group)) as groups:
            async for group in groups:
                if group.error is not None:
                    raise group.error
                await self._load_group(tenant_id, origin, group, seen=seen, settle=settle)
                for target in group.targets:
                    yield target.report

    async def _load_group(
        self,
        tenant_id: TenantId,
        origin: Origin,
        group: Group,
        *,
        seen: bool,
        settle: Settle | None,
    ) -> None:
        """One transaction. Targets that another load was quicker with are left to it."""
        targets = _unloaded(group.targets)
        if not targets:
            return
        await self._ensure_days(tenant_id, group.portion.days())
        async with self._db.tenant(tenant_id) as tx:
            batch_id = await _open(tx, origin, targets)
            portion = group.portion
            if len(_unloaded(targets)) < len(targets):
                targets = _unloaded(targets)
                portion = portion.without_loaded()
            if not targets:
                return
            load = Load(tx, origin, batch_id, self._known, seen=seen)
            await load.add(portion)
            if group.later is not None:
                async with aclosing(ahead(group.later)) as portions:
                    async for portion in portions:
                        await self._ensure_days(tenant_id, portion.days())
                        await load.add(portion)
            await load.close(targets)
            if settle is not None:
                await settle(tx, [target.report for target in group.targets])
        self._known.remember(tenant_id, load.stored)

    async def _ensure_days(self, tenant_id: TenantId, days: Iterable[date]) -> None:
        missing = set(days) - self._days
        await ensure_partitions(self._db, tenant_id, missing)
        self._days |= missing


def _unloaded(targets: Sequence[Target]) -> list[Target]:
    return [target for target in targets if not target.report.already_loaded]


async def _open(tx: TenantTx, origin: Origin, targets: Sequence[Target]) -> int:
    """Check the targets in and return their batch; those loaded meanwhile are marked so."""
    refs = [target.ref for target in targets if target.ref is not None]
    if not refs:
        return await open_batch(tx, origin)
    opened = await open_objects(tx, origin, refs)
    if len(opened.refs) < len(refs):
        missed = await loaded_counts(tx, origin, [ref for ref in refs if ref not in opened.refs])
        for target in targets:
            if target.ref is not None:
                target.report.checkpoint = missed.get(target.ref)
    return opened.batch_id
