"""Bills that were stored with negations on dimensions of their own."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.storage.test_bills_migration import DELIVERY, DIMENSION, Before
from tests.support.databases import Database

FIFTH = datetime(2026, 10, 5, 13, tzinfo=UTC)
ML, CARE, BARE = 1, 2, 3
LINE = """
    INSERT INTO ai.bill_line (tenant_id, delivery_id, line_no, usage_start, usage_end,
        payer_account_id, usage_account_id, dim_id, line_item_type, charge_category, in_scope,
        product_code, usage_type, operation, resource_id, quantity_micro, unit,
        unblended_nano, amortized_nano, net_nano, currency)
    VALUES ($1, $2, $3, $4, $4, 'payer', '111122223333', $5, $6, 'Usage', true, 'AmazonEC2', $7,
        'RunInstances', '', 24, 'hrs', $8, $9, $10, 'USD')
"""
DAILY = """
    INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, in_scope,
        currency, unit, line_item_type, lines, quantity_micro, unblended_nano, amortized_nano,
        net_nano)
    SELECT tenant_id, delivery_id, usage_start::date, dim_id, charge_category, in_scope, currency,
        unit, line_item_type, count(*), sum(quantity_micro), sum(unblended_nano),
        sum(amortized_nano), sum(coalesce(net_nano, unblended_nano))
    FROM ai.bill_line WHERE tenant_id = $1 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
COVERED, NEGATION = "SavingsPlanCoveredUsage", "SavingsPlanNegation"
PAIRED, NETTED, ALONE = "g6", "g5", "p4"
LINES = [
    (ML, COVERED, PAIRED, 40, 26, None),
    (CARE, COVERED, PAIRED, 11, 7, None),
    (BARE, NEGATION, PAIRED, -51, 0, None),
    (ML, COVERED, NETTED, 100, 60, 55),
    (BARE, NEGATION, NETTED, -100, 0, 0),
    (BARE, NEGATION, ALONE, -9, 0, None),
    (ML, "Usage", PAIRED, 5, 5, None),
]


async def bill(connection: asyncpg.Connection) -> UUID:
    tenant, delivery = await Before(connection).tenant(), uuid4()
    await connection.execute(DELIVERY, tenant, delivery, "daily")
    for dimension in (ML, CARE, BARE):
        await connection.execute(DIMENSION, tenant, dimension)
    for number, (dimension, kind, usage_type, *amounts) in enumerate(LINES, 1):
        await connection.execute(
            LINE, tenant, delivery, number, FIFTH, dimension, kind, usage_type, *amounts
        )
    await connection.execute(DAILY, tenant)
    return tenant


async def test_stored_pairs_cancel_where_they_stand(unmigrated_database: Database) -> None:
    await upgrade(unmigrated_database.urls.owner, "0130-1")
    superuser = await asyncpg.connect(unmigrated_database.superuser_url)
    tenants = [await bill(superuser), await bill(superuser)]
    await upgrade(unmigrated_database.urls.owner, "0130")
    for tenant in tenants:
        rows = await superuser.fetch(
            "SELECT day, dim_id, line_item_type, quantity_micro, unblended_nano, amortized_nano, "
            "net_nano FROM ai.bill_daily WHERE tenant_id = $1 ORDER BY dim_id, line_item_type",
            tenant,
        )
        assert [tuple(row) for row in rows] == [
            (date(2026, 10, 5), ML, COVERED, 48, 0, 86, 55),
            (date(2026, 10, 5), ML, "Usage", 24, 5, 5, 5),
            (date(2026, 10, 5), CARE, COVERED, 24, 0, 7, 0),
            (date(2026, 10, 5), BARE, NEGATION, 0, -9, 0, -9),
        ]
    await superuser.close()
