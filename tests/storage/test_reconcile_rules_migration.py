"""What was stored before versions named their rules, and before a bill could count again."""

from datetime import UTC, date, datetime

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.storage.test_bills_migration import Before
from tests.support.databases import Database

SINCE = datetime(2026, 10, 20, tzinfo=UTC)
DAILY = """
    INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, in_scope,
        currency, unit, line_item_type, lines, quantity_micro, unblended_nano, amortized_nano,
        net_nano)
    SELECT DISTINCT tenant_id, delivery_id, usage_start::date, dim_id, 'Usage', true, 'USD',
        'tokens', 'Usage', 1, 1, 1, 1, 1
    FROM ai.bill_line WHERE tenant_id = $1
"""
VERSION = """
    INSERT INTO ai.reconciliation (tenant_id, reconciliation_id, period, version, closed_until,
        deliveries, requested_by, days, days_changed)
    VALUES ($1, gen_random_uuid(), $2, 1, $2, '{}', 'test', 0, 0)
"""
UNCOUNT = "UPDATE ai.bill_delivery SET uncounted_at = $1 WHERE export_name = 'daily'"
BILLS = """
    SELECT p.export_name, p.billed_accounts, v.has_net, v.uncounted @> $2::timestamptz AS before,
        v.uncounted @> $3::timestamptz AS since
    FROM ai.bill_period p
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    WHERE p.tenant_id = $1 ORDER BY 1
"""


async def test_bills_keep_when_they_did_not_count_and_versions_are_of_unknown_rules(
    unmigrated_database: Database,
) -> None:
    await upgrade(unmigrated_database.urls.owner, "0170-1")
    superuser = await asyncpg.connect(unmigrated_database.superuser_url)
    before = Before(superuser)
    tenants = [await before.tenant(), await before.tenant()]
    for tenant in tenants:
        await before.bill(tenant, "daily", "payer", 1)
        await before.bill(tenant, "organisation", "payer", 2, 1)
        await superuser.execute(DAILY, tenant)
        await superuser.execute(VERSION, tenant, date(2026, 10, 1))
    await superuser.execute(UNCOUNT, SINCE)
    await upgrade(unmigrated_database.urls.owner, "0170")
    earlier = SINCE.replace(day=19)
    for tenant in tenants:
        rows = await superuser.fetch(BILLS, tenant, earlier, SINCE)
        assert [tuple(row) for row in rows] == [
            ("daily", ["payer\x1f1"], False, False, True),
            ("organisation", ["payer\x1f1", "payer\x1f2"], False, False, False),
        ]
        made = await superuser.fetchrow(
            "SELECT rules, causes FROM ai.reconciliation WHERE tenant_id = $1", tenant
        )
        assert made is not None
        assert tuple(made) == ("", [])
    unforced = await superuser.fetchval(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'ai'::regnamespace "
        "AND relname IN ('bill_period', 'bill_delivery', 'bill_line') "
        "AND NOT relforcerowsecurity"
    )
    assert unforced == 0
    await superuser.close()
