"""The demo's processes: ready before the story goes on, back after a death, gone at the end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from demo.story.crew import Crew, ProcessLost, Role, answers
from tensorcost.runtime.embedded.ports import free_port
from tensorcost.runtime.embedded.process import EmbeddedServerError, child_env

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def role(code: str = SERVER) -> Role:
    port = free_port()
    argv = [sys.executable, "-c", code, str(port)]
    return Role("some server", argv, child_env(), f"http://127.0.0.1:{port}/readyz")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def crew(tmp_path: Path, said: list[str]) -> AsyncIterator[Crew]:
    crew = Crew(tmp_path, tmp_path / "logs", said.append)
    yield crew
    await crew.stop()


def pid(tmp_path: Path) -> int:
    pids = json.loads((tmp_path / "processes.json").read_text())
    return int(pids["some server"])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_a_process_is_ready_when_start_returns_and_gone_after_stop(
    crew: Crew, tmp_path: Path
) -> None:
    server = role()
    await crew.start(server)
    assert answers(server.ready_url)
    number = pid(tmp_path)
    await crew.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert not (tmp_path / "processes.json").exists()


async def test_a_killed_process_is_started_again(
    crew: Crew, tmp_path: Path, said: list[str]
) -> None:
    server = role()
    await crew.start(server)
    watch = asyncio.create_task(crew.watch())
    try:
        killed = pid(tmp_path)
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: pid(tmp_path) != killed)
        await asyncio.to_thread(until, lambda: answers(server.ready_url))
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    assert said == ["some server died; starting it again"]


async def test_a_process_that_keeps_dying_is_given_up(crew: Crew, tmp_path: Path) -> None:
    once = tmp_path / "was-here"
    flag = repr(str(once))
    code = f"import os, sys\nif os.path.exists({flag}): sys.exit('no luck')\nopen({flag}, 'w')\n"
    await crew.start(role(code + SERVER))
    os.kill(pid(tmp_path), signal.SIGKILL)
    with pytest.raises(ProcessLost, match="no luck"):
        await asyncio.wait_for(crew.watch(), 60)


async def test_a_process_that_never_gets_ready_fails_the_start(crew: Crew) -> None:
    with pytest.raises(EmbeddedServerError, match="no such option"):
        await crew.start(role("import sys; sys.exit('no such option')"))
