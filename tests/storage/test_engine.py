"""The pool replaces connections whose server went away, without asking before each use."""

import asyncio

import asyncpg

from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase


async def test_a_connection_that_the_server_ended_is_replaced(database: TestDatabase) -> None:
    engine = make_engine(database.urls.app, application_name="test-ended", pool_size=2)
    db = Database(engine)
    superuser = await asyncpg.connect(database.superuser_url)
    gone = asyncio.Event()
    try:
        async with db.untenanted() as tx:
            before = await tx.scalar("SELECT pg_backend_pid()")
            # The driver hears of it a moment after its server is gone.
            (await tx.driver()).add_termination_listener(lambda _: gone.set())
        assert await superuser.fetchval("SELECT pg_terminate_backend($1, 5000)", before)
        await gone.wait()
        async with db.untenanted() as tx:
            assert await tx.scalar("SELECT pg_backend_pid()") != before
    finally:
        await superuser.close()
        await engine.dispose()
