"""Doors to the database for commands that need Postgres alone."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tensorcost.cli.console import fail, say
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.local import Addresses, servers
from tensorcost.runtime.logs import configure_logs
from tensorcost.runtime.settings import Settings
from tensorcost.services.audit import SEAL_LOOKBACK, seal_all
from tensorcost.storage.engine import make_engine
from tensorcost.storage.safety import refuse_unsafe_role
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.storage.tenants import find_tenant_id

OPERATOR = "operator:cli"


def operator() -> str:
    """Who works at this machine, for decisions that need two people."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return OPERATOR


@dataclass(frozen=True, slots=True)
class Doors:
    """The app role's door, and the platform role's audited one."""

    db: Database
    platform: PlatformDatabase
    addresses: Addresses


@asynccontextmanager
async def doors(settings: Settings | None = None) -> AsyncIterator[Doors]:
    """Open both; starts the embedded Postgres of this machine where no address is set.

    What the command wrote to the audit trail is sealed at its end: no worker may ever run here.
    """
    configure_logs("WARNING")
    settings = settings or Settings()
    async with servers(settings, say, temporal=False, valkey=False) as addresses:
        app = make_engine(addresses.database.app, application_name="tensorcost-cli")
        platform = make_engine(
            addresses.database.platform, application_name="tensorcost-cli", pool_size=2
        )
        try:
            await refuse_unsafe_role(app)
            opened = Doors(Database(app), PlatformDatabase(platform), addresses)
            yield opened
            # All of it where the data is this machine's own; else workers look at the rest.
            lookback = None if settings.database_url is None else SEAL_LOOKBACK
            await seal_all(opened.db, lookback=lookback)
        finally:
            await app.dispose()
            await platform.dispose()


async def find_tenant(platform: PlatformDatabase, text: str) -> TenantId:
    """The tenant with this id or slug; ends the command otherwise. Never creates one."""
    async with platform.open(reason=f"find tenant {text}", actor=OPERATOR) as tx:
        found = await find_tenant_id(tx, text)
    if found is None:
        fail(f"tenant {text} not found in {_looked_in(Settings())}")
    return found


def _looked_in(settings: Settings) -> str:
    if settings.database_url is not None:
        return "the database that DATABASE_URL names"
    return f"{settings.home} (TENSORCOST_HOME names another home)"
