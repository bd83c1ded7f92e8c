"""REST routes against a bare ASGI app that returns the same body (decisions 45).

One uvicorn worker in a process of its own, its heap settled as in production; token cached,
limiter in memory, telemetry off.

* ``bare``: an ASGI app that sends the finished bytes, the limit; ``orjson``: one that encodes
  ready objects on every request;
* ``memory``: the whole gateway, its services holding their rows ready;
* ``full``: the same over Postgres as the app role, a transaction with row security a request.

Routes: ``small`` is one object, ``list`` 100 objects of 8 fields, ``members`` 100 of 6,
``events`` 100 of 41. Ratios are of server CPU a request and of requests/s.

    python -m benchmarks.rest [--seconds 1]
"""

import argparse
import asyncio
import socket
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvicorn

from benchmarks.graphql_view import CONNECTIONS, Server, ask
from benchmarks.harness import ROUNDS, Servers, durable_database, server_cpu, spread
from benchmarks.rest_world import PATHS, application, body_of, store_members, token
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.heap import settle_heap

CONTENDERS = ("bare", "orjson", "memory", "full")
STORED = ("small", "members")
"""Routes asked of Postgres too."""
TARGETS = {"small": 0.45, "list": 0.45}


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: seconds a request, in CPU of the server, of Postgres, and between answers."""

    server: float
    postgres: float
    wall: float


@asynccontextmanager
async def serving(contender: str, shape: str, url: str) -> AsyncIterator[Server]:
    """``contender`` on a free port, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor = listening.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.rest", "--serve", contender, shape, str(descriptor), url),
            pass_fds=[descriptor],
        )
        try:
            yield Server(process.pid, listening.getsockname()[1])
        finally:
            process.terminate()
            await process.wait()


def get(path: str, tenant: TenantId | None) -> bytes:
    """An HTTP request."""
    return (
        f"GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token(tenant)}\r\n\r\n"
    ).encode()


async def measure(
    shape: str, servers: Servers, tenant: TenantId, seconds: float
) -> dict[str, list[Sample]]:
    """Samples by contender; they take turns."""
    path = PATHS[shape]
    body = await body_of(path)
    names = [name for name in CONTENDERS if name != "full" or shape in STORED]
    requests = {name: get(path, tenant if name == "full" else None) for name in names}
    times: dict[str, int] = {}
    found: dict[str, list[Sample]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        running = {
            name: await stack.enter_async_context(serving(name, shape, servers.urls.app))
            for name in names
        }
        for name, server in running.items():
            check = body if name != "full" else None
            await ask(server, requests[name], 5 * CONNECTIONS, check=check)
            one = await _sample(server, servers, requests[name], 20 * CONNECTIONS)
            times[name] = max(CONNECTIONS, int(seconds / one.wall))
        for _ in range(ROUNDS):
            for name, server in running.items():
                found[name].append(await _sample(server, servers, requests[name], times[name]))
    return found


async def _sample(server: Server, servers: Servers, request: bytes, times: int) -> Sample:
    cpu, postgres = server.cpu(), sum(server_cpu(servers.postmaster).values())
    start = time.perf_counter()
    made = await ask(server, request, times)
    wall = time.perf_counter() - start
    postgres = sum(server_cpu(servers.postmaster).values()) - postgres
    return Sample((server.cpu() - cpu) / made, postgres / made, wall / made)


def show(shape: str, found: dict[str, list[Sample]]) -> None:
    print(f"\n{shape}: {PATHS[shape]}")
    limit = found["bare"]
    for name, samples in found.items():
        cpu = spread([one.server * 1e6 for one in samples])
        rate = spread([1 / one.wall for one in samples])
        beside = spread([one.postgres * 1e6 for one in samples])
        database = f", Postgres {beside}" if name == "full" else ""
        print(f"{name:8} {cpu} µs CPU a request{database}; {rate} requests/s")
        if name != "bare":
            pairs = list(zip(limit, samples, strict=True))
            by_cpu = spread([best.server / one.server for best, one in pairs])
            by_rate = spread([best.wall / one.wall for best, one in pairs])
            wanted = TARGETS.get(shape) if name == "memory" else None
            target = f"   target >= {wanted}" if wanted else ""
            print(f"{'':8} of bare: {by_cpu} by CPU, {by_rate} by requests/s{target}")


async def main(seconds: float) -> None:
    async with durable_database() as servers:
        tenant = await store_members(servers)
        for shape in PATHS:
            show(shape, await measure(shape, servers, tenant, seconds))


def serve(contender: str, shape: str, descriptor: int, url: str) -> None:
    """Run one contender until terminated."""
    body = asyncio.run(body_of(PATHS[shape]))
    config = uvicorn.Config(
        application(contender, body, url), loop="uvloop", access_log=False, log_level="warning"
    )
    config.load()
    settle_heap()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each sample")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve[0], chosen.serve[1], int(chosen.serve[2]), chosen.serve[3])
    else:
        asyncio.run(main(chosen.seconds))
