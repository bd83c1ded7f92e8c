"""Identifier types. A ConnectionId cannot be passed where a TenantId is expected."""

from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
RunId = NewType("RunId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
BatchId = NewType("BatchId", int)
DimensionId = NewType("DimensionId", int)
"""Signed 64-bit stable hash of a dimension's values."""
ActorId = NewType("ActorId", int)
"""Signed 64-bit stable hash of (user, agent, workflow); 0 means nobody is named."""
EventId = NewType("EventId", UUID)
"""128-bit deterministic id of a spend event (``domain.spend.event_id``)."""
