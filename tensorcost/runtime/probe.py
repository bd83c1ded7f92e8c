"""A tiny HTTP port on which a worker says that it lives and is ready."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

Ready = Callable[[], Awaitable[bool]]
_REQUEST_SECONDS: Final = 2.0
_ANSWERS: Final = {
    200: b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n",
    404: b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
}


@asynccontextmanager
async def probe_server(port: int, ready: Ready, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Answer ``/livez`` and ``/readyz`` on ``port``; 0 serves no port at all."""
    if not port:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), _REQUEST_SECONDS)
            writer.write(_ANSWERS[await _status(line, ready)])
            await writer.drain()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port)
    try:
        yield
    finally:
        server.close()


async def _status(line: bytes, ready: Ready) -> int:
    path = line.split(b" ")[1:2]
    if path == [b"/livez"]:
        return 200
    if path in ([b"/readyz"], [b"/healthz"]):
        try:
            return 200 if await asyncio.wait_for(ready(), _REQUEST_SECONDS) else 503
        except Exception:  # a boundary: whatever is wrong, the process is not ready
            return 503
    return 404
