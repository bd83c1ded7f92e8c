"""Work items: read, load chunk by chunk, say how far, resume where they stopped.

A small item costs about as much to hand out as to read: a sync's quiet sites are read some
together. Each keeps its own step, cursor and counters, and one that fails is left to an activity
of its own, so that it is retried, or given up, as if it had been alone from the start.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tensorcost.activities.failures import later
from tensorcost.activities.heartbeat import BEAT_EVERY, beating
from tensorcost.activities.integration.attempts import note_failure
from tensorcost.activities.integration.choose import connector_for, translated
from tensorcost.activities.integration.chunk_load import ChunkLoader
from tensorcost.activities.integration.groups import Piece, in_groups
from tensorcost.activities.integration.item_steps import begin_items, write_items
from tensorcost.activities.integration.open_items import OpenItem, OpenItems
from tensorcost.activities.integration.ports import Connectors, Loaders, ObjectChunk
from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.integration.contracts_steps import (
    ItemLeft,
    ItemOrder,
    ItemOutcome,
    ItemsOrder,
    ItemsOutcome,
)
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Counts
from tensorcost.storage.sync_steps import objects_of_run

SAVE_EVERY: Final = timedelta(seconds=1)
RESUME_AFTER: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ItemActivities:
    """Ingest of work items. ``threads`` runs what blocks: listing, reading, parsing."""

    db: Database
    connectors: Connectors
    loaders: Loaders
    threads: Executor
    clock: Clock
    beat_every: timedelta = field(default=BEAT_EVERY)

    @activity.defn(name="integration.ingest_item")
    async def ingest_item(self, order: ItemOrder) -> ItemOutcome:
        """Load what is left of one item. Every repeat ends in the same rows and counters."""
        try:
            work = await begin_items(
                self.db,
                order.connection,
                order.run_id,
                [order.step_key],
                self.clock(),
                tried=order.tried,
            )
            await self._ingest(work)
            for item in work.items:
                if item.error is not None:
                    raise translated(item.error) from item.error
        except Exception as error:
            await note_failure(self.db, order, error, self.clock())
            raise
        return ItemOutcome(step_key=order.step_key, tally=work.tally())

    @activity.defn(name="integration.ingest_items")
    async def ingest_items(self, order: ItemsOrder) -> ItemsOutcome:
        """The same for some small items; those that fail come back as left."""
        work = await begin_items(
            self.db, order.connection, order.run_id, order.step_keys, self.clock()
        )
        failure: Exception | None = None
        try:
            await self._ingest(work)
        except Exception as error:
            activity.logger.warning("items could not be read together", exc_info=True)
            failure = error
        left = [
            await self._left(work, item, failure or RuntimeError("not read to its end"))
            for item in work.items
            if not item.ended
        ]
        if isinstance(failure, ApplicationError) and failure.type == Failure.DRAINING:
            raise failure
        return ItemsOutcome(tally=work.tally(), left=tuple(left))

    async def _ingest(self, work: OpenItems) -> None:
        """Read and load all items; a connector's failure is left on its item."""
        if not work.items:
            return
        read = connector_for(self.connectors, work.connection.provider).read
        async with (
            beating(lambda: work.newest, self.beat_every),
            aclosing(in_groups(work.items, read, self.threads)) as groups,
        ):
            async for group in groups:
                await self._load(work, group)
        await write_items(self.db, work, self.clock())

    async def _load(self, work: OpenItems, group: Sequence[Piece]) -> None:
        """Load some chunks; an item's cursor moves past each once it is committed."""
        own: dict[str, Counts] | None = None
        loader = ChunkLoader(self.db, self.loaders, self.clock, work)
        async with aclosing(loader.load(group)) as reports:
            async for (item, chunk), report in reports:
                earlier = None
                if report.already_loaded and item.begun and isinstance(chunk, ObjectChunk):
                    own = await self._own_objects(work, group) if own is None else own
                    earlier = own.get(chunk.ref.key)
                size = getattr(chunk, "size", 0)
                item.cursor = item.cursor.after(chunk.position, report, size=size, earlier=earlier)
                item.in_hand -= 1
                work.newest = item.cursor
                activity.heartbeat(item.cursor)
                draining = activity.is_worker_shutdown()
                if draining or self.clock() - work.saved_at >= SAVE_EVERY:
                    await write_items(self.db, work, self.clock())
                if draining:
                    raise later(Failure.DRAINING, "the worker is shutting down", RESUME_AFTER)

    async def _own_objects(self, work: OpenItems, group: Sequence[Piece]) -> dict[str, Counts]:
        key = work.connection
        names = [chunk.ref.key for _, chunk in group if isinstance(chunk, ObjectChunk)]
        async with self.db.tenant(key.tenant_id) as tx:
            return await objects_of_run(tx, work.run_id, str(key.connection_id), names)

    async def _left(self, work: OpenItems, item: OpenItem, failure: Exception) -> ItemLeft:
        """Tell on its step why the item is left, and how it goes on."""
        error = translated(item.error) if item.error is not None else failure
        order = ItemOrder(connection=work.connection, run_id=work.run_id, step_key=item.step_key)
        await note_failure(self.db, order, error, self.clock())
        tried = activity.info().attempt
        if not isinstance(error, ApplicationError):
            return ItemLeft(step_key=item.step_key, tried=tried, after=RESUME_AFTER)
        return ItemLeft(
            step_key=item.step_key,
            tried=tried,
            after=error.next_retry_delay or RESUME_AFTER,
            final=error.non_retryable,
            code=str(error.details[0]) if error.details else error.type or "",
            error=error.message,
        )
