"""``tensorcost up``: servers, workers and API of one machine, supervised together."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from tensorcost.runtime.embedded.process import ChildProcess, Command
from tensorcost.runtime.local import Say, servers
from tensorcost.runtime.settings import Settings
from tensorcost.workers.drain import stop_on_signals

PROCESSES: Final[dict[str, tuple[str, ...]]] = {
    "worker-core": ("worker", "core"),
    "worker-cloud": ("worker", "cloud"),
    "api": ("api",),
}
_LOOK_SECONDS: Final = 1.0
_GRACE_BEYOND_DRAIN: Final = timedelta(seconds=10)


async def up(settings: Settings, say: Say) -> None:
    """Run until SIGINT or SIGTERM; a process that dies is started again."""
    async with AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(servers(settings, say))
        stop = stack.enter_context(stop_on_signals())
        running = {name: start(settings, name, *words) for name, words in PROCESSES.items()}
        stack.push_async_callback(_stop_all, running)
        say(f"API on http://{settings.http.host}:{settings.http.port}, its docs at /docs")
        if addresses.temporal_ui:
            say(f"Temporal UI on {addresses.temporal_ui}")
        while not stop.is_set():
            for name, words in PROCESSES.items():
                if not running[name].running:
                    say(f"{name} ended and is started again (log: {log_of(settings, name)})")
                    running[name] = start(settings, name, *words)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)


def start(settings: Settings, name: str, *words: str, **environment: str) -> ChildProcess:
    """Start ``tensorcost words`` on this installation; its log is in the home folder."""
    log = log_of(settings, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    return ChildProcess(
        Command(
            name=name,
            argv=[sys.executable, "-c", "from tensorcost.cli import main; main()", *words],
            log=log,
            env={**os.environ, "TENSORCOST_HOME": str(settings.home), **environment},
            stop_grace=timedelta(seconds=settings.drain_seconds) + _GRACE_BEYOND_DRAIN,
        )
    )


def log_of(settings: Settings, name: str) -> Path:
    """Where a process of this installation logs."""
    return settings.home / "logs" / f"{name}.log"


async def _stop_all(running: dict[str, ChildProcess]) -> None:
    """API first, so that nothing new comes in; then the workers, side by side."""
    await asyncio.to_thread(running["api"].stop)
    workers = [child for name, child in running.items() if name != "api"]
    await asyncio.gather(*(asyncio.to_thread(child.stop) for child in workers))
