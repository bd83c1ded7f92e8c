"""Settings of the event bus and its source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventSettings:
    queue_size: int = 1_000
    """Events that wait for one reader before its stream is ended with its cursor."""
    page_size: int = 500
    """Events read from the outbox at once."""
    poll_seconds: float = 5.0
    """How often watched tenants are read although no notification came."""
    reconnect_seconds: float = 0.5
    """Pause before the listening connection is opened again."""
    reads_at_once: int = 4
    """Tenants whose outbox is read side by side."""
