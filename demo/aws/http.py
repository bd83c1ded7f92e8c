"""A small HTTP/1.1 server that can also misbehave on demand.

Frameworks finish what they started; a simulator of a bad network must be able to close a
connection before the answer, cut it in the middle, or let it trickle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from urllib.parse import parse_qsl, unquote

_MAX_HEAD = 256 * 1024
_CHUNK = 64 * 1024
_NO_LINGERING = pack("ii", 1, 0)
"""A socket that closes so forgets what it has not sent and resets its peer."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are lower case, ``raw_path`` keeps its percent escapes."""

    method: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_query: str = ""

    @property
    def path(self) -> str:
        return unquote(self.raw_path)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer is brought to the client; the default is: at once and whole."""

    delay: float = 0.0
    close: bool = False
    drop_after: int | None = None
    chunk_delay: float = 0.0
    reset: bool = False
    stall: float = 0.0


@dataclass(slots=True)
class HttpResponse:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    head_length: int | None = None
    """Content-Length of a HEAD answer, which has no body."""


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class BadRequestLine(ValueError):
    """The bytes on the socket are not HTTP/1.1."""


class HttpServer:
    """Serves ``handler`` on a local port until closed."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Bind, and return the port really used (``port`` 0 asks for a free one)."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read_request(reader, writer)) is not None:
                response = await self._handler(request)
                keep = await _write_response(writer, request, response)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, BadRequestLine):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> HttpRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial.strip():
            raise
        return None
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3:
        raise BadRequestLine(lines[0][:80])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, sep, value = line.partition(":")
        if sep:
            headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    body = await _read_body(reader, headers)
    raw_path, _, raw_query = parts[1].partition("?")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    return HttpRequest(parts[0], raw_path, query, headers, body, raw_query)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts: list[bytes] = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return b"".join(parts)
    length = int(headers.get("content-length", "0"))
    return await reader.readexactly(length) if length else b""


async def _write_response(
    writer: asyncio.StreamWriter, request: HttpRequest, response: HttpResponse
) -> bool:
    """Write the answer as its delivery says; False means that the connection must close."""
    how = response.delivery
    if how.delay:
        await asyncio.sleep(how.delay)
    if how.close:
        return _broken(writer, how)
    body = b"" if request.method == "HEAD" else response.body
    length = response.head_length if request.method == "HEAD" else None
    reason = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.status not in (204, 304):
        lines.append(f"content-length: {len(body) if length is None else length}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if how.drop_after is not None:
        writer.write(head + body[: how.drop_after])
        await writer.drain()
        await asyncio.sleep(how.stall)
        return _broken(writer, how)
    if how.chunk_delay:
        writer.write(head)
        for at in range(0, len(body), _CHUNK):
            writer.write(body[at : at + _CHUNK])
            await writer.drain()
            await asyncio.sleep(how.chunk_delay)
    else:
        writer.write(head + body)
        await writer.drain()
    return request.headers.get("connection", "").lower() != "close"


def _broken(writer: asyncio.StreamWriter, how: Delivery) -> bool:
    """End the connection, by a reset if so wished; never kept open."""
    if how.reset:
        socket = writer.get_extra_info("socket")
        socket.setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGERING)
        writer.transport.abort()
    return False
