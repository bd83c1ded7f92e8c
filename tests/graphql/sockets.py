"""A client of graphql-transport-ws, as little as tests need."""

import asyncio
import json
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tests.graphql.world import GraphqlWorld
from tests.support.principals import caller

PROTOCOL = Subprotocol("graphql-transport-ws")


class Socket:
    """Opened and acknowledged; ``token=None`` leaves the connection_init to the test."""

    def __init__(self, address: str, token: str | None, **options: Any) -> None:
        self._address = address
        self._token = token
        self._options = options
        self.raw: ClientConnection

    async def __aenter__(self) -> Self:
        self.raw = await connect(
            f"ws://{self._address}/graphql", subprotocols=[PROTOCOL], **self._options
        )
        if self._token is not None:
            await self.send({"type": "connection_init", "payload": {"authToken": self._token}})
            assert (await self.receive())["type"] == "connection_ack"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.raw.close()

    async def send(self, message: dict[str, Any]) -> None:
        await self.raw.send(json.dumps(message))

    async def subscribe(self, name: str, query: str, **variables: Any) -> None:
        payload = {"query": query, "variables": variables}
        await self.send({"id": name, "type": "subscribe", "payload": payload})

    async def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.wait_for(self.raw.recv(), 20))
        return found

    async def close_code(self) -> int | None:
        """Wait until the server has closed; its code."""
        await asyncio.wait_for(self.raw.wait_closed(), 20)
        return self.raw.close_code


def sign_in(face: GraphqlWorld, tenant: TenantId, token: str, **changes: Any) -> str:
    """A fake token by which a socket becomes a caller of ``tenant``."""
    principal = caller(tenant, changes.pop("scopes", Scope))
    expires = face.world.clock().timestamp() + changes.pop("seconds", 900)
    face.principals[token] = replace(principal, expires_at=expires)
    return token
