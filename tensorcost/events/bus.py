"""The in-process bus: every tenant's events, once and in commit order, to its subscribers.

Cursors have no gaps, so "what was dispatched already" is one number a tenant: its tail. It
guards against double delivery (a notification and a poll may read the same rows) in bounded
memory, and is kept only while somebody of the tenant listens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorcost.domain.events.envelope import Event
from tensorcost.domain.ids import TenantId
from tensorcost.events.errors import SourceClosed
from tensorcost.events.subscriber import Subscriber


@dataclass(slots=True)
class _Watched:
    tail: int
    subscribers: list[Subscriber] = field(default_factory=list)


class EventBus:
    """Not thread-safe: it belongs to one event loop, and no method of it waits."""

    def __init__(self) -> None:
        self._watched: dict[TenantId, _Watched] = {}
        self._closed = False

    def tail(self, tenant_id: TenantId) -> int | None:
        """The last cursor dispatched, or None while nobody of the tenant listens."""
        watched = self._watched.get(tenant_id)
        return None if watched is None else watched.tail

    def tenants(self) -> tuple[TenantId, ...]:
        """The tenants somebody listens to."""
        return tuple(self._watched)

    def join(self, subscriber: Subscriber) -> bool:
        """Make ``subscriber`` live; False when the bus is past its position already.

        After False the subscriber has to read the outbox up to the tail and try again.
        """
        watched = self._watched.get(subscriber.tenant_id)
        if watched is None:
            watched = self._watched[subscriber.tenant_id] = _Watched(subscriber.position)
        elif watched.tail > subscriber.position:
            return False
        watched.subscribers.append(subscriber)
        if self._closed:
            subscriber.end(SourceClosed(cursor=subscriber.position))
        return True

    def leave(self, subscriber: Subscriber) -> None:
        """Forget ``subscriber``; safe to repeat."""
        watched = self._watched.get(subscriber.tenant_id)
        if watched is None or subscriber not in watched.subscribers:
            return
        watched.subscribers.remove(subscriber)
        if not watched.subscribers:
            del self._watched[subscriber.tenant_id]

    def dispatch(self, tenant_id: TenantId, events: Sequence[Event]) -> None:
        """Hand one tenant's ``events``, oldest first, to its subscribers.

        What was dispatched before is skipped. Where cursors are missing (the outbox forgot
        them) the subscribers' streams are ended with their cursors, for nothing may be lost
        in silence.
        """
        watched = self._watched.get(tenant_id)
        if watched is None:
            return
        for event in events:
            if event.cursor <= watched.tail:
                continue
            if event.cursor > watched.tail + 1:
                self._interrupt(watched)
            watched.tail = event.cursor
            for subscriber in watched.subscribers:
                subscriber.offer(event)

    def close(self) -> None:
        """End every stream, and every one that joins later, with its cursor."""
        self._closed = True
        for watched in self._watched.values():
            self._interrupt(watched)

    @staticmethod
    def _interrupt(watched: _Watched) -> None:
        for subscriber in watched.subscribers:
            subscriber.end(SourceClosed(cursor=subscriber.position))
