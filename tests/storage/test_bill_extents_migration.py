"""Bills that were stored before it was kept on which days they speak for an account."""

from datetime import UTC, date, datetime

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.storage.test_bills_migration import Before
from tests.support.databases import Database

VERSION = """
    WITH made AS (
        INSERT INTO ai.reconciliation (tenant_id, reconciliation_id, period, version, closed_until,
            deliveries, requested_by, days, days_changed)
        VALUES ($1, gen_random_uuid(), $2, 1, $2, '{}', 'test', 0, 0) RETURNING *
    )
    INSERT INTO ai.reconciled_account SELECT tenant_id, reconciliation_id, 'bedrock', '1' FROM made
"""


async def test_stored_bills_speak_from_their_first_day_to_the_end_of_their_last_line(
    unmigrated_database: Database,
) -> None:
    await upgrade(unmigrated_database.urls.owner, "0180-1")
    superuser = await asyncpg.connect(unmigrated_database.superuser_url)
    before = Before(superuser)
    tenants = [await before.tenant(), await before.tenant()]
    for tenant in tenants:
        await before.bill(tenant, "daily", "payer", 1, 2)
        await superuser.execute(VERSION, tenant, date(2026, 10, 1))
    await superuser.execute(
        "UPDATE ai.bill_line SET usage_end = $1 WHERE dim_id = 2 AND token_kind = 'output'",
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    await upgrade(unmigrated_database.urls.owner, "0180")
    for tenant in tenants:
        rows = await superuser.fetch(
            "SELECT account_id, currency, first_day, last_day FROM ai.bill_extent "
            "WHERE tenant_id = $1 ORDER BY 1",
            tenant,
        )
        assert [tuple(row) for row in rows] == [
            ("1", "USD", date(2026, 10, 1), date(2026, 10, 5)),
            ("2", "USD", date(2026, 10, 1), date(2026, 10, 31)),
        ]
        answers = await superuser.fetchval(
            "SELECT bool_and(d BETWEEN first_day AND last_day) FROM ai.reconciled_account, "
            "unnest('{1999-01-01, 2099-12-31}'::date[]) d WHERE tenant_id = $1",
            tenant,
        )
        assert answers is True, "versions from before answer for every day"
    unforced = await superuser.fetchval(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'ai'::regnamespace AND relname IN "
        "('bill_extent', 'bill_line', 'bill_delivery', 'dimension') AND NOT relforcerowsecurity"
    )
    assert unforced == 0
    await superuser.close()
