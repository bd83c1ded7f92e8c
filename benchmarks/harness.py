"""Shared by the benchmarks: rounds, medians, and a database of their own."""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

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


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> str:
    """``median (smallest to largest)`` with three significant digits."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
