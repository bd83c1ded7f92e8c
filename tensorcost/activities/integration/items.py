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
from tensorcost.activities.integration.item_steps import RESUME_AFTER, begin_items, write_items
from tensorcost.activities.integration.open_items import OpenItem, OpenItems
from tensorcost.activities.integration.ports import ConnectorError, Connectors, Loaders
from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts import LONGEST_PAUSE, Failure
from tensorcost.domain.integration.contracts_steps import (
    ItemLeft,
    ItemOrder,
    ItemOutcome,
    ItemsOrder,
    ItemsOutcome,
)
from tensorcost.storage.session import Database

SAVE_EVERY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ItemActivities:
    """Ingest of work items. ``threads`` runs what blocks: listing, reading, parsing."""

    db: Database
    connectors: Connectors
    loaders: Loaders
    threads: Executor
    clock: Clock
    beat_every: timedelta = field(default=BEAT_EVERY)
    longest_pause: timedelta = LONGEST_PAUSE

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
                    raise self._translated(item.error) from item.error
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
        loader = ChunkLoader(self.db, self.loaders, self.clock, work)
        async with aclosing(loader.load(group)) as reports:
            async for (item, chunk), report in reports:
                item.cursor = item.cursor.after(chunk, report)
                item.in_hand -= 1
                work.newest = item.cursor
                activity.heartbeat(item.cursor)
                draining = activity.is_worker_shutdown()
                if draining or self.clock() - work.saved_at >= SAVE_EVERY:
                    await write_items(self.db, work, self.clock())
                if draining:
                    raise later(Failure.DRAINING, "the worker is shutting down", RESUME_AFTER)

    def _translated(self, error: ConnectorError) -> ApplicationError:
        return translated(error, self.longest_pause)

    async def _left(self, work: OpenItems, item: OpenItem, failure: Exception) -> ItemLeft:
        """Tell on its step why the item is left, and how it goes on."""
        error = failure if item.error is None else self._translated(item.error)
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
