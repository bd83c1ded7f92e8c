"""The one shape of every event: ``{type, data, timestamp, trace_id}`` plus an id and cursor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be appended to the outbox in the transaction that caused it."""

    type: EventType
    data: dict[str, Any]
    """JSON-ready payload; money as decimal strings, ids as text."""
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A committed event. ``cursor`` is the per-tenant commit order, without gaps."""

    tenant_id: TenantId
    cursor: int
    event_id: UUID
    type: str
    data: dict[str, Any]
    timestamp: datetime
    trace_id: str | None
