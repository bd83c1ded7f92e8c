"""One work item: read, load chunk by chunk, say how far, resume where it stopped."""

from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from tensorcost.activities.failures import gone_is_final, later, never
from tensorcost.activities.heartbeat import BEAT_EVERY, beating
from tensorcost.activities.ingest.pipeline import SpendObject
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.integration.announce import tell_run
from tensorcost.activities.integration.attempts import note_failure
from tensorcost.activities.integration.bill_items import BillItems
from tensorcost.activities.integration.choose import connector_for, translated
from tensorcost.activities.integration.cursor import ItemCursor
from tensorcost.activities.integration.groups import in_groups
from tensorcost.activities.integration.ports import (
    BillChunk,
    Chunk,
    ConnectorError,
    Connectors,
    Loaders,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
    WindowChunk,
)
from tensorcost.activities.integration.runs import ACTOR
from tensorcost.domain.clock import Clock
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.contracts import ConnectionKey, Failure
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.contracts_steps import ItemOrder, ItemOutcome
from tensorcost.domain.integration.progress_sources import HEALED_BY, subject_of
from tensorcost.domain.integration.states import OPEN_STEPS, SourceKind, StepState
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings, resolve_findings
from tensorcost.storage.integration import get_connection
from tensorcost.storage.integration_sites import (
    advance_watermark,
    list_profiles,
    save_profiles,
)
from tensorcost.storage.secrets import read_secret
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.batches import Counts, Origin
from tensorcost.storage.spend.bills import current_manifests
from tensorcost.storage.sync_steps import (
    StepSaving,
    begin_step,
    get_step,
    objects_of_run,
    save_step,
)

CONTENT_HASH: Final = "content_hash"
SAVE_EVERY: Final = timedelta(seconds=1)
RESUME_AFTER: Final = timedelta(seconds=1)
NEAR_PAST: Final = timedelta(days=400)
"""How far before its window a row may lie: AWS keeps nothing older that it could send now."""


@dataclass(slots=True)
class _Progress:
    """The newest committed cursor, and when it was last written to the step."""

    cursor: ItemCursor
    saved_at: datetime


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
            return await self._ingest(order)
        except Exception as error:
            await note_failure(self.db, order, error, self.clock())
            raise

    async def _ingest(self, order: ItemOrder) -> ItemOutcome:
        with gone_is_final():
            prepared = await self._prepare(order)
        if prepared is None:
            return await self._as_it_ended(order)
        job, cursor = prepared
        progress = _Progress(cursor, self.clock())
        chunks = connector_for(self.connectors, order.connection.provider).read(job)
        try:
            async with (
                beating(lambda: progress.cursor, self.beat_every),
                aclosing(in_groups(chunks, self.threads)) as groups,
            ):
                async for group in groups:
                    await self._load(order, group, progress)
        except ConnectorError as error:
            await self._save(order, progress, error.finding)
            raise translated(error) from error
        return await self._finish(order, job, progress.cursor)

    async def _prepare(self, order: ItemOrder) -> tuple[ReadJob, ItemCursor] | None:
        """The job and where to go on, or None when the step has ended before."""
        key = order.connection
        async with self.db.tenant(key.tenant_id) as tx:
            connection = await get_connection(tx, key.connection_id)
            attempt = activity.info().attempt
            step = await begin_step(tx, order.run_id, order.step_key, self.clock(), attempt=attempt)
            if step.state not in OPEN_STEPS:
                return None
            hash_key = await read_secret(tx, CONTENT_HASH)
            # A bill names the profiles of every account, other sources those of their own.
            site = step.item.site
            account = "" if site.source is SourceKind.BILL else site.account_id
            profiles = await list_profiles(tx, key.connection_id, account)
            manifests = await current_manifests(tx, str(key.connection_id))
        if hash_key is None:
            raise never(Failure.INVALID_ITEM, "the tenant has no hashing key")
        saved = ItemCursor(step_key=order.step_key, position=step.cursor, tally=step.tally)
        cursor = ItemCursor.resume(activity.info().heartbeat_details, saved)
        bounds = TimeBounds.at(self.clock(), step.item.window_start - NEAR_PAST)
        job = ReadJob(connection, step.item, cursor.position, hash_key, bounds, profiles, manifests)
        return job, cursor

    async def _load(self, order: ItemOrder, group: Sequence[Chunk], progress: _Progress) -> None:
        """Load some chunks; the cursor moves past each once it is committed."""
        own: dict[str, Counts] | None = None
        async with aclosing(self._reports(order, group)) as reports:
            async for chunk, report in reports:
                earlier = None
                if report.already_loaded and isinstance(chunk, ObjectChunk):
                    own = await self._own_objects(order, group) if own is None else own
                    earlier = own.get(chunk.ref.key)
                size = getattr(chunk, "size", 0)
                progress.cursor = progress.cursor.after(
                    chunk.position, report, size=size, earlier=earlier
                )
                activity.heartbeat(progress.cursor)
                draining = activity.is_worker_shutdown()
                if draining or self.clock() - progress.saved_at >= SAVE_EVERY:
                    await self._save(order, progress)
                if draining:
                    raise later(Failure.DRAINING, "the worker is shutting down", RESUME_AFTER)

    async def _own_objects(self, order: ItemOrder, group: Sequence[Chunk]) -> dict[str, Counts]:
        key = order.connection
        names = [chunk.ref.key for chunk in group if isinstance(chunk, ObjectChunk)]
        async with self.db.tenant(key.tenant_id) as tx:
            return await objects_of_run(tx, order.run_id, str(key.connection_id), names)

    async def _reports(
        self, order: ItemOrder, group: Sequence[Chunk]
    ) -> AsyncGenerator[tuple[Chunk, IngestReport], None]:
        """Each chunk with its report, once it is committed. Objects are loaded together."""
        key = order.connection
        origin = Origin(str(key.connection_id), key.connection_id, order.run_id)
        objects = [chunk for chunk in group if isinstance(chunk, ObjectChunk)]
        if objects:
            named = [SpendObject(chunk.ref, chunk.spend) for chunk in objects]
            loading = self.loaders.spend.load_objects(key.tenant_id, origin, named)
            async with aclosing(loading) as reports:
                position = 0
                async for report in reports:
                    yield objects[position], report
                    position += 1
        for chunk in group:
            if not isinstance(chunk, ObjectChunk):
                yield chunk, await self._load_one(order, origin, chunk)

    async def _load_one(
        self,
        order: ItemOrder,
        origin: Origin,
        chunk: WindowChunk | MetricsChunk | BillChunk | ProfilesChunk,
    ) -> IngestReport:
        key, spend = order.connection, self.loaders.spend
        tenant = key.tenant_id
        match chunk:
            case WindowChunk():
                return await spend.load_window(tenant, origin, chunk.name, chunk.spend)
            case MetricsChunk():
                return await spend.load_metrics(tenant, origin, chunk.name, chunk.spend)
            case BillChunk():
                bills = BillItems(self.db, self.loaders.bills)
                return await bills.load(tenant, origin, chunk, self.clock())
            case ProfilesChunk():
                async with self.db.tenant(tenant) as tx:
                    await save_profiles(tx, key.connection_id, chunk.profiles, self.clock())
                return IngestReport()

    async def _save(
        self, order: ItemOrder, progress: _Progress, finding: NewFinding | None = None
    ) -> None:
        """Write the cursor and its counters to the step, and tell progress when it is due.

        A ``finding`` is what stopped the read: it stays open until the source is read again.
        """
        key = order.connection
        cursor, now = progress.cursor, self.clock()
        async with self.db.tenant(key.tenant_id) as tx:
            saving = StepSaving(
                order.run_id,
                order.step_key,
                StepState.RUNNING,
                cursor.tally,
                cursor=cursor.position,
            )
            await save_step(tx, saving, now)
            await tell_run(tx, order.run_id, now)
            if finding is not None:
                await record_findings(tx, key.connection_id, [finding], judged=(), now=now)
        progress.saved_at = now

    async def _finish(self, order: ItemOrder, job: ReadJob, cursor: ItemCursor) -> ItemOutcome:
        key, item, now = order.connection, job.item, self.clock()
        tally = cursor.tally
        async with self.db.tenant(key.tenant_id) as tx:
            saving = StepSaving(
                order.run_id, order.step_key, StepState.COMPLETED, tally, cursor=cursor.position
            )
            if await save_step(tx, saving, now):
                await advance_watermark(tx, key.connection_id, item.site.key, item.window_end, now)
                healed, subject = HEALED_BY[item.site.source], subject_of(item.site)
                await resolve_findings(tx, key.connection_id, healed, subject, now)
                await tell_run(tx, order.run_id, now)
                await _note_pull(tx, key, job, order, tally.model_dump())
                if tally.rejected:
                    tx.emit(_quarantined(order, tally.rejected))
        return ItemOutcome(step_key=order.step_key, tally=tally.model_copy(update={"done": 1}))

    async def _as_it_ended(self, order: ItemOrder) -> ItemOutcome:
        async with self.db.tenant(order.connection.tenant_id) as tx:
            step = await get_step(tx, order.run_id, order.step_key)
        ended = {"done": 1, "failed": int(step.state is StepState.FAILED)}
        return ItemOutcome(step_key=order.step_key, tally=step.tally.model_copy(update=ended))


async def _note_pull(
    tx: TenantTx, key: ConnectionKey, job: ReadJob, order: ItemOrder, counts: dict[str, Any]
) -> None:
    """Every pull of data stands in the tenant's audit trail (004)."""
    item = job.item
    await audit.record(
        tx,
        actor=ACTOR,
        action="data.pulled",
        resource_type="connection",
        resource_id=str(key.connection_id),
        detail={
            "run_id": str(order.run_id),
            "source": item.site.source.value,
            "account": item.site.account_id,
            "region": item.site.region,
            "from": item.window_start.isoformat(),
            "to": item.window_end.isoformat(),
            "objects": counts["objects"],
            "rows_read": counts["rows_read"],
            "bytes_read": counts["bytes_read"],
        },
    )


def _quarantined(order: ItemOrder, rejected: int) -> NewEvent:
    data = {
        "run_id": str(order.run_id),
        "connection_id": str(order.connection.connection_id),
        "step_key": order.step_key,
        "rejected": rejected,
    }
    return NewEvent(EventType.SYNC_QUARANTINED, data, audit.trace_id_now())
