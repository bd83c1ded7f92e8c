"""Services that cloud-sim does not know go to a moto server, started when first needed."""

from __future__ import annotations

import asyncio
import http.client
from typing import Any

from demo.aws.http import HttpRequest, HttpResponse

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "server", "date"}


class Moto:
    """A moto server on its own port, in a thread of this process."""

    def __init__(self) -> None:
        self._server: Any = None
        self._lock = asyncio.Lock()

    async def forward(self, request: HttpRequest, account: str) -> HttpResponse:
        """Answer as moto does, with its state kept apart per account."""
        async with self._lock:
            if self._server is None:
                self._server = await asyncio.to_thread(_start)
        return await asyncio.to_thread(_send, self._server.get_host_and_port(), request, account)

    async def reset(self) -> None:
        if self._server is not None:
            reset = HttpRequest("POST", "/moto-api/reset", {}, {}, b"")
            await asyncio.to_thread(_send, self._server.get_host_and_port(), reset, "")

    async def close(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
            self._server = None


def _start() -> Any:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server


def _send(place: tuple[str, int], request: HttpRequest, account: str) -> HttpResponse:
    connection = http.client.HTTPConnection(*place, timeout=30)
    try:
        headers = {k: v for k, v in request.headers.items() if k not in _HOP_BY_HOP}
        headers["x-moto-account-id"] = account
        target = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
        connection.request(request.method, target, request.body, headers)
        answer = connection.getresponse()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
        return HttpResponse(answer.status, answer.read(), kept)
    finally:
        connection.close()
