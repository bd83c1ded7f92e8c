"""When a backfill is needed, and which sites it reads: all at first, later what is still owed."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tensorcost.domain.integration.catch_up import due_keys, owed_keys
from tensorcost.domain.integration.contracts import ConnectionKey, backfill_workflow_id
from tensorcost.domain.integration.contracts_steps import BackfillRequest, BackfillTicket
from tensorcost.domain.integration.plan import backfill_window
from tensorcost.domain.integration.progress_records import NewRun, SyncRun
from tensorcost.domain.integration.states import RunKind, RunState
from tensorcost.storage.integration_backfills import mark_backfilled, owed_sites
from tensorcost.storage.session import TenantTx
from tensorcost.storage.sync_history import finish_run, list_runs

SILENT_FOR: Final = timedelta(hours=6)
"""A backfill that has not moved for so long lost its workflow: it does not block another."""
MAX_BACKFILLS: Final = 1_000


async def backfills_of(tx: TenantTx, connection_id: UUID) -> list[SyncRun]:
    """The connection's backfills, newest first."""
    return await list_runs(tx, connection_id, limit=MAX_BACKFILLS, kind=RunKind.BACKFILL)


async def sites_to_read(
    tx: TenantTx, key: ConnectionKey, runs: list[SyncRun], after_sync: UUID | None, now: datetime
) -> list[str] | None:
    """Keys of the sites that a backfill has to read now, None where none is needed.

    After a sync only what it could read, and nothing after a backfill that a person has stopped:
    that waits for a person.
    """
    if await _is_moving(tx, runs, now):
        return None
    owed = await owed_sites(tx, key.connection_id, read_by=after_sync)
    if after_sync is not None:
        waits = not runs or runs[0].state is RunState.CANCELLED
        return None if waits else due_keys(owed, now) or None
    if any(run.state is RunState.COMPLETED for run in runs):
        return owed_keys(owed) or None
    return [site.key for site in owed]


def next_backfill(request: BackfillRequest, runs: list[SyncRun]) -> NewRun:
    """The run of the next number. ``runs`` are those before, newest first."""
    key = request.connection
    number = 1 + max((ticket_of(run).number for run in runs), default=0)
    days = _days(runs[0]) if request.days is None else request.days
    window = backfill_window(request.now, days)
    return NewRun(
        tenant_id=key.tenant_id,
        run_id=request.run_id,
        connection_id=key.connection_id,
        kind=RunKind.BACKFILL,
        workflow_id=backfill_workflow_id(key.connection_id, number),
        started_at=request.now,
        requested_by=request.requested_by,
        window_start=window.start,
        window_end=window.end,
    )


def ticket_of(run: SyncRun) -> BackfillTicket:
    """What starts the workflow of an opened backfill."""
    return BackfillTicket(
        number=int(run.workflow_id.rpartition("/")[2]),
        workflow_id=run.workflow_id,
        window_start=run.window_start,
        window_end=run.window_end,
    )


async def _is_moving(tx: TenantTx, runs: list[SyncRun], now: datetime) -> bool:
    """Whether a backfill is under way. One that stands still is closed."""
    for run in runs:
        if run.state is not RunState.RUNNING:
            continue
        if now - (run.progressed_at or run.started_at) < SILENT_FOR:
            return True
        await finish_run(tx, run.run_id, RunState.FAILED, now, note="abandoned")
        await mark_backfilled(tx, run.connection_id, run.run_id, now)
    return False


def _days(run: SyncRun) -> int:
    """Whole days before the day on which the backfill began."""
    if run.window_start is None or run.window_end is None:
        return 0
    return (run.window_end.date() - run.window_start.date()).days
