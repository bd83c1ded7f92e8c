"""Shared by the benchmarks: rounds, CPU of both sides, and a database of their own."""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg

from tensorcost.domain.ids import TenantId
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.storage.bootstrap import RolePasswords, RoleUrls, bootstrap_database
from tensorcost.storage.migrate import upgrade

ROUNDS = 5
PASSWORDS = RolePasswords(owner="fake-owner", app="fake-app", platform="fake-platform")


@dataclass(frozen=True, slots=True)
class Servers:
    urls: RoleUrls
    superuser: str
    postmaster: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one piece of work: on the clock, and of CPU here and in Postgres."""

    wall: float
    client: float
    server: float

    def per(self, rows: int) -> "Spent":
        """Microseconds a row."""
        return Spent(*(value / rows * 1e6 for value in (self.wall, self.client, self.server)))


@asynccontextmanager
async def durable_database() -> AsyncIterator[Servers]:
    """A migrated database on a server of its own, with fsync on."""
    with tempfile.TemporaryDirectory(prefix="tensorcost-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        address = server.start()
        try:
            urls = await bootstrap_database(address.url(), "bench", PASSWORDS)
            await upgrade(urls.owner)
            yield Servers(urls, address.url("bench"), server.pid)
        finally:
            server.stop()


async def make_tenant(servers: Servers) -> TenantId:
    """A tenant of a made-up name, with a key to hash contents."""
    tenant = TenantId(uuid4())
    platform = await asyncpg.connect(servers.urls.platform)
    try:
        await platform.execute(
            "INSERT INTO app.tenant (tenant_id, slug, name, plan) VALUES ($1, $2, 'b', 'growth')",
            tenant,
            f"bench-{tenant}"[:40],
        )
        await platform.execute(
            "INSERT INTO app.tenant_secret (tenant_id, kind, secret) VALUES ($1, $2, $3)",
            tenant,
            "content_hash",
            b"fake-hashing-key-of-32-bytes-012",
        )
    finally:
        await platform.close()
    return tenant


async def recycle_wal(servers: Servers, megabytes: int) -> None:
    """Leave log segments for reuse, as on a server that has been running for a while.

    A new cluster fills each new segment with zeros first, in the middle of a load.
    """
    connection = await asyncpg.connect(servers.superuser)
    try:
        for _ in range(megabytes):
            await connection.execute(
                "SELECT pg_logical_emit_message(false, 'bench', repeat('x', 1048576))"
            )
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def touch_buffers(servers: Servers) -> None:
    """Write every shared buffer once, as on a server that has been running for a while.

    A new server's memory is cleared page by page at first use: a fifth of a load's CPU.
    """
    connection = await asyncpg.connect(servers.superuser)
    try:
        await connection.execute(
            "CREATE UNLOGGED TABLE filler (page text STORAGE PLAIN);"
            "INSERT INTO filler SELECT repeat('x', 8000) FROM generate_series(1,"
            " (SELECT setting::int FROM pg_settings WHERE name = 'shared_buffers'));"
            "DROP TABLE filler"
        )
    finally:
        await connection.close()


async def spent(servers: Servers, work: Callable[[], Awaitable[object]]) -> Spent:
    """What one call costs. Postgres' CPU is that of the processes alive before and after."""
    server, client = server_cpu(servers.postmaster), time.process_time()
    start = time.perf_counter()
    await work()
    wall = time.perf_counter() - start
    client = time.process_time() - client
    after = server_cpu(servers.postmaster)
    return Spent(wall, client, sum(cpu - server.get(pid, 0.0) for pid, cpu in after.items()))


def server_cpu(postmaster: int) -> dict[int, float]:
    """CPU seconds of the postmaster and each of its living processes (Linux)."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    seconds: dict[int, float] = {}
    for pid in (postmaster, *map(int, children.split())):
        with suppress(FileNotFoundError, ProcessLookupError):
            nanoseconds = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
            seconds[pid] = int(nanoseconds) / 1e9
    return seconds


def peak_megabytes() -> float:
    """This process's high-water mark, not that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> str:
    """``median (smallest to largest)`` with three significant digits."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
