"""GraphQL over HTTP against a bare ASGI app that returns the same bytes (decisions 45).

Rows in memory, caller known, telemetry off, one uvicorn worker of its own. The ratio is the
bare app's server CPU a request over the contender's: CPU time, because the machine may be
shared. Beside the face: the same behind the gateway (rate limit, headers, a cached token), the
same again reading its rows from Postgres under row security (``postgres``; the figure is this
process's, without Postgres' own CPU), and Strawberry's own view as it comes.

    python -m benchmarks.graphql_view
"""

import asyncio
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvicorn

from benchmarks.graphql_world import DOCUMENTS, application, body_of, store_spend
from benchmarks.harness import ROUNDS, durable_database, spread

CONNECTIONS = 8
REQUESTS = {"list": 1_200, "small": 3_200}
SLOW = {"strawberry": 8, "postgres": 4}
"""Contenders that are asked so many times fewer."""
CONTENDERS = ("bare", "face", "gateway", "postgres", "strawberry")
IN_MEMORY = frozenset({"bare", "face", "gateway"})
"""Contenders that give the very same bytes."""
TARGETS = {"list": 0.12, "small": 0.25}


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int

    def cpu(self) -> float:
        """CPU seconds so far (Linux)."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@asynccontextmanager
async def serving(contender: str, shape: str, *stored: str) -> AsyncIterator[Server]:
    """``contender`` on a free port, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor = listening.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.graphql_view", "serve", contender, shape, str(descriptor), *stored),
            pass_fds=[descriptor],
        )
        try:
            yield Server(process.pid, listening.getsockname()[1])
        finally:
            process.terminate()
            await process.wait()


async def ask(server: Server, request: bytes, times: int, *, check: bytes | None = None) -> int:
    """``times`` requests over CONNECTIONS kept-alive connections; how many were made."""

    async def one(count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(count):
            writer.write(request)
            body = await _body(reader)
            if b'"errors"' in body or (check is not None and body != check):
                raise AssertionError(f"another answer: {body[:300]!r}")
        writer.close()

    each = times // CONNECTIONS
    await asyncio.gather(*(one(each) for _ in range(CONNECTIONS)))
    return each * CONNECTIONS


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


def post(document: str) -> bytes:
    """An HTTP request for ``document``."""
    content = orjson.dumps({"query": document})
    return (
        b"POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer fake-bench-token\r\ncontent-length: %d\r\n\r\n%b"
        % (len(content), content)
    )


async def measure(
    shape: str, contenders: Sequence[str], url: str, tenant: str
) -> dict[str, list[float]]:
    """Server CPU seconds a request, an entry a round; the contenders take turns."""
    request, body = post(DOCUMENTS[shape]), await body_of(shape)
    found: dict[str, list[float]] = {name: [] for name in contenders}
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(serving(name, shape, url, tenant))
            for name in contenders
        }
        for name, server in servers.items():
            await ask(server, request, 80, check=body if name in IN_MEMORY else None)
        for _ in range(ROUNDS):
            for name, server in servers.items():
                before = server.cpu()
                made = await ask(server, request, REQUESTS[shape] // SLOW.get(name, 1))
                found[name].append((server.cpu() - before) / made)
    return found


async def main() -> int:
    """Print every ratio; 1 when the face misses a target."""
    async with durable_database() as servers:
        return await _main(servers.urls.app, await store_spend(servers))


async def _main(url: str, tenant: str) -> int:
    missed = 0
    for shape, target in TARGETS.items():
        found = await measure(shape, CONTENDERS, url, tenant)
        for name, seconds in found.items():
            ratios = [bare / own for bare, own in zip(found["bare"], seconds, strict=True)]
            micros = spread([value * 1e6 for value in seconds])
            print(f"{shape:6}{name:12}{spread(ratios):30} of bare  {micros} µs CPU a request")
            if name == "face" and statistics.median(ratios) < target:
                missed = 1
        print(f"{shape:6}target {target} {'missed' if missed else 'reached'}")
    return missed


def serve(contender: str, shape: str, descriptor: int, *stored: str) -> None:
    """Run one contender until terminated."""
    body = asyncio.run(body_of(shape))
    config = uvicorn.Config(
        application(contender, body, *stored),
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:])
    else:
        sys.exit(asyncio.run(main()))
