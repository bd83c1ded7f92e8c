"""The demo's child processes: started in order, started again when one dies, stopped in reverse.

Starting again is what a process supervisor does for the product in production; here it lets
anybody kill a worker in the middle of a backfill and watch the work go on.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from demo.story.settings import REPOSITORY
from tensorcost.runtime.embedded.process import ChildProcess, Command

LOOK_EVERY = 0.3
READY_WITHIN = timedelta(seconds=90)
STOP_WITHIN = timedelta(seconds=15)
MOST_RESTARTS = 5
"""A process that dies more often than this within a minute will not get better."""
_RESTART_SPAN = 60.0


class ProcessLost(Exception):
    """A process died too often; the message names it and its log."""


@dataclass(frozen=True, slots=True)
class Role:
    """One process: what to run, and where it answers with 200 once it is ready."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready_url: str


@dataclass(slots=True)
class _Member:
    role: Role
    child: ChildProcess
    ready: bool = False
    deaths: list[float] = field(default_factory=list)


class Crew:
    """The processes of one demo. ``processes.json`` in ``home`` tells who they are."""

    def __init__(self, home: Path, logs: Path, say: Callable[[str], None]) -> None:
        self._list = home / "processes.json"
        self._logs = logs
        self._say = say
        self._members: list[_Member] = []
        self.restarts = 0

    async def start(self, *roles: Role) -> None:
        """Start processes side by side; return when all are ready. EmbeddedServerError."""
        self._logs.mkdir(parents=True, exist_ok=True)
        new = [_Member(role, self._child(role)) for role in roles]
        self._members += new
        self._write()
        await asyncio.gather(*(asyncio.to_thread(_wait, member) for member in new))

    async def watch(self) -> None:
        """Start again whoever died, until cancelled; raises ProcessLost when it is no use."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for member in self._members:
                if member.ready and not member.child.running:
                    self._start_again(member)

    async def stop(self) -> None:
        """Stop all, the last started first."""
        members, self._members = self._members[::-1], []
        for member in members:
            await asyncio.to_thread(member.child.stop)
        self._list.unlink(missing_ok=True)

    def _start_again(self, member: _Member) -> None:
        now = time.monotonic()
        member.deaths = [at for at in member.deaths if now - at < _RESTART_SPAN] + [now]
        member.child.stop()
        name, log = member.role.name, member.child.command.log
        if len(member.deaths) > MOST_RESTARTS:
            raise ProcessLost(f"{name} keeps dying (log: {log}):\n{member.child.log_since_start()}")
        self._say(f"{name} died; starting it again")
        self.restarts += 1
        member.child = self._child(member.role)
        self._write()

    def _child(self, role: Role) -> ChildProcess:
        return ChildProcess(
            Command(
                name=role.name,
                argv=role.argv,
                log=self._logs / f"{role.name.replace(' ', '-')}.log",
                env=role.env,
                cwd=REPOSITORY,
                stop_grace=STOP_WITHIN,
            )
        )

    def _write(self) -> None:
        pids = {member.role.name: member.child.pid for member in self._members}
        self._list.write_text(json.dumps(pids))


def _wait(member: _Member) -> None:
    member.child.wait_ready(lambda: answers(member.role.ready_url), READY_WITHIN)
    member.ready = True


def answers(url: str) -> bool:
    """Whether a GET is answered with 200 now."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
