"""The event outbox: committed events of a tenant, in commit order, without gaps.

Rows are written by ``TenantTx.emit``; here they are read back. A reader that has seen cursor
``n`` and asks for what comes after it misses nothing and sees nothing twice, because the
cursor's row is locked until the transaction that took the number has committed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from tensorcost.domain.events.envelope import Event
from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import TenantTx

_AFTER = """
    SELECT cursor, event_id, type, data::text AS data, created_at, trace_id
    FROM app.event_outbox
    WHERE tenant_id = :tenant AND cursor > :after
    ORDER BY cursor
    LIMIT :limit
"""
_BOUNDS = """
    SELECT COALESCE((SELECT last FROM app.event_cursor WHERE tenant_id = :tenant), 0) AS last,
           (SELECT min(cursor) FROM app.event_outbox WHERE tenant_id = :tenant) AS first
"""


@dataclass(frozen=True, slots=True)
class OutboxBounds:
    """What a tenant's outbox holds: cursors ``first`` to ``last``; empty when first > last."""

    first: int
    last: int

    def can_resume_after(self, cursor: int) -> bool:
        """Whether every event after ``cursor`` is still here, and ``cursor`` was ever given."""
        return self.first - 1 <= cursor <= self.last


async def outbox_bounds(tx: TenantTx) -> OutboxBounds:
    """The oldest kept and the newest committed cursor of the transaction's tenant."""
    row = await tx.first(_BOUNDS, tenant=tx.tenant_id)
    assert row is not None
    return OutboxBounds(first=row.last + 1 if row.first is None else row.first, last=row.last)


async def events_after(tx: TenantTx, cursor: int, *, limit: int) -> list[Event]:
    """At most ``limit`` committed events after ``cursor``, oldest first."""
    rows = await tx.all(_AFTER, tenant=tx.tenant_id, after=cursor, limit=limit)
    return [_event(tx.tenant_id, row) for row in rows]


async def prune_events(tx: TenantTx, before: datetime, *, most: int) -> int:
    """Forget at most ``most`` events from before ``before``, oldest first; how many went.

    What stays has no gaps. Events of the last day stay, whatever ``before`` says.
    """
    found: int = await tx.scalar(
        "SELECT app.prune_events(:before, :most)", before=before, most=most
    )
    return found


def _event(tenant_id: TenantId, row: Row[Any]) -> Event:
    return Event(
        tenant_id=tenant_id,
        cursor=row.cursor,
        event_id=row.event_id,
        type=row.type,
        data=orjson.loads(row.data),
        timestamp=row.created_at,
        trace_id=row.trace_id,
    )
