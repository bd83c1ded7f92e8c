"""Doors to the database for commands that need Postgres alone."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from tensorcost.cli.console import say
from tensorcost.domain.errors import NotFound
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.local import Addresses, servers
from tensorcost.runtime.settings import Settings
from tensorcost.storage.engine import make_engine
from tensorcost.storage.safety import refuse_unsafe_role
from tensorcost.storage.session import Database, PlatformDatabase

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
    """Open both; starts the embedded Postgres of this machine where no address is set."""
    settings = settings or Settings()
    async with servers(settings, say, temporal=False, valkey=False) as addresses:
        app = make_engine(addresses.database.app, application_name="tensorcost-cli")
        platform = make_engine(
            addresses.database.platform, application_name="tensorcost-cli", pool_size=2
        )
        try:
            await refuse_unsafe_role(app)
            yield Doors(Database(app), PlatformDatabase(platform), addresses)
        finally:
            await app.dispose()
            await platform.dispose()


async def find_tenant(platform: PlatformDatabase, text: str) -> TenantId:
    """The tenant with this id or slug; NotFound otherwise. Never creates one."""
    try:
        wanted: UUID | None = UUID(text)
    except ValueError:
        wanted = None
    async with platform.open(reason=f"find tenant {text}", actor=OPERATOR) as tx:
        found = await tx.scalar(
            "SELECT tenant_id FROM app.tenant WHERE tenant_id = :id OR slug = :slug",
            id=wanted,
            slug=text,
        )
    if found is None:
        raise NotFound("tenant", text)
    return TenantId(found)
