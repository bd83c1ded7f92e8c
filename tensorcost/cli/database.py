"""``tensorcost migrate``: roles and schema of a database that is not embedded."""

import secrets
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer
from pydantic import SecretStr

from tensorcost.cli.console import EXIT_USAGE, emit_json, fail, run, say
from tensorcost.runtime.settings import Settings


def migrate(
    bootstrap: Annotated[
        bool,
        typer.Option(
            "--bootstrap",
            help="First create roles and database as TENSORCOST_SUPERUSER_DATABASE_URL. "
            "Passwords come from the configured URLs; new ones are made and printed.",
        ),
    ] = False,
    database: Annotated[str, typer.Option(help="Name of the database to create.")] = "tensorcost",
) -> None:
    """Bring the database to this version's schema, as the owner role."""
    run(_migrate(Settings(), bootstrap, database))


async def _migrate(settings: Settings, bootstrap: bool, database: str) -> None:
    from tensorcost.storage.migrate import current_revision, head_revision, upgrade

    if bootstrap:
        owner = await _bootstrap(settings, database)
    elif settings.owner_database_url is not None:
        owner = settings.owner_database_url.get_secret_value()
    else:
        fail("set TENSORCOST_OWNER_DATABASE_URL (role tc_owner), or use --bootstrap", EXIT_USAGE)
    before = await current_revision(owner)
    await upgrade(owner)
    say(f"schema {before or 'empty'} -> {head_revision()}")


async def _bootstrap(settings: Settings, database: str) -> str:
    from tensorcost.storage.bootstrap import RolePasswords, bootstrap_database

    if settings.superuser_database_url is None:
        fail("--bootstrap needs TENSORCOST_SUPERUSER_DATABASE_URL", EXIT_USAGE)
    named = (
        settings.owner_database_url,
        settings.database_url,
        settings.platform_database_url,
    )
    known = [_password(url) for url in named]
    passwords = RolePasswords(*(kept or secrets.token_urlsafe(32) for kept in known))
    superuser = settings.superuser_database_url.get_secret_value()
    urls = await bootstrap_database(superuser, database, passwords)
    if not all(known):
        # The one moment at which new passwords are known: they go to standard output.
        emit_json(
            {
                "TENSORCOST_OWNER_DATABASE_URL": urls.owner,
                "DATABASE_URL": urls.app,
                "TENSORCOST_PLATFORM_DATABASE_URL": urls.platform,
            }
        )
    return urls.owner


def _password(url: SecretStr | None) -> str:
    return "" if url is None else unquote(urlsplit(url.get_secret_value()).password or "")
