"""Running the simulator: as a process of its own, or inside an event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from demo.aws.app import Simulator
from demo.aws.control import SimControl
from demo.aws.controlpath import PREFIX, control
from demo.aws.http import HttpRequest, HttpResponse, HttpServer

_START_SECONDS = 30.0
_REPOSITORY = Path(__file__).resolve().parents[2]


class SimulatorFailed(RuntimeError):
    """The simulator's process ended before it was ready; the message holds its last words."""


async def serve(
    port: int, ready_file: Path | None, world: Path | None, with_parent: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT; the ready file then holds the endpoint URL."""
    simulator = Simulator()
    if world is not None:
        simulator.load_folder(world)

    async def handle(request: HttpRequest) -> HttpResponse:
        if request.raw_path.startswith(PREFIX):
            return await control(simulator, request)
        return await simulator.handle(request)

    server = HttpServer(handle)
    bound = await server.start("127.0.0.1", port)
    url = f"http://127.0.0.1:{bound}"
    if ready_file is not None:
        partial = ready_file.with_suffix(".partial")
        partial.write_text(url)
        partial.rename(ready_file)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = asyncio.create_task(_leave_with_parent(stop)) if with_parent else None
    try:
        await stop.wait()
    finally:
        if watch:
            watch.cancel()
        await server.close()
        await simulator.close()


async def _leave_with_parent(stop: asyncio.Event) -> None:
    """An orphan would hold its port for ever: stop when the starter is gone."""
    parent = os.getppid()
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=1.0)
        if os.getppid() != parent:
            stop.set()


@contextmanager
def running_simulator(world: Path | None = None, port: int = 0) -> Iterator[SimControl]:
    """A simulator in a process of its own; raises SimulatorFailed when it does not start."""
    with tempfile.TemporaryDirectory(prefix="cloud-sim-") as folder:
        ready = Path(folder) / "ready"
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "demo.aws", "--port", str(port)]
        command += ["--ready-file", str(ready), "--with-parent"]
        command += ["--world", str(world.resolve())] if world else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=_REPOSITORY, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        try:
            yield SimControl(_wait_for(process, ready, log))
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@asynccontextmanager
async def start_simulator(world: Path | None = None, port: int = 0) -> AsyncIterator[SimControl]:
    """``running_simulator`` for coroutines: the event loop is not held up by start and stop."""
    manager = running_simulator(world, port)
    control = await asyncio.to_thread(manager.__enter__)
    try:
        yield control
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def _wait_for(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if ready.exists():
            return ready.read_text()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise SimulatorFailed(log.read_text(errors="replace")[-2000:])
