"""The servers of one machine: configured addresses are taken, the rest is started here.

The process that starts them announces them in the home folder, so that a command such as
``tensorcost import`` run beside it uses the same servers instead of fighting for the data.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.runtime.embedded.temporal import EmbeddedTemporal, TemporalOptions
from tensorcost.runtime.embedded.valkey import EmbeddedValkey
from tensorcost.runtime.home import Home
from tensorcost.runtime.settings import Settings
from tensorcost.storage.bootstrap import RolePasswords, RoleUrls, bootstrap_database

DATABASE = "tensorcost"
Say = Callable[[str], None]
"""Takes one line of progress."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is. Empty texts mean: not asked for."""

    database: RoleUrls
    redis_url: str = ""
    temporal: str = ""
    temporal_namespace: str = "default"
    temporal_ui: str = ""


class NotConfigured(Unavailable):
    """An outside database is named, but not all of its roles."""


class HomeInUse(Unavailable):
    """Another process holds this installation's data, without the servers asked for."""


@asynccontextmanager
async def servers(
    settings: Settings, say: Say, *, temporal: bool = True, valkey: bool = True
) -> AsyncIterator[Addresses]:
    """Addresses of Postgres, and of Temporal and Valkey where wanted; stopped at the end."""
    home = Home(settings.home)
    running = home.running() if settings.database_url is None else None
    if running is not None and (known := await _still_there(running)):
        if temporal and not known.temporal:
            raise HomeInUse(f"another tensorcost command uses {home.folder}: wait for it to end")
        yield known
        return
    async with AsyncExitStack() as stack:
        database = await _database(settings, home, stack, say)
        redis_url = await _valkey(settings, home, stack, say) if valkey else ""
        engine = ("", "default", "")
        if temporal:
            engine = await _temporal(settings, home, stack, say)
        addresses = Addresses(database, redis_url, *engine)
        if settings.database_url is None:
            home.announce(_plain(addresses))
            stack.callback(home.withdraw)
        yield addresses


async def _database(settings: Settings, home: Home, stack: AsyncExitStack, say: Say) -> RoleUrls:
    if settings.database_url is not None:
        return _configured(settings)
    home.prepare()
    say("starting PostgreSQL 18")
    server = EmbeddedPostgres(home.folder / "postgres")
    address = await asyncio.to_thread(server.start)
    stack.push_async_callback(asyncio.to_thread, server.stop)
    passwords = RolePasswords(
        owner=home.secret("postgres_owner"),
        app=home.secret("postgres_app"),
        platform=home.secret("postgres_platform"),
    )
    urls = await bootstrap_database(address.url(), DATABASE, passwords)
    # Alembic takes longer to import than an up-to-date schema takes to check.
    from tensorcost.storage.migrate import upgrade

    say("checking the schema")
    await upgrade(urls.owner)
    return urls


def _configured(settings: Settings) -> RoleUrls:
    named = (
        settings.owner_database_url,
        settings.database_url,
        settings.platform_database_url,
    )
    owner, app, platform = ("" if url is None else url.get_secret_value() for url in named)
    if not platform:
        raise NotConfigured(
            "DATABASE_URL is set: set TENSORCOST_PLATFORM_DATABASE_URL (role tc_platform) too"
        )
    return RoleUrls(owner=owner, app=app, platform=platform)


async def _valkey(settings: Settings, home: Home, stack: AsyncExitStack, say: Say) -> str:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    say("starting Valkey")
    server = EmbeddedValkey(home.folder / "valkey")
    address = await asyncio.to_thread(server.start)
    stack.push_async_callback(asyncio.to_thread, server.stop)
    return address.url


async def _temporal(
    settings: Settings, home: Home, stack: AsyncExitStack, say: Say
) -> tuple[str, str, str]:
    if settings.temporal_address is not None:
        return settings.temporal_address, settings.temporal.namespace, settings.temporal.ui_url
    say("starting Temporal")
    folder = home.folder / "temporal"
    options = TemporalOptions(
        namespace=settings.temporal.namespace,
        search_attributes={name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()},
        db_file=folder / "temporal.db",
    )
    server = EmbeddedTemporal(folder, options, settings.temporal_cli)
    address = await asyncio.to_thread(server.start)
    stack.push_async_callback(asyncio.to_thread, server.stop)
    return address.frontend, address.namespace, address.ui_url


def _plain(addresses: Addresses) -> dict[str, Any]:
    return asdict(addresses)


async def _still_there(running: dict[str, Any]) -> Addresses | None:
    """The announced addresses when their database answers, else None."""
    try:
        known = Addresses(
            database=RoleUrls(**running["database"]),
            redis_url=running["redis_url"],
            temporal=running["temporal"],
            temporal_namespace=running["temporal_namespace"],
            temporal_ui=running["temporal_ui"],
        )
        connection = await asyncpg.connect(known.database.app, timeout=5)
    except (KeyError, TypeError, OSError, TimeoutError, asyncpg.PostgresError):
        return None
    await connection.close()
    return known
