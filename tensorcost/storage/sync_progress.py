"""How far a run is and when it will be done, claimed by one teller at a time."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tensorcost.domain.integration.pace import Pace
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.storage.session import TenantTx
from tensorcost.storage.sync_history import RUN_COLUMNS, run_of

PROGRESS_EVERY: Final = timedelta(seconds=1)

_CLAIM = f"""
    UPDATE app.sync_run SET progressed_at = :now
    WHERE tenant_id = :tenant AND run_id = :run AND state = 'running'
        AND (progressed_at IS NULL OR progressed_at <= :before)
    RETURNING {RUN_COLUMNS}, pace, pace_done, COALESCE(pace_at, started_at) AS pace_at
"""
_KEEP = """
    UPDATE app.sync_run SET estimated_finish = :estimate, pace = :pace, pace_done = :done,
        pace_at = :at
    WHERE tenant_id = :tenant AND run_id = :run
"""


async def claim_progress(tx: TenantTx, run_id: UUID, now: datetime) -> SyncRun | None:
    """The run with a fresh estimate when its progress is due to be told, else None."""
    row = await tx.first(
        _CLAIM, tenant=tx.tenant_id, run=run_id, now=now, before=now - PROGRESS_EVERY
    )
    if row is None:
        return None
    run = run_of(row)
    pace = Pace(row.pace_at, row.pace_done, row.pace).after(now, run.tally.done)
    estimate = pace.finish(now, run.steps_total)
    await tx.run(
        _KEEP,
        tenant=tx.tenant_id,
        run=run_id,
        estimate=estimate,
        pace=pace.per_item,
        done=pace.done,
        at=pace.at,
    )
    return replace(run, estimated_finish=estimate)
