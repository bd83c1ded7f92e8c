"""Days of a re-rating that are written, each once, and what they brought."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from tensorcost.domain.cost.contracts_rerating import RunKey
from tensorcost.domain.cost.rerating_changes import Standing
from tensorcost.storage.rerating.previews import PREVIEW_KEY, preview_key
from tensorcost.storage.rerating.standing import judged
from tensorcost.storage.session import TenantTx

_SPAN: Final = f"""
    SELECT min(day) AS first, max(day) AS last FROM ai.rerating_day
    WHERE {PREVIEW_KEY} AND approved = :approved AND batch_id IS NOT NULL
"""
_CHANGED: Final = """
    SELECT s.day, s.dim_id, s.grain, s.cost_nano
    FROM ai.rerating_day y
    JOIN ai.spend_delta s ON s.tenant_id = :tenant AND s.batch_id = y.batch_id
    WHERE y.tenant_id = :tenant AND y.rerating_id = :id AND y.preview = :preview
      AND y.approved = :approved
"""
_BY_MODEL: Final = f"""
    SELECT date_trunc('month', j.day)::date AS period, j.provider, j.model_id,
           coalesce(sum(j.cost_nano) FILTER (WHERE j.standing <> '{Standing.BESIDE}'), 0)::bigint
               AS delta_nano,
           coalesce(sum(j.cost_nano) FILTER (WHERE j.standing = '{Standing.BILLED}'), 0)::bigint
               AS drift_nano
    FROM ({{judged}}) j GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class AppliedPart:
    """What the cost of one month and model changed by, of the grain that counts."""

    period: date
    provider: str
    model_id: str
    delta_nano: int
    drift_nano: int
    """The part of it on days that a bill answers for: no total has changed by it."""


async def begin_day(tx: TenantTx, run: RunKey, day: date, *, approved: bool) -> bool:
    """Take a day in hand until this transaction ends; False where it is done already."""
    taken = await tx.run(
        "INSERT INTO ai.rerating_day (tenant_id, rerating_id, preview, approved, day) "
        "VALUES (:tenant, :id, :preview, :approved, :day) ON CONFLICT DO NOTHING",
        **preview_key(tx, run),
        approved=approved,
        day=day,
    )
    return taken > 0


async def end_day(
    tx: TenantTx, run: RunKey, day: date, *, approved: bool, batch_id: int, rows: int
) -> None:
    """Write under which batch the day's rows were changed, and how many."""
    await tx.run(
        f"UPDATE ai.rerating_day SET batch_id = :batch, rows = :rows WHERE {PREVIEW_KEY} "
        "AND approved = :approved AND day = :day",
        **preview_key(tx, run),
        approved=approved,
        day=day,
        batch=batch_id,
        rows=rows,
    )


async def conclude(tx: TenantTx, run: RunKey, *, approved: bool) -> bool:
    """Mark all days as applied; False where they were, so that it is told once."""
    column = "approved_at" if approved else "automatic_at"
    done = await tx.run(
        f"UPDATE ai.rerating_preview SET {column} = clock_timestamp() "
        f"WHERE {PREVIEW_KEY} AND {column} IS NULL",
        **preview_key(tx, run),
    )
    return done > 0


async def count_applied(tx: TenantTx, run: RunKey, *, approved: bool) -> int:
    """Rows changed so far."""
    found = await tx.scalar(
        "SELECT coalesce(sum(rows), 0)::bigint FROM ai.rerating_day "
        f"WHERE {PREVIEW_KEY} AND approved = :approved",
        **preview_key(tx, run),
        approved=approved,
    )
    return int(found)


async def read_applied(tx: TenantTx, run: RunKey, *, approved: bool) -> list[AppliedPart]:
    """Signed changes by month and model, as the rollups' own deltas say."""
    key = {**preview_key(tx, run), "approved": approved}
    span = await tx.first(_SPAN, **key)
    if span is None or span.first is None:
        return []
    sql, params = judged(tx, _CHANGED, span.first, span.last + timedelta(days=1))
    rows = await tx.all(_BY_MODEL.format(judged=sql), **{**params, **key})
    return [
        AppliedPart(row.period, row.provider, row.model_id, row.delta_nano, row.drift_nano)
        for row in rows
    ]
