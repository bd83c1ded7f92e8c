"""Heartbeats on a timer, for one long piece of work between two that report by themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from temporalio import activity

BEAT_EVERY: Final = timedelta(seconds=5)


@asynccontextmanager
async def beating(
    details: Callable[[], object], every: timedelta = BEAT_EVERY
) -> AsyncIterator[None]:
    """Heartbeat with the newest ``details`` until the block ends.

    It shows that the process lives, not that the work moves: the attempt's own timeout bounds
    that.
    """

    async def beat() -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            activity.heartbeat(details())

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
