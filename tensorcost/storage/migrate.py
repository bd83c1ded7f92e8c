"""Migrations, run as the owner role."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from tensorcost.storage.engine import make_engine


def _folder() -> Path:
    packaged = Path(__file__).resolve().parent.parent / "_migrations"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "migrations"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``; nothing happens when it is there already."""
    engine = make_engine(owner_url, application_name="tensorcost-migrate", pool_size=1)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))
    finally:
        await engine.dispose()


async def current_revision(url: str) -> str | None:
    """The schema version of the database, or None before the first migration."""
    engine = make_engine(url, application_name="tensorcost-migrate", pool_size=1)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda sync: MigrationContext.configure(
                    sync, opts={"version_table": "schema_version", "version_table_schema": "app"}
                ).get_current_revision()
            )
    finally:
        await engine.dispose()


def head_revision() -> str | None:
    """The newest revision that this code brings along."""
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head()
