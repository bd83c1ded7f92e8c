"""Whether the servers that the settings name can be reached, and are safe to use."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tensorcost.runtime.redaction import redact_text
from tensorcost.storage.engine import make_engine
from tensorcost.storage.safety import UnsafeRole, refuse_unsafe_role

TIMEOUT_SECONDS: Final = 10.0
POSTGRES_MINIMUM: Final = 180_000
_REACH: Final = "Start it, or correct the setting"


@dataclass(frozen=True, slots=True, repr=False)
class Addresses:
    """Servers that replace embedded ones; None where the embedded one is used."""

    database_url: str | None = None
    redis_url: str | None = None
    temporal_address: str | None = None
    temporal_namespace: str = "default"


@dataclass(frozen=True, slots=True)
class Finding:
    """``problem`` is empty when all is well."""

    name: str
    purpose: str
    detail: str = ""
    problem: str = ""
    remedy: str = ""


async def check_servers(addresses: Addresses) -> list[Finding]:
    """Ask every configured server, all at once."""
    checks: list[Awaitable[Finding]] = []
    if addresses.database_url is not None:
        checks.append(_guarded("Database", "holds all facts", _database, addresses.database_url))
    if addresses.redis_url is not None:
        checks.append(
            _guarded("Redis or Valkey", "shared rate limits", _redis, addresses.redis_url)
        )
    if addresses.temporal_address is not None:
        checks.append(
            _guarded(
                "Temporal cluster",
                "durable workflows",
                lambda address: _temporal(address, addresses.temporal_namespace),
                addresses.temporal_address,
            )
        )
    return list(await asyncio.gather(*checks))


async def _guarded(
    name: str, purpose: str, ask: Callable[[str], Awaitable[str]], address: str
) -> Finding:
    shown = _without_credentials(address)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            detail = await ask(address)
    except UnsafeRole as error:
        remedy = "Connect as the app role; `tensorcost migrate --bootstrap` makes it."
        return Finding(name, purpose, problem=str(error), remedy=remedy)
    except TimeoutError:
        return Finding(name, purpose, problem=f"{shown} did not answer", remedy=f"{_REACH}.")
    except (
        OSError,
        RuntimeError,  # temporalio, for a connection that it cannot make
        ValueError,
        RPCError,
        RedisError,
        SQLAlchemyError,
        asyncpg.PostgresError,
    ) as error:
        said = redact_text(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return Finding(name, purpose, problem=f"{shown}: {said}", remedy=f"{_REACH}.")
    return Finding(name, purpose, detail=f"{shown}: {detail}")


async def _database(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        number = int(await connection.fetchval("SHOW server_version_num"))
        role = await connection.fetchval("SELECT session_user")
    finally:
        await connection.close()
    if number < POSTGRES_MINIMUM:
        raise ValueError(f"PostgreSQL 18 or newer is needed; this is {number // 10_000}")
    engine = make_engine(url, application_name="tensorcost-doctor", pool_size=1)
    try:
        await refuse_unsafe_role(engine)
    finally:
        await engine.dispose()
    return f"PostgreSQL {number // 10_000}.{number % 10_000}, role {role} is bound by row security"


async def _redis(url: str) -> str:
    client = redis.asyncio.from_url(url)
    try:
        said = await client.info("server")
    finally:
        await client.aclose()
    return f"version {said.get('valkey_version') or said.get('redis_version')}"


async def _temporal(address: str, namespace: str) -> str:
    client = await Client.connect(address, namespace=namespace)
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    return f"serves the namespace {namespace}"


def _without_credentials(address: str) -> str:
    parts = urlsplit(address if "//" in address else f"//{address}")
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
