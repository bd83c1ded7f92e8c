"""How runs are told: one shape of event for backfills and syncs."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.progress import percent
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import RunKind, RunState
from tensorcost.storage.audit import trace_id_now
from tensorcost.storage.session import TenantTx
from tensorcost.storage.sync_progress import claim_progress

STARTED: Final = {
    RunKind.BACKFILL: EventType.BACKFILL_STARTED,
    RunKind.SYNC: EventType.SYNC_STARTED,
}
ENDED: Final = {
    (RunKind.BACKFILL, RunState.COMPLETED): EventType.BACKFILL_COMPLETED,
    (RunKind.BACKFILL, RunState.FAILED): EventType.BACKFILL_FAILED,
    (RunKind.BACKFILL, RunState.CANCELLED): EventType.BACKFILL_FAILED,
    (RunKind.SYNC, RunState.COMPLETED): EventType.SYNC_COMPLETED,
    (RunKind.SYNC, RunState.FAILED): EventType.SYNC_FAILED,
    (RunKind.SYNC, RunState.CANCELLED): EventType.SYNC_FAILED,
}


def announce(tx: TenantTx, event: EventType, run: SyncRun) -> None:
    """Append ``event`` about the run to the outbox."""
    tx.emit(NewEvent(event, run_data(run), trace_id_now()))


async def tell_run(tx: TenantTx, run_id: UUID, now: datetime) -> None:
    """Refresh the run's estimate and tell a backfill's progress, when that is due.

    A sync is short: its start and end say enough.
    """
    run = await claim_progress(tx, run_id, now)
    if run is not None and run.kind is RunKind.BACKFILL:
        announce(tx, EventType.BACKFILL_PROGRESSED, run)


def run_data(run: SyncRun) -> dict[str, Any]:
    """The run's progress as event data."""
    tally = run.tally
    return {
        "run_id": str(run.run_id),
        "connection_id": str(run.connection_id),
        "kind": run.kind.value,
        "state": run.state.value,
        "items_done": tally.done,
        "items_total": run.steps_total,
        "items_failed": tally.failed,
        "percent": percent(tally.done, run.steps_total),
        "objects": tally.objects,
        "rows_read": tally.rows_read,
        "rows_accepted": tally.accepted,
        "rows_duplicate": tally.duplicate,
        "rows_rejected": tally.rejected,
        "rows_unpriced": tally.unpriced,
        "bytes_read": tally.bytes_read,
        "estimated_finish": None
        if run.estimated_finish is None
        else run.estimated_finish.isoformat(),
        "note": run.note,
    }
