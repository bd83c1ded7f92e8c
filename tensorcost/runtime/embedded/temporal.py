"""Temporal's development server as our child process, with its web interface."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tensorcost.runtime.embedded.ports import LOOPBACK, accepts_connections, free_ports
from tensorcost.runtime.embedded.process import (
    ChildProcess,
    Command,
    EmbeddedServerError,
    child_env,
)
from tensorcost.runtime.embedded.server import EmbeddedServer, until_started
from tensorcost.runtime.embedded.temporal_binary import ensure

START_TIMEOUT: Final = timedelta(seconds=90)
STOP_GRACE: Final = timedelta(seconds=10)
REQUEST_SECONDS: Final = 5
ATTEMPTS: Final = 5
RETRY_SECONDS: Final = 0.5
_LOST_RACE: Final = ("address already in use", "can't set")

# Server 1.29 has both off; tenants share queues fairly only with them.
FAIR_QUEUES: Final[dict[str, str]] = {
    "matching.useNewMatcher": "true",
    "matching.enableFairness": "true",
}


@dataclass(frozen=True, slots=True)
class TemporalAddress:
    """``frontend`` is host:port for SDK clients; the URLs are for people and for scrapers."""

    frontend: str
    ui_url: str
    metrics_url: str
    namespace: str


@dataclass(frozen=True, slots=True)
class TemporalOptions:
    """``db_file`` None keeps everything in memory; dynamic values are JSON texts."""

    namespace: str = "default"
    search_attributes: Mapping[str, str] = field(default_factory=dict)
    dynamic_config: Mapping[str, str] = field(default_factory=lambda: FAIR_QUEUES)
    db_file: Path | None = None
    ui: bool = True


@dataclass(frozen=True, slots=True)
class _Ports:
    frontend: int
    http: int
    metrics: int
    ui: int


class EmbeddedTemporal(EmbeddedServer[TemporalAddress]):
    """One server; with a ``db_file`` a second start finds its workflows, at the same address."""

    def __init__(
        self, data_dir: Path, options: TemporalOptions, binary: Path | None = None
    ) -> None:
        super().__init__()
        self._data_dir = data_dir
        self._options = options
        self._binary = binary
        self._ports: _Ports | None = None

    def start(self) -> TemporalAddress:
        """Find or get the program, start it and return when the namespace is served.

        Raises EmbeddedServerError. The first call on a machine may build the program for minutes.
        """
        binary = ensure(self._binary)
        self._data_dir.mkdir(parents=True, exist_ok=True)

        def launch() -> tuple[ChildProcess, _Ports]:
            ports = self._ports or _Ports(*free_ports(4))
            return self._launch(binary, ports), ports

        self._child, self._ports = until_started(
            launch, _LOST_RACE, attempts=ATTEMPTS, pause=RETRY_SECONDS
        )
        return self._prepare(self._child, binary, self._ports)

    def _prepare(self, child: ChildProcess, binary: Path, ports: _Ports) -> TemporalAddress:
        address = TemporalAddress(
            frontend=f"{LOOPBACK}:{ports.frontend}",
            ui_url=f"http://{LOOPBACK}:{ports.ui}" if self._options.ui else "",
            metrics_url=f"http://{LOOPBACK}:{ports.metrics}/metrics",
            namespace=self._options.namespace,
        )
        try:
            self._add_search_attributes(binary, address, ports.http)
        except BaseException:
            child.stop()
            raise
        return address

    def _launch(self, binary: Path, ports: _Ports) -> ChildProcess:
        child = ChildProcess(
            Command(
                name="Temporal",
                argv=[str(binary), *self._arguments(ports)],
                log=self._data_dir / "server.log",
                env=self._env(),
                cwd=self._data_dir,
                stop_grace=STOP_GRACE,
            )
        )
        child.wait_ready(lambda: self._serves(ports), START_TIMEOUT)
        return child

    def _arguments(self, ports: _Ports) -> list[str]:
        options = self._options
        arguments = ["server", "start-dev", "--ip", LOOPBACK, "--log-level", "warn"]
        arguments += ["--port", str(ports.frontend), "--http-port", str(ports.http)]
        arguments += ["--metrics-port", str(ports.metrics), "--namespace", options.namespace]
        arguments += ["--ui-port", str(ports.ui)] if options.ui else ["--headless"]
        if options.db_file is not None:
            options.db_file.parent.mkdir(parents=True, exist_ok=True)
            arguments += ["--db-filename", str(options.db_file.resolve())]
        for name, kind in options.search_attributes.items():
            arguments += ["--search-attribute", f"{name}={kind}"]
        for key, value in options.dynamic_config.items():
            arguments += ["--dynamic-config-value", f"{key}={value}"]
        return arguments

    def _serves(self, ports: _Ports) -> bool:
        if self._options.ui and not accepts_connections(ports.ui):
            return False
        return _get(ports.http, f"/api/v1/namespaces/{self._options.namespace}") is not None

    def _add_search_attributes(self, binary: Path, address: TemporalAddress, http: int) -> None:
        """Add what a database file made by an older release lacks: the start flags skip it."""
        wanted = self._options.search_attributes
        known = _get(http, f"/api/v1/namespaces/{address.namespace}/search-attributes")
        for name in sorted(wanted.keys() - (known or {}).get("customAttributes", {}).keys()):
            done = subprocess.run(  # noqa: S603 - the program that we have just started
                [
                    *(str(binary), "operator", "search-attribute", "create"),
                    *("--address", address.frontend, "--namespace", address.namespace),
                    *("--name", name, "--type", wanted[name]),
                ],
                capture_output=True,
                text=True,
                check=False,
                env=self._env(),
            )
            if done.returncode != 0:
                raise EmbeddedServerError(f"search attribute {name}: {done.stderr.strip()}")

    def _env(self) -> dict[str, str]:
        # The program reads its own configuration from the home folder: a person's settings for
        # another server must not reach this one.
        return child_env(HOME=str(self._data_dir.resolve()))


def _get(port: int, path: str) -> Any:  # the server's JSON, whose shape is not ours
    try:
        with urllib.request.urlopen(
            f"http://{LOOPBACK}:{port}{path}", timeout=REQUEST_SECONDS
        ) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None
