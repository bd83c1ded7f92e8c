"""Running workers until they are told to stop, and stopping them without losing work."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Final

import structlog
from temporalio.worker import Worker

from tensorcost.workers.housekeeping import Housekeeper

log = structlog.get_logger(__name__)
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def run_workers(
    workers: Sequence[Worker], stop: asyncio.Event, housekeeper: Housekeeper | None = None
) -> None:
    """Run until ``stop`` is set, then drain: nothing new is taken, activities save their cursor.

    A worker that fails for good ends the call with its error. Close executors and engines after
    this returns, not before: completions are still being sent.
    """
    async with AsyncExitStack() as running:
        for worker in workers:
            await running.enter_async_context(worker)
        log.info("workers.started", queues=[worker.task_queue for worker in workers])
        if housekeeper is None:
            await stop.wait()
        else:
            await housekeeper.run(stop)
        log.info("workers.draining")
    log.info("workers.stopped")


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, inside a running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
