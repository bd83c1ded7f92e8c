"""Runs of re-ratings, their previews, their days, and what they brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.contracts_rerating import FINISHED, RerateState
from tensorcost.domain.errors import NotFound
from tensorcost.storage.session import TenantTx

_RUN: Final = (
    "r.rerating_id, r.workflow_id, r.price_version, r.reverts, r.state, r.requested_by, "
    "r.opened_at, r.deadline, r.decided_by, r.decided_at, r.reason, r.finished_at, "
    "(SELECT max(preview) FROM ai.rerating_preview p "
    "WHERE p.tenant_id = r.tenant_id AND p.rerating_id = r.rerating_id) AS preview"
)
_SELECT: Final = f"SELECT {_RUN} FROM ai.rerating r WHERE r.tenant_id = :tenant"


@dataclass(frozen=True, slots=True)
class Rerating:
    """One run, once its first preview found something."""

    rerating_id: UUID
    workflow_id: str
    price_version: int
    reverts: UUID | None
    state: RerateState
    requested_by: str
    opened_at: datetime
    deadline: datetime | None
    decided_by: str
    decided_at: datetime | None
    reason: str
    finished_at: datetime | None
    preview: int
    """The newest one."""

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


async def open_run(
    tx: TenantTx,
    rerating_id: UUID,
    *,
    workflow_id: str,
    price_version: int,
    reverts: UUID | None,
    requested_by: str,
) -> UUID | None:
    """Open the run unless it is open; the tenant's other open run, which is in its way, or None."""
    await tx.run(
        "INSERT INTO ai.rerating (tenant_id, rerating_id, workflow_id, price_version, reverts, "
        "state, requested_by) VALUES (:tenant, :id, :workflow, :version, :reverts, 'previewed', "
        ":by) ON CONFLICT DO NOTHING",
        tenant=tx.tenant_id,
        id=rerating_id,
        workflow=workflow_id,
        version=price_version,
        reverts=reverts,
        by=requested_by,
    )
    found = await find_open(tx)
    return None if found is None or found.rerating_id == rerating_id else found.rerating_id


async def find_open(tx: TenantTx) -> Rerating | None:
    """The tenant's open run; there is at most one."""
    row = await tx.first(f"{_SELECT} AND r.finished_at IS NULL", tenant=tx.tenant_id)
    return None if row is None else _run(row)


async def get_run(tx: TenantTx, rerating_id: UUID) -> Rerating:
    """Raises NotFound."""
    row = await tx.first(f"{_SELECT} AND r.rerating_id = :id", tenant=tx.tenant_id, id=rerating_id)
    if row is None:
        raise NotFound("re-rating", rerating_id)
    return _run(row)


async def list_runs(
    tx: TenantTx, *, limit: int, after: tuple[datetime, UUID] | None = None
) -> Sequence[Rerating]:
    """The newest first; ``after`` is (opened_at, id) of the last one of the page before."""
    params: dict[str, Any] = {"tenant": tx.tenant_id, "limit": limit}
    only = ""
    if after is not None:
        only = " AND (r.opened_at, r.rerating_id) < (:at, :id)"
        params["at"], params["id"] = after
    rows = await tx.all(
        f"{_SELECT}{only} ORDER BY r.opened_at DESC, r.rerating_id DESC LIMIT :limit", **params
    )
    return [_run(row) for row in rows]


async def enter_state(
    tx: TenantTx, rerating_id: UUID, state: RerateState, *, deadline: datetime | None, note: str
) -> bool:
    """False where the run has ended or is in that state already. A run that waits for a decision
    has none."""
    more = ""
    if state in FINISHED:
        more = ", finished_at = clock_timestamp()"
    elif state is RerateState.AWAITING_APPROVAL:
        more = ", decided_by = '', decided_at = NULL"
    done = await tx.run(
        "UPDATE ai.rerating SET state = :state, deadline = :deadline, "
        f"reason = CASE WHEN :note = '' THEN reason ELSE :note END{more} "
        "WHERE tenant_id = :tenant AND rerating_id = :id AND finished_at IS NULL "
        "AND state <> :state",
        tenant=tx.tenant_id,
        id=rerating_id,
        state=state.value,
        deadline=deadline,
        note=note,
    )
    return done > 0


async def write_decision(
    tx: TenantTx, rerating_id: UUID, *, decided_by: str, reason: str, state: RerateState
) -> bool:
    """Only a run that waits for one takes it, and only one; False otherwise."""
    done = await tx.run(
        "UPDATE ai.rerating SET state = :state, decided_by = :by, reason = :reason, "
        "decided_at = clock_timestamp() WHERE tenant_id = :tenant AND rerating_id = :id "
        "AND state = 'awaiting_approval' AND decided_by = ''",
        tenant=tx.tenant_id,
        id=rerating_id,
        state=state.value,
        by=decided_by,
        reason=reason,
    )
    return done > 0


def _run(row: Row[Any]) -> Rerating:
    values = dict(row._mapping)
    values["state"] = RerateState(values["state"])
    values["preview"] = values["preview"] or 0
    return Rerating(**values)
