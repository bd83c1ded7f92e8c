"""The work of a run: planned, handed out, advanced and finished, one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row

from tensorcost.domain.errors import NotFound
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.states import OPEN_STEPS, SourceKind, StepState
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Counts
from tensorcost.storage.sync_history import STEP_COLUMNS, tally_of

MAX_DETAIL: Final = 1_000

_PLAN = """
    INSERT INTO app.sync_step (tenant_id, run_id, step_key, position, account_id, region, source,
        window_start, window_end, state, params, started_at, site_key)
    SELECT $1, $2, i.step_key, i.position, i.account_id, i.region, i.source, i.window_start,
        i.window_end, 'pending', p.params::jsonb, $3, p.site_key
    FROM unnest($4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
        $10::timestamptz[]) WITH ORDINALITY
        AS i (step_key, position, account_id, region, source, window_start, window_end, n)
    JOIN unnest($11::text[], $12::text[]) WITH ORDINALITY AS p (params, site_key, n) USING (n)
    ON CONFLICT (tenant_id, run_id, step_key) DO NOTHING
"""
_SAVE_STEP = """
    UPDATE app.sync_step SET state = :state, objects = :objects, rows_read = :rows_read,
        rows_accepted = :accepted, rows_duplicate = :duplicate, rows_rejected = :rejected,
        rows_unpriced = :unpriced, bytes_read = :bytes_read, detail = :detail, cursor = :cursor,
        finished_at = :finished,
        error_code = CASE WHEN :ended THEN :error_code ELSE error_code END,
        error = CASE WHEN :ended THEN :error ELSE error END
    WHERE tenant_id = :tenant AND run_id = :run AND step_key = :key
"""
_BEGIN_STEP = """
    UPDATE app.sync_step SET state = 'running', attempt = :attempt,
        started_at = CASE WHEN state = 'pending' THEN :now ELSE started_at END,
        error_code = CASE WHEN :lost THEN :code ELSE error_code END,
        error = CASE WHEN :lost THEN :error ELSE error END
    WHERE tenant_id = :tenant AND run_id = :run AND step_key = :key
"""
_RETRY_STEP = """
    UPDATE app.sync_step SET state = 'retrying', attempt = :attempt, error_code = :code,
        error = :error
    WHERE tenant_id = :tenant AND run_id = :run AND step_key = :key AND state = ANY(:open)
"""
_ADD_TO_RUN = """
    UPDATE app.sync_run SET steps_done = steps_done + :done, steps_failed = steps_failed + :failed,
        objects = objects + :objects, rows_read = rows_read + :rows_read,
        rows_accepted = rows_accepted + :accepted, rows_duplicate = rows_duplicate + :duplicate,
        rows_rejected = rows_rejected + :rejected, rows_unpriced = rows_unpriced + :unpriced,
        bytes_read = bytes_read + :bytes_read
    WHERE tenant_id = :tenant AND run_id = :run
"""
_LOST = "WorkerLost"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as its worker sees it: what to do, and what was done before."""

    item: WorkItem
    state: StepState
    tally: Tally
    detail: str
    cursor: str
    """Position of the last chunk that ``tally`` counts."""


@dataclass(frozen=True, slots=True)
class StepSaving:
    """The new state of a step. ``tally`` is the step's total so far, not an addition."""

    run_id: UUID
    step_key: str
    state: StepState
    tally: Tally
    detail: str = ""
    cursor: str = ""
    error_code: str = ""
    error: str = ""
    """Kept of a step that ends; what is still running keeps its last error beside it."""


async def plan_steps(tx: TenantTx, run_id: UUID, items: Sequence[WorkItem], now: datetime) -> int:
    """Store the items as pending steps; the run's number of steps. Safe to repeat."""
    driver = await tx.driver()
    await driver.execute(
        _PLAN,
        tx.tenant_id,
        run_id,
        now,
        [item.step_key for item in items],
        [item.position for item in items],
        [item.site.account_id for item in items],
        [item.site.region for item in items],
        [item.site.source.value for item in items],
        [item.window_start for item in items],
        [item.window_end for item in items],
        [orjson.dumps(dict(item.site.params)).decode() for item in items],
        [item.site.key for item in items],
    )
    total: int = await tx.scalar(
        "UPDATE app.sync_run SET pace_at = COALESCE(pace_at, :now), "
        "steps_total = (SELECT count(*) FROM app.sync_step s "
        "WHERE s.tenant_id = :tenant AND s.run_id = :run) "
        "WHERE tenant_id = :tenant AND run_id = :run RETURNING steps_total",
        tenant=tx.tenant_id,
        run=run_id,
        now=now,
    )
    return total


async def open_steps(tx: TenantTx, run_id: UUID, *, after: int, limit: int) -> list[WorkItem]:
    """The next unfinished items after a position, in order."""
    rows = await tx.all(
        f"SELECT {STEP_COLUMNS}, cursor, params::text AS params FROM app.sync_step "
        "WHERE tenant_id = :tenant AND run_id = :run AND position > :after "
        "AND state = ANY(:open) ORDER BY position LIMIT :limit",
        tenant=tx.tenant_id,
        run=run_id,
        after=after,
        open=[state.value for state in OPEN_STEPS],
        limit=limit,
    )
    return [_item(row) for row in rows]


async def begin_step(
    tx: TenantTx, run_id: UUID, step_key: str, now: datetime, *, attempt: int = 1
) -> Step:
    """Mark a step as running and return it; a finished one comes back as it ended.

    A step that is found running by a later attempt lost the one before without a word.
    """
    row = await _locked(tx, run_id, step_key)
    state = StepState(row.state)
    if state in OPEN_STEPS:
        await tx.run(
            _BEGIN_STEP,
            tenant=tx.tenant_id,
            run=run_id,
            key=step_key,
            now=now,
            attempt=attempt,
            lost=state is StepState.RUNNING and attempt > row.attempt > 0,
            code=_LOST,
            error=f"attempt {row.attempt} ended without a word: its worker or the database was "
            "lost, or it took too long",
        )
        state = StepState.RUNNING
    return Step(_item(row), state, tally_of(row), row.detail, row.cursor)


async def retry_step(
    tx: TenantTx, run_id: UUID, step_key: str, *, attempt: int, code: str, error: str
) -> bool:
    """Keep why an attempt failed that another one follows; False when the step has ended."""
    return bool(
        await tx.run(
            _RETRY_STEP,
            tenant=tx.tenant_id,
            run=run_id,
            key=step_key,
            attempt=attempt,
            code=code,
            error=error[:MAX_DETAIL],
            open=[state.value for state in OPEN_STEPS],
        )
    )


async def get_step(tx: TenantTx, run_id: UUID, step_key: str) -> Step:
    """The step as it stands, or NotFound."""
    row = await _locked(tx, run_id, step_key)
    return Step(_item(row), StepState(row.state), tally_of(row), row.detail, row.cursor)


async def objects_of_run(
    tx: TenantTx, run_id: UUID, origin: str, keys: Sequence[str]
) -> dict[str, Counts]:
    """Those of ``keys`` that this very run loaded, with what it counted.

    A worker that dies after a commit and before it counted is made good by this.
    """
    rows = await tx.all(
        "SELECT o.object_key, o.rows_accepted, o.rows_duplicate, o.rows_rejected "
        "FROM ai.ingest_object o JOIN ai.ingest_batch b USING (tenant_id, batch_id) "
        "WHERE o.tenant_id = :tenant AND o.origin = :origin AND o.object_key = ANY(:keys) "
        "AND b.run_id = :run",
        tenant=tx.tenant_id,
        origin=origin,
        keys=list(keys),
        run=run_id,
    )
    return {
        row.object_key: Counts(row.rows_accepted, row.rows_duplicate, row.rows_rejected)
        for row in rows
    }


async def skip_open_steps(tx: TenantTx, run_id: UUID, now: datetime) -> int:
    """What a run leaves undone is marked so; how many steps that were."""
    return await tx.run(
        "UPDATE app.sync_step SET state = 'skipped', finished_at = :now "
        "WHERE tenant_id = :tenant AND run_id = :run AND state = ANY(:open)",
        tenant=tx.tenant_id,
        run=run_id,
        now=now,
        open=[state.value for state in OPEN_STEPS],
    )


async def save_step(tx: TenantTx, saving: StepSaving, now: datetime) -> bool:
    """Write a step's state and add the difference to its run; False when it had ended before."""
    row = await _locked(tx, saving.run_id, saving.step_key)
    if StepState(row.state) not in OPEN_STEPS:
        return False
    ended = saving.state not in OPEN_STEPS
    before = tally_of(row)
    await tx.run(
        _SAVE_STEP,
        tenant=tx.tenant_id,
        run=saving.run_id,
        key=saving.step_key,
        state=saving.state.value,
        detail=saving.detail[:MAX_DETAIL],
        cursor=saving.cursor,
        finished=now if ended else None,
        ended=ended,
        error_code=saving.error_code,
        error=saving.error[:MAX_DETAIL],
        **saving.tally.model_dump(exclude={"done", "failed"}),
    )
    change = {
        name: getattr(saving.tally, name) - getattr(before, name)
        for name in Tally.model_fields
        if name not in ("done", "failed")
    }
    await tx.run(
        _ADD_TO_RUN,
        tenant=tx.tenant_id,
        run=saving.run_id,
        done=int(ended),
        failed=int(saving.state is StepState.FAILED),
        **change,
    )
    return True


async def add_finished_step(
    tx: TenantTx, saving: StepSaving, *, position: int, source: str, now: datetime
) -> None:
    """Append or overwrite a step that is a fact rather than work (a validation's probe)."""
    await tx.run(
        "INSERT INTO app.sync_step (tenant_id, run_id, step_key, position, source, state, detail, "
        "started_at, finished_at) VALUES (:tenant, :run, :key, :position, :source, :state, "
        ":detail, :now, :now) ON CONFLICT (tenant_id, run_id, step_key) DO UPDATE SET "
        "state = excluded.state, detail = excluded.detail, finished_at = excluded.finished_at",
        tenant=tx.tenant_id,
        run=saving.run_id,
        key=saving.step_key,
        position=position,
        source=source,
        state=saving.state.value,
        detail=saving.detail[:MAX_DETAIL],
        now=now,
    )


async def _locked(tx: TenantTx, run_id: UUID, step_key: str) -> Row[Any]:
    row = await tx.first(
        f"SELECT {STEP_COLUMNS}, cursor, params::text AS params FROM app.sync_step "
        "WHERE tenant_id = :tenant AND run_id = :run AND step_key = :key FOR UPDATE",
        tenant=tx.tenant_id,
        run=run_id,
        key=step_key,
    )
    if row is None:
        raise NotFound("step", step_key)
    return row


def _item(row: Row[Any]) -> WorkItem:
    site = Site(SourceKind(row.source), row.account_id, row.region, orjson.loads(row.params))
    return WorkItem(row.step_key, row.position, site, row.window_start, row.window_end)
