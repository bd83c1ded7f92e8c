"""Servers that can be killed and come back on their data, and the product's worker beside them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from temporalio.client import Client

from demo.story.crew import Crew, Role
from demo.story.settings import cloud_env
from demo.world.spec import World
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.runtime.embedded.ports import free_port
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.runtime.embedded.process import child_env
from tensorcost.runtime.embedded.temporal import (
    EmbeddedTemporal,
    TemporalAddress,
    TemporalOptions,
)
from tensorcost.storage.session import Database
from tensorcost.workers.plugin import temporal_plugin
from tests.support.databases import Database as TestDatabase
from tests.support.databases import make_template, migrated_database
from tests.support.prices import store_builtin_lists
from tests.support.tenants import app_database


class Server(StrEnum):
    """What is killed beside workers."""

    POSTGRES = "postgres"
    TEMPORAL = "temporal"


@dataclass
class House:
    """A running product. Its worker is the installed command, started again when it ends; what
    becomes of it while a server is away is its own business. Use tenants of your own."""

    address: TemporalAddress
    postgres: EmbeddedPostgres
    temporal: EmbeddedTemporal
    crew: Crew
    client: Client
    database: TestDatabase
    db: Database

    async def kill(self, server: Server) -> None:
        """``kill -9`` all of the server's processes."""
        if server is Server.TEMPORAL:
            await asyncio.to_thread(self.temporal.kill)
            return
        backends = children(self.postgres.pid)
        await asyncio.to_thread(self.postgres.kill)
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def revive(self, server: Server) -> None:
        """Start a killed server again, on its data and at its address."""
        killed = self.temporal if server is Server.TEMPORAL else self.postgres
        await asyncio.to_thread(killed.start)


@asynccontextmanager
async def open_house(folder: Path, world: World, aws_url: str) -> AsyncIterator[House]:
    """Servers of its own, kept in ``folder``, and one supervised worker for both queues."""
    options = TemporalOptions(
        search_attributes={name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()},
        db_file=folder / "temporal" / "temporal.db",
        ui=False,
    )
    postgres = EmbeddedPostgres(folder / "postgres", port=free_port(), fsync=False)
    temporal = EmbeddedTemporal(folder / "temporal", options)
    crew = Crew(folder, folder / "logs", lambda line: None)
    try:
        server = await asyncio.to_thread(postgres.start)
        address = await asyncio.to_thread(temporal.start)
        async with (
            migrated_database(server, await make_template(server)) as database,
            app_database(database) as db,
        ):
            await store_builtin_lists(database.urls.platform)
            client = await Client.connect(
                address.frontend, namespace=address.namespace, plugins=[temporal_plugin()]
            )
            await crew.start(_worker_role(folder, database, address.frontend, world, aws_url))
            watch = asyncio.create_task(crew.watch())
            try:
                yield House(address, postgres, temporal, crew, client, database, db)
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
                await crew.stop()
    finally:
        await asyncio.to_thread(temporal.stop)
        await asyncio.to_thread(postgres.stop)


def children(parent: int) -> list[int]:
    """Process ids whose parent is ``parent``."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may hold anything; what follows it does not.
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _worker_role(
    folder: Path, database: TestDatabase, temporal: str, world: World, aws_url: str
) -> Role:
    probe = free_port()
    words = ("worker", "all", "--probe-port", str(probe))
    env = child_env(
        TENSORCOST_HOME=str(folder),
        DATABASE_URL=database.urls.app,
        TENSORCOST_PLATFORM_DATABASE_URL=database.urls.platform,
        TEMPORAL_ADDRESS=temporal,
        **cloud_env(world, aws_url),
    )
    argv = [sys.executable, "-c", "from tensorcost.cli import main; main()", *words]
    return Role("worker", argv, env, f"http://127.0.0.1:{probe}/readyz")
