"""PostgreSQL 18 from a wheel, as our child process on one loopback port."""

import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from tensorcost.runtime.embedded import postgres_files as files
from tensorcost.runtime.embedded.account import (
    SHARED_STATE,
    reachable_folder,
    unprivileged_account,
)
from tensorcost.runtime.embedded.ports import LOOPBACK, free_port
from tensorcost.runtime.embedded.process import (
    ChildProcess,
    Command,
    EmbeddedServerError,
    child_env,
    command_line,
)
from tensorcost.runtime.embedded.server import EmbeddedServer, until_started

START_TIMEOUT: Final = timedelta(seconds=120)  # crash recovery replays up to max_wal_size
PREDECESSOR_TIMEOUT: Final = timedelta(seconds=30)
LIVE_GRACE: Final = timedelta(seconds=3)
ATTEMPTS: Final = 10
RETRY_SECONDS: Final = 0.5
# The port was taken between our look and its bind; backends of a killed server are still ending.
PASSING_FAILURES: Final = ("could not bind", "pre-existing shared memory block")

SETTINGS: Final[dict[str, str]] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Plans and locks touch every daily partition of a table.
    "max_locks_per_transaction": "512",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details of errors may carry what logs must not.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
VOLATILE: Final[dict[str, str]] = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, repr=False)
class PostgresAddress:
    """Where the server listens and how its superuser signs in."""

    host: str
    port: int
    superuser: str
    password: str

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's ``postgresql://`` address of ``database``."""
        return f"postgresql://{self.superuser}:{self.password}@{self.host}:{self.port}/{database}"

    def __repr__(self) -> str:
        return f"PostgresAddress({self.superuser}@{self.host}:{self.port})"


class EmbeddedPostgres(EmbeddedServer[PostgresAddress]):
    """One cluster in ``data_dir``; a second start finds its data, also after a crash.

    A killed postmaster's backends end by themselves when they notice.

    ``fsync=False`` is for tests: a machine that loses power then loses the cluster.
    """

    def __init__(self, data_dir: Path, port: int | None = None, fsync: bool = True) -> None:
        super().__init__()
        self._wanted = data_dir
        self._port = port
        self._fsync = fsync
        self._account = unprivileged_account()

    @property
    def pid(self) -> int:
        """The postmaster's process id; EmbeddedServerError when it was not started."""
        if self._child is None:
            raise EmbeddedServerError("PostgreSQL was not started")
        return self._child.pid

    def start(self) -> PostgresAddress:
        """Create the cluster once, start it, and return when it accepts connections.

        Raises EmbeddedServerError, also when another process serves the same folder.
        """
        folder = reachable_folder(self._wanted, self._account, SHARED_STATE)
        cluster = folder / "cluster"
        password = files.superuser_password(folder)
        if not cluster.exists():
            files.create_cluster(
                folder, cluster, self._account, password=password, fsync=self._fsync
            )
        _settle_predecessor(cluster)

        def launch() -> PostgresAddress:
            port = self._port or free_port()
            self._child = self._launch(folder, cluster, port)
            return PostgresAddress(LOOPBACK, port, files.SUPERUSER, password)

        return until_started(launch, PASSING_FAILURES, attempts=ATTEMPTS, pause=RETRY_SECONDS)

    def _launch(self, folder: Path, cluster: Path, port: int) -> ChildProcess:
        settings = {**SETTINGS, "port": str(port), **({} if self._fsync else VOLATILE)}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        child = ChildProcess(
            Command(
                name="PostgreSQL",
                argv=[
                    str(files.programs(self._account) / "postgres"),
                    "-D",
                    str(cluster),
                    *options,
                ],
                log=folder / "server.log",
                env=child_env(),
                cwd=folder,
                account=self._account,
                stop_signal=signal.SIGINT,
            )
        )
        child.wait_ready(lambda: _is_ready(cluster, child.pid), START_TIMEOUT)
        return child


def _is_ready(cluster: Path, pid: int) -> bool:
    lines = _lock_file(cluster)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7] == "ready"


def _settle_predecessor(cluster: Path) -> None:
    """Wait for a server whose parent has just died; remove the lock of one that is gone.

    PostgreSQL itself refuses a lock file whose process id is in use, though after a crash the id
    may belong to any other program.
    """
    deadline = time.monotonic() + PREDECESSOR_TIMEOUT.total_seconds()
    grace = time.monotonic() + LIVE_GRACE.total_seconds()
    while lines := _lock_file(cluster):
        pid = int(lines[0])
        if not _serves(pid, cluster):
            (cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        stopping = lines[-1] == "stopping"
        if time.monotonic() > (deadline if stopping else grace):
            raise EmbeddedServerError(
                f"another process serves {cluster} (PostgreSQL pid {pid}): stop it first"
            )
        time.sleep(0.1)


def _lock_file(cluster: Path) -> list[str]:
    try:
        text = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def _serves(pid: int, cluster: Path) -> bool:
    return str(cluster) in command_line(pid)
