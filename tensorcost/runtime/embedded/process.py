"""One child process: it dies with us, logs to a file, is awaited and is stopped in order."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from tensorcost.domain.errors import Unavailable
from tensorcost.runtime.embedded.account import Account

POLL_SECONDS: Final = 0.05
LOG_TAIL_BYTES: Final = 2_000
_PR_SET_PDEATHSIG: Final = 1

_prctl: Callable[[int, int], int] | None = (
    ctypes.CDLL(None).prctl if sys.platform.startswith("linux") else None
)

# Linux sends the death signal when the *thread* that forked ends, so all children are forked by
# one thread that lives as long as the process.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-server-forker")


class EmbeddedServerError(Unavailable):
    """A server on this machine did not start or died; the message ends with its last log lines."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. ``stop_signal`` asks for an orderly end, also when this process dies."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace: timedelta = timedelta(seconds=20)


class ChildProcess:
    """A running command; ``stop`` may be called any number of times."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._log_start = command.log.stat().st_size if command.log.exists() else 0
        self._process = _forker.submit(_spawn, command).result()
        _running.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, probe: Callable[[], bool], timeout: timedelta) -> None:
        """Return once ``probe`` holds; stop the child and raise EmbeddedServerError otherwise."""
        deadline = time.monotonic() + timeout.total_seconds()
        while not probe():
            if not self.running:
                raise self._failure(f"ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                raise self._failure(f"was not ready after {timeout.total_seconds():.0f} s")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask the child to end, wait for ``stop_grace``, then kill its whole group."""
        _running.discard(self)
        if self.running:
            self._signal(self.command.stop_signal)
            try:
                self._process.wait(self.command.stop_grace.total_seconds())
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()

    def kill(self) -> None:
        """End the child at once, as a crash would."""
        _running.discard(self)
        if self.running:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def log_since_start(self) -> str:
        """Return the end of what the child has written since it was started."""
        with self.command.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, log.tell() - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def _signal(self, number: signal.Signals) -> None:
        # Only a SIGKILL goes to the group: an orderly end is the server's own business, and
        # Postgres forwards it to its children in the right order.
        if number is signal.SIGKILL:
            os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)

    def _failure(self, what: str) -> EmbeddedServerError:
        name, log = self.command.name, self.command.log
        return EmbeddedServerError(f"{name} {what} (log: {log}):\n{self.log_since_start()}")


_running: set[ChildProcess] = set()


@atexit.register
def _stop_all() -> None:
    for child in list(_running):
        child.stop()


def child_env(**more: str) -> dict[str, str]:
    """Return the little of our environment that a server needs; secrets do not come along."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **more}


def command_line(pid: int) -> str:
    """Return the command line of any process, empty when there is none."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listed = subprocess.run(  # noqa: S603 - fixed program, numeric argument
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    account = command.account
    with command.log.open("ab") as log:
        try:
            return subprocess.Popen(  # noqa: S603 - commands are built by this package
                list(command.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(command.env),
                cwd=command.cwd,
                # A Ctrl-C in the terminal must reach us alone: we stop servers in our order.
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=partial(_die_with_parent, int(command.stop_signal)),
            )
        except OSError as error:
            raise EmbeddedServerError(f"{command.name} cannot be run: {error}") from error


def _die_with_parent(number: int) -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)
