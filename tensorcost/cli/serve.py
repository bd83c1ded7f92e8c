"""``tensorcost up``, ``api`` and ``worker``: the long-running processes."""

from enum import StrEnum
from typing import Annotated

import typer

from tensorcost.cli.console import run, say
from tensorcost.domain.temporal import TaskQueue
from tensorcost.runtime.settings import Settings


class WorkerQueue(StrEnum):
    CORE = "core"
    CLOUD = "cloud"
    ALL = "all"


_QUEUES = {
    WorkerQueue.CORE: (TaskQueue.CORE,),
    WorkerQueue.CLOUD: (TaskQueue.CLOUD,),
    WorkerQueue.ALL: (TaskQueue.CORE, TaskQueue.CLOUD),
}


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve REST, GraphQL and subscriptions."""
    run(_api(host, port))


def worker(
    queue: Annotated[WorkerQueue, typer.Argument(help="Which task queues to serve.")],
    probe_port: Annotated[
        int, typer.Option(help="Port for /livez and /readyz on loopback; 0 for none.")
    ] = 0,
) -> None:
    """Run workflows (core) and readings of outside systems (cloud)."""
    run(_worker(queue, probe_port))


def up() -> None:
    """Everything on this machine: embedded servers where no address is set, workers and API."""
    from tensorcost.runtime.up import up as serve_all

    run(serve_all(Settings(), say))


def codec() -> None:
    """Serve decrypted payloads to a signed-in operator's Temporal UI."""
    from tensorcost.runtime.codec import serve_codec

    run(serve_codec(Settings()))


async def _api(host: str | None, port: int | None) -> None:
    from tensorcost.runtime.local import servers
    from tensorcost.runtime.processes import serve_api

    settings = Settings()
    given = {"host": host, "port": port}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update={"http": settings.http.model_copy(update=changed)})
    async with servers(settings, say) as addresses:
        await serve_api(settings, addresses)


async def _worker(queue: WorkerQueue, probe_port: int) -> None:
    from tensorcost.runtime.local import servers
    from tensorcost.runtime.processes import serve_workers

    settings = Settings()
    async with servers(settings, say, valkey=False) as addresses:
        await serve_workers(settings, addresses, _QUEUES[queue], probe_port)
