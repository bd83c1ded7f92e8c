"""Real servers for the whole run, started when the first test asks; a database per module."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from tensorcost.domain.ids import TenantId
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres, PostgresAddress
from tensorcost.runtime.embedded.temporal import (
    EmbeddedTemporal,
    TemporalAddress,
    TemporalOptions,
)
from tensorcost.runtime.embedded.valkey import EmbeddedValkey
from tensorcost.storage.session import Database
from tests.support import databases, faults
from tests.support.databases import empty_database, make_template, migrated_database
from tests.support.folders import server_folder
from tests.support.tenants import app_database, make_tenant


def pytest_addoption(parser: pytest.Parser) -> None:
    faults.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    faults.configure(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    faults.deselect(config, items)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(servers_folder: Path) -> Iterator[PostgresAddress]:
    """One PostgreSQL for the run, with the superuser's password."""
    with EmbeddedPostgres(servers_folder / "postgres", fsync=False) as address:
        yield address


@pytest.fixture(scope="session")
def temporal_server(servers_folder: Path) -> Iterator[TemporalAddress]:
    """One Temporal server for the run, in memory: use a task queue and workflow ids of your own."""
    options = TemporalOptions(
        search_attributes={name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()},
        ui=False,
    )
    with EmbeddedTemporal(servers_folder / "temporal", options) as address:
        yield address


@pytest.fixture(scope="session")
def valkey_url(servers_folder: Path) -> Iterator[str]:
    """One Valkey for the run: use keys of your own."""
    with EmbeddedValkey(servers_folder / "valkey") as address:
        yield address.url


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimControl]:
    """One emulated AWS for the run: seed it with a world of your own, which ends all before."""
    with running_simulator() as control:
        yield control


@pytest.fixture(scope="session")
async def database_template(postgres_server: PostgresAddress) -> str:
    return await make_template(postgres_server)


@pytest.fixture(scope="module")
async def database(
    postgres_server: PostgresAddress, database_template: str
) -> AsyncIterator[databases.Database]:
    """A migrated database of this module's own; tests of one module use tenants of their own."""
    async with migrated_database(postgres_server, database_template) as made:
        yield made


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    """The module's database through the product's own door."""
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: databases.Database) -> TenantId:
    """A tenant of this test's own, with nothing but its secret."""
    return await make_tenant(database)


@pytest.fixture
async def own_database(
    postgres_server: PostgresAddress, database_template: str
) -> AsyncIterator[databases.Database]:
    """A migrated database for one test that changes what all tenants share."""
    async with migrated_database(postgres_server, database_template) as made:
        yield made


@pytest.fixture
async def unmigrated_database(
    postgres_server: PostgresAddress,
) -> AsyncIterator[databases.Database]:
    """Roles and schemas only, for tests of the migrations themselves."""
    async with empty_database(postgres_server) as made:
        yield made
