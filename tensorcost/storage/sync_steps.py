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
from tensorcost.storage.sync_history import STEP_COLUMNS, tally_of

MAX_DETAIL: Final = 1_000
_COUNTERS: Final = (
    "objects",
    "rows_read",
    "accepted",
    "duplicate",
    "rejected",
    "unpriced",
    "bytes_read",
)

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
_GIVEN_STEPS = """
    SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
        $16::bigint[], $18::int[]) AS g (step_key, state, detail, cursor, error_code, error,
        objects, rows_read, accepted, duplicate, rejected, unpriced, bytes_read, attempt)
"""
_SAVE_STEPS = f"""
    WITH given AS ({_GIVEN_STEPS}), saved AS (
        UPDATE app.sync_step s SET state = g.state, objects = g.objects, rows_read = g.rows_read,
            rows_accepted = g.accepted, rows_duplicate = g.duplicate, rows_rejected = g.rejected,
            rows_unpriced = g.unpriced, bytes_read = g.bytes_read, detail = g.detail,
            cursor = g.cursor,
            finished_at = CASE WHEN g.state = ANY($17) THEN NULL ELSE $3::timestamptz END,
            error_code = CASE WHEN g.state = ANY($17) THEN s.error_code ELSE g.error_code END,
            error = CASE WHEN g.state = ANY($17) THEN s.error ELSE g.error END
        FROM given g
        WHERE s.tenant_id = $1 AND s.run_id = $2 AND s.step_key = g.step_key
            AND s.state = ANY($17) AND s.attempt = COALESCE(g.attempt, s.attempt)
        RETURNING s.step_key, g.state, new.objects - old.objects AS objects,
            new.rows_read - old.rows_read AS rows_read,
            new.rows_accepted - old.rows_accepted AS accepted,
            new.rows_duplicate - old.rows_duplicate AS duplicate,
            new.rows_rejected - old.rows_rejected AS rejected,
            new.rows_unpriced - old.rows_unpriced AS unpriced,
            new.bytes_read - old.bytes_read AS bytes_read
    ), added AS (
        UPDATE app.sync_run r SET steps_done = r.steps_done + a.done,
            steps_failed = r.steps_failed + a.failed, objects = r.objects + a.objects,
            rows_read = r.rows_read + a.rows_read, rows_accepted = r.rows_accepted + a.accepted,
            rows_duplicate = r.rows_duplicate + a.duplicate,
            rows_rejected = r.rows_rejected + a.rejected,
            rows_unpriced = r.rows_unpriced + a.unpriced, bytes_read = r.bytes_read + a.bytes_read
        FROM (
            SELECT count(*) FILTER (WHERE state <> ALL($17)) AS done,
                count(*) FILTER (WHERE state = 'failed') AS failed, sum(objects) AS objects,
                sum(rows_read) AS rows_read, sum(accepted) AS accepted,
                sum(duplicate) AS duplicate, sum(rejected) AS rejected,
                sum(unpriced) AS unpriced, sum(bytes_read) AS bytes_read
            FROM saved HAVING count(*) > 0
        ) a
        WHERE r.tenant_id = $1 AND r.run_id = $2
    )
    SELECT step_key FROM saved
"""
_LOST_WHEN = "state = 'running' AND :attempt > attempt AND attempt > 0"
_BEGIN_STEPS = f"""
    UPDATE app.sync_step SET state = 'running', attempt = :attempt,
        started_at = CASE WHEN state = 'pending' THEN :now ELSE started_at END,
        error_code = CASE WHEN {_LOST_WHEN} THEN 'WorkerLost' ELSE error_code END,
        error = CASE WHEN {_LOST_WHEN} THEN 'attempt ' || attempt || ' ended without a word: its '
            'worker or the database was lost, or it took too long' ELSE error END
    WHERE tenant_id = :tenant AND run_id = :run AND step_key = ANY(:keys) AND state = ANY(:open)
    RETURNING {STEP_COLUMNS}, cursor, params::text AS params
"""
_RETRY_STEP = """
    UPDATE app.sync_step SET state = 'retrying', attempt = :attempt, error_code = :code,
        error = :error
    WHERE tenant_id = :tenant AND run_id = :run AND step_key = :key AND state = ANY(:open)
        AND attempt <= :attempt
"""
_OPEN: Final = [state.value for state in OPEN_STEPS]


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
    attempt: int | None = None
    """The attempt that writes: nothing is written once another one has begun the step. None: who
    writes is no attempt."""


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
        "WHERE s.tenant_id = :tenant AND s.run_id = :run AND s.position > 0) "
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
        open=_OPEN,
        limit=limit,
    )
    return [_item(row) for row in rows]


async def begin_steps(
    tx: TenantTx, run_id: UUID, step_keys: Sequence[str], now: datetime, *, attempt: int = 1
) -> dict[str, Step]:
    """Mark steps as running and return them; finished ones come back as they ended.

    A step that is found running by a later attempt lost the one before without a word. Raises
    NotFound.
    """
    rows = await tx.all(
        _BEGIN_STEPS,
        tenant=tx.tenant_id,
        run=run_id,
        keys=list(step_keys),
        now=now,
        attempt=attempt,
        open=_OPEN,
    )
    found = {row.step_key: _step(row) for row in rows}
    ended = [key for key in step_keys if key not in found]
    return found | (await get_steps(tx, run_id, ended) if ended else {})


async def retry_step(
    tx: TenantTx, run_id: UUID, step_key: str, *, attempt: int, code: str, error: str
) -> bool:
    """Keep why an attempt failed that another one follows; False when the step has ended, or
    that other one has begun."""
    return bool(
        await tx.run(
            _RETRY_STEP,
            tenant=tx.tenant_id,
            run=run_id,
            key=step_key,
            attempt=attempt,
            code=code,
            error=error[:MAX_DETAIL],
            open=_OPEN,
        )
    )


async def get_steps(tx: TenantTx, run_id: UUID, step_keys: Sequence[str]) -> dict[str, Step]:
    """The steps as they stand, or NotFound."""
    rows = await tx.all(
        f"SELECT {STEP_COLUMNS}, cursor, params::text AS params FROM app.sync_step "
        "WHERE tenant_id = :tenant AND run_id = :run AND step_key = ANY(:keys) FOR UPDATE",
        tenant=tx.tenant_id,
        run=run_id,
        keys=list(step_keys),
    )
    found = {row.step_key: _step(row) for row in rows}
    for key in step_keys:
        if key not in found:
            raise NotFound("step", key)
    return found


async def codes_set_aside(tx: TenantTx, run_id: UUID) -> list[str]:
    """Codes of what completed steps of a run refused or set aside, each once."""
    rows = await tx.all(
        "SELECT DISTINCT error_code FROM app.sync_step WHERE tenant_id = :tenant "
        "AND run_id = :run AND state = 'completed' AND error_code <> '' ORDER BY 1",
        tenant=tx.tenant_id,
        run=run_id,
    )
    return [row.error_code for row in rows]


async def skip_open_steps(tx: TenantTx, run_id: UUID, now: datetime) -> int:
    """What a run leaves undone is marked so; how many steps that were."""
    return await tx.run(
        "UPDATE app.sync_step SET state = 'skipped', finished_at = :now "
        "WHERE tenant_id = :tenant AND run_id = :run AND state = ANY(:open)",
        tenant=tx.tenant_id,
        run=run_id,
        now=now,
        open=_OPEN,
    )


async def save_steps(
    tx: TenantTx, run_id: UUID, savings: Sequence[StepSaving], now: datetime
) -> set[str]:
    """Write the states of a run's steps and add the differences to the run.

    The keys of those that were written: not of those that had ended before, or whose attempt
    was no longer the last.
    """
    driver = await tx.driver()
    rows = await driver.fetch(
        _SAVE_STEPS,
        tx.tenant_id,
        run_id,
        now,
        [saving.step_key for saving in savings],
        [saving.state.value for saving in savings],
        [saving.detail[:MAX_DETAIL] for saving in savings],
        [saving.cursor for saving in savings],
        [saving.error_code for saving in savings],
        [saving.error[:MAX_DETAIL] for saving in savings],
        *([getattr(saving.tally, name) for saving in savings] for name in _COUNTERS),
        _OPEN,
        [saving.attempt for saving in savings],
    )
    return {row["step_key"] for row in rows}


async def save_step(tx: TenantTx, saving: StepSaving, now: datetime) -> bool:
    """Write one step's state; False when it had ended before."""
    return bool(await save_steps(tx, saving.run_id, [saving], now))


async def note_step(
    tx: TenantTx, saving: StepSaving, *, position: int, source: str, now: datetime
) -> None:
    """Append or overwrite a step that is a fact rather than work (a validation's probe)."""
    await tx.run(
        "INSERT INTO app.sync_step (tenant_id, run_id, step_key, position, source, state, detail, "
        "started_at, finished_at) VALUES (:tenant, :run, :key, :position, :source, :state, "
        ":detail, :now, :finished) ON CONFLICT (tenant_id, run_id, step_key) DO UPDATE SET "
        "state = excluded.state, detail = excluded.detail, finished_at = excluded.finished_at",
        tenant=tx.tenant_id,
        run=saving.run_id,
        key=saving.step_key,
        position=position,
        source=source,
        state=saving.state.value,
        detail=saving.detail[:MAX_DETAIL],
        now=now,
        finished=None if saving.state in OPEN_STEPS else now,
    )


def _step(row: Row[Any]) -> Step:
    return Step(_item(row), StepState(row.state), tally_of(row), row.detail, row.cursor)


def _item(row: Row[Any]) -> WorkItem:
    site = Site(SourceKind(row.source), row.account_id, row.region, orjson.loads(row.params))
    return WorkItem(row.step_key, row.position, site, row.window_start, row.window_end)
