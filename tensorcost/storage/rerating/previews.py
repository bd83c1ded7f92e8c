"""Previews of re-ratings: what each went by, and what it found by month and model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tensorcost.domain.cost.contracts_rerating import RunKey
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.rerating_changes import ChangeKey, ChangeKind, ChangeSum
from tensorcost.domain.errors import NotFound
from tensorcost.storage.session import TenantTx

PREVIEW_KEY: Final = "tenant_id = :tenant AND rerating_id = :id AND preview = :preview"
"""As ``preview_key`` binds it."""
_ADD_PREVIEW: Final = """
    INSERT INTO ai.rerating_preview (tenant_id, rerating_id, preview, previewed_at,
        listed_version, own_version, versions, imported_by, open_months)
    VALUES (:tenant, :id, :preview, :at, :listed, :own, :versions, :by, :open)
    ON CONFLICT DO NOTHING
"""
_ADD_CHANGE: Final = """
    INSERT INTO ai.rerating_change (tenant_id, rerating_id, preview, period, provider, model_id,
        kind, period_state, rows, requests, before_nano, after_nano, unpriced_rows, beside_rows,
        drift_nano)
    VALUES (:tenant, :id, :preview, :period, :provider, :model, :kind, :state, :rows, :requests,
        :before, :after, :unpriced, :beside, :drift)
"""
_CHANGES: Final = f"""
    SELECT period, provider, model_id, kind, period_state, rows, requests, before_nano,
           after_nano, unpriced_rows, beside_rows, drift_nano
    FROM ai.rerating_change WHERE {PREVIEW_KEY} ORDER BY period, provider, model_id, kind
"""


@dataclass(frozen=True, slots=True)
class StoredPreview:
    """What a preview went by."""

    preview: int
    previewed_at: datetime
    listed_version: int
    own_version: int
    versions: tuple[int, ...]
    """Those that were not decided yet."""
    imported_by: tuple[str, ...]
    open_months: frozenset[date]


@dataclass(frozen=True, slots=True)
class StoredChange:
    key: ChangeKey
    state: PeriodState
    sums: ChangeSum


def preview_key(tx: TenantTx, run: RunKey) -> dict[str, Any]:
    """What the statements about one preview bind."""
    return {"tenant": tx.tenant_id, "id": run.rerating_id, "preview": run.preview}


async def add_preview(
    tx: TenantTx,
    rerating_id: UUID,
    found: StoredPreview,
    months: Mapping[date, PeriodState],
    sums: Mapping[ChangeKey, ChangeSum],
) -> bool:
    """Store one preview with its changes; False where it is stored already."""
    run = RunKey(tenant_id=tx.tenant_id, rerating_id=rerating_id, preview=found.preview)
    if not await _add_preview(tx, run, found):
        return False
    # A decision is waited for again once what needs none is applied.
    await tx.run(
        "UPDATE ai.rerating SET state = 'previewed' WHERE tenant_id = :tenant "
        "AND rerating_id = :id AND state = 'awaiting_approval'",
        tenant=tx.tenant_id,
        id=rerating_id,
    )
    rows = sorted(sums.items(), key=lambda item: item[0])
    key = preview_key(tx, run)
    await tx.run_many(
        _ADD_CHANGE, [{**key, **_values(change, months[change[0].period])} for change in rows]
    )
    return True


async def _add_preview(tx: TenantTx, run: RunKey, found: StoredPreview) -> bool:
    added = await tx.run(
        _ADD_PREVIEW,
        **preview_key(tx, run),
        at=found.previewed_at,
        listed=found.listed_version,
        own=found.own_version,
        versions=list(found.versions),
        by=list(found.imported_by),
        open=sorted(found.open_months),
    )
    return added > 0


def _values(change: tuple[ChangeKey, ChangeSum], state: PeriodState) -> dict[str, Any]:
    key, sums = change
    return {
        "period": key.period,
        "provider": key.provider,
        "model": key.model_id,
        "kind": key.kind.value,
        "state": state.value,
        "rows": sums.rows,
        "requests": sums.requests,
        "before": sums.before_nano,
        "after": sums.after_nano,
        "unpriced": sums.unpriced_rows,
        "beside": sums.beside_rows,
        "drift": sums.drift_nano,
    }


async def read_preview(tx: TenantTx, run: RunKey) -> StoredPreview:
    """Raises NotFound."""
    row = await tx.first(
        "SELECT preview, previewed_at, listed_version, own_version, versions, imported_by, "
        f"open_months FROM ai.rerating_preview WHERE {PREVIEW_KEY}",
        **preview_key(tx, run),
    )
    if row is None:
        raise NotFound(f"preview {run.preview} of re-rating", run.rerating_id)
    return StoredPreview(
        preview=row.preview,
        previewed_at=row.previewed_at,
        listed_version=row.listed_version,
        own_version=row.own_version,
        versions=tuple(row.versions),
        imported_by=tuple(row.imported_by),
        open_months=frozenset(row.open_months),
    )


async def read_changes(tx: TenantTx, run: RunKey) -> list[StoredChange]:
    """By month, provider, model and kind."""
    return [
        StoredChange(
            key=ChangeKey(row.period, row.provider, row.model_id, ChangeKind(row.kind)),
            state=PeriodState(row.period_state),
            sums=ChangeSum(
                row.rows,
                row.requests,
                row.before_nano,
                row.after_nano,
                row.unpriced_rows,
                row.beside_rows,
                row.drift_nano,
            ),
        )
        for row in await tx.all(_CHANGES, **preview_key(tx, run))
    ]
