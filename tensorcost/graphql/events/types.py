"""One event, in 001's envelope."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.events import envelope


@strawberry.type(description="Resume after a drop by giving the last `cursor` as `after`.")
class Event:
    id: strawberry.ID
    cursor: str
    type: str
    data: JSON
    timestamp: datetime
    trace_id: str | None

    @classmethod
    def from_domain(cls, found: envelope.Event) -> "Event":
        return cls(
            id=strawberry.ID(str(found.event_id)),
            cursor=str(found.cursor),
            type=found.type,
            data=JSON(found.data),
            timestamp=found.timestamp,
            trace_id=found.trace_id,
        )
