"""Live progress over a websocket (graphql-transport-ws), as a console would show it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from demo.story.api import Json, Session
from demo.story.board import StageFailed

PROTOCOL = Subprotocol("graphql-transport-ws")
_AGAIN_AFTER = 0.5


class Live:
    """The newest answer of a subscription, and how many came."""

    def __init__(self) -> None:
        self.latest: Json = {}
        self.count = 0
        self._news = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return at the next answer, or after ``seconds``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()

    def take(self, data: Json) -> None:
        self.latest = data
        self.count += 1
        self._news.set()


@asynccontextmanager
async def subscribed(
    session: Session, document: str, variables: Mapping[str, Any]
) -> AsyncIterator[Live]:
    """Follow a subscription for as long as the block lasts; StageFailed when it is refused."""
    live = Live()
    task = asyncio.create_task(_follow(session, document, variables, live))
    try:
        yield live
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, StageFailed):
            await task


async def _follow(
    session: Session, document: str, variables: Mapping[str, Any], live: Live
) -> None:
    """Answers until cancelled; a connection that drops is opened again."""
    url = session.url.replace("http", "ws", 1) + "/graphql"
    payload = {"query": document, "variables": dict(variables)}
    while True:
        try:
            async with connect(url, subprotocols=[PROTOCOL], proxy=None) as socket:
                await _send(socket, "connection_init", payload={"authToken": session.token})
                await _read(socket, payload, live)
        except (ConnectionClosed, OSError, TimeoutError):
            await asyncio.sleep(_AGAIN_AFTER)


async def _read(socket: ClientConnection, payload: Json, live: Live) -> None:
    async for text in socket:
        message = json.loads(text)
        match message["type"]:
            case "connection_ack":
                await _send(socket, "subscribe", id="1", payload=payload)
            case "ping":
                await _send(socket, "pong")
            case "next":
                answer = message["payload"]
                if answer.get("errors"):
                    raise StageFailed(f"subscription: {answer['errors'][0].get('message')}")
                live.take(answer["data"])
            case "error":
                raise StageFailed(f"subscription: {message['payload'][0].get('message')}")
            case "complete":
                return


async def _send(socket: ClientConnection, kind: str, **more: Any) -> None:
    await socket.send(json.dumps({"type": kind, **more}))
