"""Migration 0050 knows of every source whether a backfill has read it: none is read anew."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.support.connections import ACCOUNT, NOW
from tests.support.databases import Database

TENANT: Final = UUID(int=1)
CONNECTION: Final = UUID(int=2)
READ, PARTLY, LATE = (f"cloudwatch_metrics/{ACCOUNT}/{region}" for region in ("a", "b", "c"))


async def test_sources_that_a_backfill_has_read_are_known_as_such(
    unmigrated_database: Database,
) -> None:
    await upgrade(unmigrated_database.urls.owner, "0020")
    connection = await asyncpg.connect(unmigrated_database.superuser_url)
    try:
        await _history(connection)
        await upgrade(unmigrated_database.urls.owner)
        rows = await connection.fetch(
            "SELECT site_key, backfill_tries, backfilled_at FROM app.connection_site"
        )
        keys = await connection.fetch("SELECT DISTINCT site_key FROM app.sync_step")
        forced = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relforcerowsecurity AND relname IN "
            "('sync_run', 'sync_step', 'connection_site')"
        )
    finally:
        await connection.close()
    assert {row["site_key"]: (row["backfill_tries"], row["backfilled_at"]) for row in rows} == {
        READ: (1, NOW + timedelta(hours=1)),
        PARTLY: (1, None),
        LATE: (0, None),
    }
    assert {row["site_key"] for row in keys} == {READ, PARTLY, ""}
    assert len(forced) == 3


async def _history(connection: Any) -> None:
    """A backfill of two sources that read one of them whole, and a third one found later."""
    validated, backfilled = uuid4(), uuid4()
    await connection.execute(
        "INSERT INTO app.tenant (tenant_id, name, slug, plan) "
        "VALUES ($1, 'T', 'tenant', 'starter')",
        TENANT,
    )
    await connection.execute(
        "INSERT INTO app.connection (tenant_id, connection_id, provider, name, state, account_id) "
        "VALUES ($1, $2, 'bedrock', 'Main', 'connected', $3)",
        TENANT,
        CONNECTION,
        ACCOUNT,
    )
    for run_id, kind in ((validated, "validate"), (backfilled, "backfill")):
        await connection.execute(
            "INSERT INTO app.sync_run (tenant_id, run_id, connection_id, kind, workflow_id, state, "
            "started_at, finished_at) VALUES ($1, $2, $3, $4, 'w/1', 'completed', $5, $6)",
            TENANT,
            run_id,
            CONNECTION,
            kind,
            NOW,
            NOW + timedelta(hours=1),
        )
    for key in (READ, PARTLY, LATE):
        await connection.execute(
            "INSERT INTO app.connection_site (tenant_id, connection_id, site_key, source, "
            "account_id, seen_at) VALUES ($1, $2, $3, 'cloudwatch_metrics', $4, $5)",
            TENANT,
            CONNECTION,
            key,
            ACCOUNT,
            NOW,
        )
    steps = [
        (backfilled, f"{READ}/20261101T0000", "completed", NOW),
        (backfilled, f"{READ}/20261116T0000", "completed", NOW),
        (backfilled, f"{PARTLY}/20261101T0000", "completed", NOW),
        (backfilled, f"{PARTLY}/20261116T0000", "failed", NOW),
        (validated, "sts:AssumeRole", "completed", None),
    ]
    for run_id, key, state, window_start in steps:
        await connection.execute(
            "INSERT INTO app.sync_step (tenant_id, run_id, step_key, source, state, window_start, "
            "started_at) VALUES ($1, $2, $3, 'x', $4, $5, $6)",
            TENANT,
            run_id,
            key,
            state,
            window_start,
            NOW,
        )
