"""``tensorcost migrate``: roles and schema of a database that is not embedded."""

import secrets
from typing import Annotated

import typer

from tensorcost.cli.console import emit_json, fail, run, say
from tensorcost.runtime.settings import Settings


def migrate(
    bootstrap: Annotated[
        str,
        typer.Option(help="Superuser URL: create roles and database first, print their URLs."),
    ] = "",
    database: Annotated[str, typer.Option(help="Name of the database to create.")] = "tensorcost",
) -> None:
    """Bring the database to this version's schema, as the owner role."""
    run(_migrate(bootstrap, database))


async def _migrate(bootstrap: str, database: str) -> None:
    from tensorcost.storage.bootstrap import RolePasswords, bootstrap_database
    from tensorcost.storage.migrate import current_revision, head_revision, upgrade

    if bootstrap:
        passwords = RolePasswords(*(secrets.token_urlsafe(32) for _ in range(3)))
        urls = await bootstrap_database(bootstrap, database, passwords)
        owner = urls.owner
        # The one moment at which these passwords are known: they go to standard output.
        emit_json(
            {
                "TENSORCOST_OWNER_DATABASE_URL": urls.owner,
                "DATABASE_URL": urls.app,
                "TENSORCOST_PLATFORM_DATABASE_URL": urls.platform,
            }
        )
    else:
        named = Settings().owner_database_url
        if named is None:
            fail("set TENSORCOST_OWNER_DATABASE_URL (role tc_owner), or use --bootstrap", 2)
        owner = named.get_secret_value()
    before = await current_revision(owner)
    await upgrade(owner)
    say(f"schema {before or 'empty'} -> {head_revision()}")
