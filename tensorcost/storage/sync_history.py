"""Runs and what they did, as people read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.errors import NotFound
from tensorcost.domain.ids import ConnectionId
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.progress_records import (
    NewRun,
    QuarantinedRow,
    SyncRun,
    SyncStep,
)
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.storage.session import TenantTx

RUN_COLUMNS: Final = """run_id, connection_id, kind, workflow_id, state, started_at, finished_at,
    window_start, window_end, steps_total, steps_done, steps_failed, objects, rows_read,
    rows_accepted, rows_duplicate, rows_rejected, rows_unpriced, bytes_read, estimated_finish,
    note, requested_by, progressed_at"""
STEP_COLUMNS: Final = """run_id, step_key, position, account_id, region, source, window_start,
    window_end, state, objects, rows_read, rows_accepted, rows_duplicate, rows_rejected,
    rows_unpriced, bytes_read, detail, started_at, finished_at, attempt, error_code, error"""

_OPEN_RUN = """
    INSERT INTO app.sync_run (tenant_id, run_id, connection_id, kind, workflow_id, state,
        started_at, window_start, window_end, requested_by)
    VALUES (:tenant, :run, :connection, :kind, :workflow, 'running', :started, :window_start,
        :window_end, :requested_by)
    ON CONFLICT (tenant_id, run_id) DO NOTHING
"""
_FINISH_RUN = """
    UPDATE app.sync_run AS r SET state = :state, finished_at = :now, estimated_finish = NULL,
        note = :note
    WHERE r.tenant_id = :tenant AND r.run_id = :run AND r.state = 'running'
"""

_QUARANTINED = """
    SELECT quarantine_id, run_id, file, position, reason, detail, created_at
    FROM app.quarantine WHERE tenant_id = :tenant
"""


async def open_run(tx: TenantTx, run: NewRun) -> bool:
    """Begin a run; False when it had begun before (a retried activity)."""
    return bool(
        await tx.run(
            _OPEN_RUN,
            tenant=tx.tenant_id,
            run=run.run_id,
            connection=run.connection_id,
            kind=run.kind.value,
            workflow=run.workflow_id,
            started=run.started_at,
            window_start=run.window_start,
            window_end=run.window_end,
            requested_by=run.requested_by,
        )
    )


async def finish_run(
    tx: TenantTx, run_id: UUID, state: RunState, now: datetime, *, note: str = ""
) -> bool:
    """End a run; False when it had ended before."""
    return bool(
        await tx.run(
            _FINISH_RUN, tenant=tx.tenant_id, run=run_id, state=state.value, now=now, note=note
        )
    )


async def find_run(tx: TenantTx, run_id: UUID) -> SyncRun | None:
    row = await tx.first(
        f"SELECT {RUN_COLUMNS} FROM app.sync_run WHERE tenant_id = :tenant AND run_id = :run",
        tenant=tx.tenant_id,
        run=run_id,
    )
    return None if row is None else run_of(row)


async def get_run(tx: TenantTx, run_id: UUID) -> SyncRun:
    """The run, or NotFound."""
    found = await find_run(tx, run_id)
    if found is None:
        raise NotFound("run", run_id)
    return found


async def list_runs(
    tx: TenantTx,
    connection_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    kind: RunKind | None = None,
) -> list[SyncRun]:
    """At most ``limit`` runs, newest first, before the keyset (started_at, run_id)."""
    since, last = before or (None, UUID(int=0))
    rows = await tx.all(
        f"SELECT {RUN_COLUMNS} FROM app.sync_run WHERE tenant_id = :tenant "
        "AND connection_id = :connection AND (:kind = '' OR kind = :kind) "
        "AND (:first OR (started_at, run_id) < (:since, :last)) "
        "ORDER BY started_at DESC, run_id DESC LIMIT :limit",
        tenant=tx.tenant_id,
        connection=connection_id,
        kind="" if kind is None else kind.value,
        first=before is None,
        since=since,
        last=last,
        limit=limit,
    )
    return [run_of(row) for row in rows]


async def running_runs(tx: TenantTx) -> int:
    """Backfills and syncs of the tenant that are under way."""
    found: int = await tx.scalar(
        "SELECT count(*) FROM app.sync_run WHERE tenant_id = :tenant AND state = 'running' "
        "AND kind IN ('backfill', 'sync')",
        tenant=tx.tenant_id,
    )
    return found


async def list_steps(tx: TenantTx, run_id: UUID, *, limit: int, after: int = -1) -> list[SyncStep]:
    """At most ``limit`` steps of a run in their order, after a position."""
    rows = await tx.all(
        f"SELECT {STEP_COLUMNS} FROM app.sync_step WHERE tenant_id = :tenant AND run_id = :run "
        "AND position > :after ORDER BY position, step_key LIMIT :limit",
        tenant=tx.tenant_id,
        run=run_id,
        after=after,
        limit=limit,
    )
    return [step_of(row) for row in rows]


async def steps_of_runs(
    tx: TenantTx, run_ids: Sequence[UUID], *, limit: int
) -> dict[UUID, list[SyncStep]]:
    """The first ``limit`` steps of each run, for one query behind many runs."""
    rows = await tx.all(
        f"SELECT {STEP_COLUMNS} FROM (SELECT *, row_number() OVER "
        "(PARTITION BY run_id ORDER BY position, step_key) AS n FROM app.sync_step "
        "WHERE tenant_id = :tenant AND run_id = ANY(:runs)) s WHERE n <= :limit "
        "ORDER BY run_id, position, step_key",
        tenant=tx.tenant_id,
        runs=list(run_ids),
        limit=limit,
    )
    found: dict[UUID, list[SyncStep]] = {run_id: [] for run_id in run_ids}
    for row in rows:
        found[row.run_id].append(step_of(row))
    return found


async def list_quarantined(
    tx: TenantTx,
    *,
    limit: int,
    connection_id: UUID | None = None,
    run_id: UUID | None = None,
    after: UUID | None = None,
) -> list[QuarantinedRow]:
    """At most ``limit`` quarantined rows, oldest first (ids are time-ordered)."""
    rows = await tx.all(
        f"{_QUARANTINED} AND quarantine_id > :after "
        "AND (CAST(:connection AS uuid) IS NULL OR connection_id = :connection) "
        "AND (CAST(:run AS uuid) IS NULL OR run_id = :run) ORDER BY quarantine_id LIMIT :limit",
        tenant=tx.tenant_id,
        after=after or UUID(int=0),
        connection=connection_id,
        run=run_id,
        limit=limit,
    )
    return [_quarantined(row) for row in rows]


async def get_quarantined(tx: TenantTx, quarantine_id: UUID) -> QuarantinedRow:
    """The row that was not accepted, or NotFound."""
    row = await tx.first(
        f"{_QUARANTINED} AND quarantine_id = :id", tenant=tx.tenant_id, id=quarantine_id
    )
    if row is None:
        raise NotFound("quarantined row", quarantine_id)
    return _quarantined(row)


def _quarantined(row: Row[Any]) -> QuarantinedRow:
    return QuarantinedRow(
        row.quarantine_id,
        row.run_id,
        row.file,
        row.position,
        row.reason,
        row.detail,
        row.created_at,
    )


def tally_of(row: Row[Any], *, done: int = 0, failed: int = 0) -> Tally:
    return Tally(
        done=done,
        failed=failed,
        objects=row.objects,
        rows_read=row.rows_read,
        accepted=row.rows_accepted,
        duplicate=row.rows_duplicate,
        rejected=row.rows_rejected,
        unpriced=row.rows_unpriced,
        bytes_read=row.bytes_read,
    )


def run_of(row: Row[Any]) -> SyncRun:
    return SyncRun(
        run_id=row.run_id,
        connection_id=ConnectionId(row.connection_id),
        kind=RunKind(row.kind),
        workflow_id=row.workflow_id,
        state=RunState(row.state),
        started_at=row.started_at,
        finished_at=row.finished_at,
        window_start=row.window_start,
        window_end=row.window_end,
        steps_total=row.steps_total,
        tally=tally_of(row, done=row.steps_done, failed=row.steps_failed),
        estimated_finish=row.estimated_finish,
        note=row.note,
        requested_by=row.requested_by,
        progressed_at=row.progressed_at,
    )


def step_of(row: Row[Any]) -> SyncStep:
    return SyncStep(
        run_id=row.run_id,
        step_key=row.step_key,
        position=row.position,
        account_id=row.account_id,
        region=row.region,
        source=row.source,
        window_start=row.window_start,
        window_end=row.window_end,
        state=StepState(row.state),
        tally=tally_of(
            row,
            done=int(row.state in (StepState.COMPLETED, StepState.SKIPPED)),
            failed=int(row.state == StepState.FAILED),
        ),
        detail=row.detail,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        error_code=row.error_code,
        error=row.error,
    )
