"""Items and their steps: begun in one transaction, written in another, however many they are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from temporalio import activity

from tensorcost.activities.failures import gone_is_final, later, never
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.integration.announce import tell_run
from tensorcost.activities.integration.cursor import ItemCursor
from tensorcost.activities.integration.groups import Piece
from tensorcost.activities.integration.open_items import OpenItem, OpenItems, total
from tensorcost.activities.integration.ports import ReadJob
from tensorcost.activities.integration.runs import ACTOR
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.contracts import ConnectionKey, Failure, Tally
from tensorcost.domain.integration.plan import WorkItem
from tensorcost.domain.integration.progress_records import StoredProfile
from tensorcost.domain.integration.progress_sources import HEALED_BY, subject_of
from tensorcost.domain.integration.states import OPEN_STEPS, SourceKind, StepState
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings, resolve_findings
from tensorcost.storage.integration import get_connection
from tensorcost.storage.integration_sites import advance_watermarks, list_profiles
from tensorcost.storage.secrets import read_secret
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.bills import current_manifests
from tensorcost.storage.sync_steps import Step, begin_steps, save_steps

NEAR_PAST: Final = timedelta(days=400)
"""How far before its window a row may lie: AWS keeps nothing older that it could send now."""
RESUME_AFTER: Final = timedelta(seconds=1)
_NAMED_BY_NOBODY: Final = frozenset({SourceKind.PROFILES, SourceKind.BILL})


async def begin_items(
    db: Database,
    key: ConnectionKey,
    run_id: UUID,
    step_keys: Sequence[str],
    now: datetime,
    *,
    tried: int = 0,
) -> OpenItems:
    """Mark the steps as running: what to read of each, and from where to go on."""
    attempt = tried + activity.info().attempt
    with gone_is_final():
        async with db.tenant(key.tenant_id) as tx:
            connection = await get_connection(tx, key.connection_id)
            steps = await begin_steps(tx, run_id, step_keys, now, attempt=attempt)
            open_ones = [steps[k] for k in step_keys if steps[k].state in OPEN_STEPS]
            hash_key = await read_secret(tx, StoredSecretKind.CONTENT_HASH)
            profiles = await _profiles(tx, key, [step.item for step in open_ones])
            bills = any(step.item.site.source is SourceKind.BILL for step in open_ones)
            manifests = await current_manifests(tx, str(key.connection_id)) if bills else ()
    if hash_key is None:
        raise never(Failure.INVALID_ITEM, "the tenant has no hashing key")
    items = []
    for step in open_ones:
        cursor = ItemCursor(
            step_key=step.item.step_key, position=step.cursor, tally=step.tally, note=step.detail
        )
        job = ReadJob(
            connection,
            step.item,
            cursor.position,
            hash_key,
            TimeBounds.at(now, step.item.window_start - NEAR_PAST),
            _named_in(step.item, profiles),
            manifests,
        )
        items.append(OpenItem(job, cursor, saved=cursor, attempt=attempt))
    ended = total(_as_it_ended(step) for step in steps.values() if step.state not in OPEN_STEPS)
    return OpenItems(key, run_id, items, ended, saved_at=now)


async def mark_items(
    tx: TenantTx, work: OpenItems, loaded: Iterable[tuple[Piece, IngestReport]], now: datetime
) -> None:
    """Count on their steps what ``tx`` loads. Raises where another attempt has followed.

    It would else add rows that nobody counts, or a figure of which that one knows nothing.
    """
    cursors: dict[OpenItem, ItemCursor] = {}
    for (item, chunk), report in loaded:
        cursors[item] = cursors.get(item, item.cursor).after(chunk, report)
    savings = [item.saving(work.run_id, cursor) for item, cursor in cursors.items()]
    if len(await save_steps(tx, work.run_id, savings, now)) < len(savings):
        raise later(Failure.SUPERSEDED, "the item has ended or was begun again", RESUME_AFTER)
    for item, cursor in cursors.items():
        item.saved = cursor


async def write_items(db: Database, work: OpenItems, now: datetime) -> None:
    """Write what is due of each item to its step, and tell progress when that is due.

    An item that is complete ends: its watermark moves, what stood against its source is
    resolved. What stopped a read stands as a finding until the source is read again.
    """
    due = [item for item in work.items if item.is_due]
    key = work.connection
    async with db.tenant(key.tenant_id) as tx:
        savings = [item.saving(work.run_id, item.furthest) for item in due]
        written = await save_steps(tx, work.run_id, savings, now) if savings else set()
        ending = [item for item in due if item.is_complete and item.step_key in written]
        if ending:
            await _end(tx, work, ending, now)
        found = [item.error.finding for item in due if item.error and item.error.finding]
        if found:
            await record_findings(tx, key.connection_id, found, judged=(), now=now)
        await tell_run(tx, work.run_id, now)
    for item in due:
        item.saved, item.ended = item.furthest, item.is_complete
    work.saved_at = now


async def _end(tx: TenantTx, work: OpenItems, items: Sequence[OpenItem], now: datetime) -> None:
    connection_id = work.connection.connection_id
    sites = [item.job.item.site for item in items]
    reached = {item.job.item.site.key: item.job.item.window_end for item in items}
    await advance_watermarks(tx, connection_id, reached, now)
    healed = [(code, subject_of(site)) for site in sites for code in HEALED_BY[site.source]]
    await resolve_findings(tx, connection_id, healed, now)
    # Every pull of data stands in the tenant's audit trail (004).
    await audit.record_each(
        tx,
        actor=ACTOR,
        action="data.pulled",
        resource_type="connection",
        resource_id=str(connection_id),
        details=[_pulled(work.run_id, item) for item in items],
    )
    for item in items:
        if item.cursor.tally.rejected:
            tx.emit(_quarantined(work, item))


def _as_it_ended(step: Step) -> Tally:
    ended = {"done": 1, "failed": int(step.state is StepState.FAILED)}
    return step.tally.model_copy(update=ended)


async def _profiles(
    tx: TenantTx, key: ConnectionKey, items: Sequence[WorkItem]
) -> list[StoredProfile]:
    """A bill names the profiles of every account, other sources those of their own."""
    if any(item.site.source is SourceKind.BILL for item in items):
        return await list_profiles(tx, key.connection_id)
    accounts = {i.site.account_id for i in items if i.site.source not in _NAMED_BY_NOBODY}
    return await list_profiles(tx, key.connection_id, sorted(accounts)) if accounts else []


def _named_in(item: WorkItem, profiles: Sequence[StoredProfile]) -> Sequence[StoredProfile]:
    if item.site.source is SourceKind.BILL:
        return profiles
    return [profile for profile in profiles if profile.account_id == item.site.account_id]


def _pulled(run_id: UUID, one: OpenItem) -> Mapping[str, Any]:
    item, tally = one.job.item, one.cursor.tally
    return {
        "run_id": str(run_id),
        "source": item.site.source.value,
        "account": item.site.account_id,
        "region": item.site.region,
        "from": item.window_start.isoformat(),
        "to": item.window_end.isoformat(),
        "objects": tally.objects,
        "rows_read": tally.rows_read,
        "bytes_read": tally.bytes_read,
    }


def _quarantined(work: OpenItems, item: OpenItem) -> NewEvent:
    data = {
        "run_id": str(work.run_id),
        "connection_id": str(work.connection.connection_id),
        "step_key": item.step_key,
        "rejected": item.cursor.tally.rejected,
    }
    return NewEvent(EventType.SYNC_QUARANTINED, data, audit.trace_id_now())
