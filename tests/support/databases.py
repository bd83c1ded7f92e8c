"""Databases of a test run: one migrated template, and as many copies as there are modules."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import asyncpg

from tensorcost.runtime.embedded.postgres import PostgresAddress
from tensorcost.storage.bootstrap import (
    RolePasswords,
    RoleUrls,
    bootstrap_database,
    role_urls,
)
from tensorcost.storage.migrate import upgrade

TEMPLATE = "tc_template"
PASSWORDS = RolePasswords(
    owner="fake-owner-password", app="fake-app-password", platform="fake-platform-password"
)


@dataclass(frozen=True, slots=True)
class Database:
    """One database: the three roles' URLs, and the superuser's for looking behind the policies."""

    __test__: ClassVar[bool] = False  # some modules import it under a name beginning with Test

    name: str
    urls: RoleUrls
    superuser_url: str


async def make_template(server: PostgresAddress) -> str:
    """Create and migrate the template once, close it to connections, and return its name."""
    urls = await bootstrap_database(server.url(), TEMPLATE, PASSWORDS)
    await upgrade(urls.owner)
    await _as_superuser(server, f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true CONNECTION LIMIT 0")
    return TEMPLATE


@asynccontextmanager
async def migrated_database(server: PostgresAddress, template: str) -> AsyncIterator[Database]:
    """A copy of the template, dropped at the end with whoever is still connected."""
    name = _fresh_name()
    await _as_superuser(server, f"CREATE DATABASE {name} TEMPLATE {template} OWNER tc_owner")
    try:
        yield _named(server, name)
    finally:
        await _as_superuser(server, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def empty_database(server: PostgresAddress) -> AsyncIterator[Database]:
    """Roles and schemas without a single migration, dropped at the end."""
    name = _fresh_name()
    await bootstrap_database(server.url(), name, PASSWORDS)
    try:
        yield _named(server, name)
    finally:
        await _as_superuser(server, f"DROP DATABASE {name} WITH (FORCE)")


def _fresh_name() -> str:
    return f"tc_{secrets.token_hex(6)}"


def _named(server: PostgresAddress, name: str) -> Database:
    return Database(name, role_urls(server.url(), name, PASSWORDS), server.url(name))


async def _as_superuser(server: PostgresAddress, statement: str) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
