"""A connection of its own that hears which tenants have new events, and comes back when cut."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog

from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import EVENT_CHANNEL

log = structlog.get_logger(__name__)

_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection that is cut, also in the middle of a statement, answers with."""


class NotifyListener:
    """Calls ``heard(tenant)`` a notification and ``connected()`` after every (re)connection.

    Notifications sent while the connection was down are lost: whoever listens reads
    everything it watches again in ``connected``.
    """

    def __init__(
        self,
        url: str,
        *,
        heard: Callable[[TenantId], None],
        connected: Callable[[], None],
        reconnect_seconds: float,
    ) -> None:
        self._url = url
        self._heard = heard
        self._connected = connected
        self._reconnect_seconds = reconnect_seconds

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen_once()
            except _LOST as error:
                log.warning("events.listener_lost", error=type(error).__name__)
            await asyncio.sleep(self._reconnect_seconds)

    async def _listen_once(self) -> None:
        cut = asyncio.Event()
        connection = await asyncpg.connect(
            self._url, server_settings={"application_name": "tensorcost-events"}
        )
        try:
            connection.add_termination_listener(lambda _connection: cut.set())
            await connection.add_listener(EVENT_CHANNEL, self._on_notification)
            self._connected()
            await cut.wait()
        finally:
            connection.terminate()

    def _on_notification(self, _connection: object, _pid: int, _channel: str, text: object) -> None:
        try:
            tenant_id = TenantId(UUID(str(text)))
        except ValueError:
            # Anyone who can connect may notify; what is not a tenant is nobody's event.
            log.warning("events.foreign_notification")
            return
        self._heard(tenant_id)
