"""One GraphQL world a module; a test makes tenants of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.graphql.world import GraphqlWorld, open_graphql
from tests.support.databases import Database


@pytest.fixture(autouse=True, scope="package")
def plain_tracebacks() -> Iterator[None]:
    """The pretty ones print every local, a whole schema among them, for seconds."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
async def face(database: Database) -> AsyncIterator[GraphqlWorld]:
    async with open_graphql(database) as opened:
        yield opened
