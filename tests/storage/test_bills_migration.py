"""Bills that were stored before token kinds and counted exports were."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.support.databases import Database

TIMES = [datetime(2026, month, day, 13, tzinfo=UTC) for month, day in ((10, 5), (10, 5), (9, 28))]
LINES = """
    INSERT INTO ai.bill_line (tenant_id, delivery_id, line_no, usage_start, usage_end,
        payer_account_id, usage_account_id, dim_id, line_item_type, charge_category, in_scope,
        product_code, usage_type, operation, resource_id, token_kind, quantity_micro, unit,
        unblended_nano, amortized_nano, net_nano, currency)
    SELECT $1, $2, 10 * $4::bigint + n, start, start, $3, $4::bigint::text, $4, 'Usage', 'Usage',
        true, '', '', '', '', kind, 7, 'tokens', 100, 90, net, 'USD'
    FROM unnest($5::timestamptz[], $6::text[], $7::bigint[]) WITH ORDINALITY
        AS v (start, kind, net, n)
"""
DELIVERY = """
    INSERT INTO ai.bill_delivery (tenant_id, delivery_id, origin, export_name, period,
        manifest_key, manifest_etag, state)
    VALUES ($1, $2, 'c', $3, DATE '2026-10-01', 'm', 'v1', 'current')
"""
PERIOD = """
    INSERT INTO ai.bill_period (tenant_id, origin, export_name, period, current_delivery_id)
    VALUES ($1, 'c', $3, DATE '2026-10-01', $2)
"""
DIMENSION = """
    INSERT INTO ai.dimension SELECT d.* FROM jsonb_populate_record(NULL::ai.dimension, (
        SELECT jsonb_object_agg(column_name, '') FROM information_schema.columns
        WHERE table_schema = 'ai' AND table_name = 'dimension' AND data_type = 'text'
    ) || jsonb_build_object('tenant_id', $1::uuid, 'dim_id', $2::bigint, 'cell_id', $2::bigint,
        'usage_account_id', $2::bigint::text, 'tags', '{}'::jsonb)) d
    ON CONFLICT DO NOTHING
"""


class Before:
    """Writes bills as releases before this one kept them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def tenant(self) -> UUID:
        tenant = uuid4()
        await self._connection.execute(
            "INSERT INTO app.tenant (tenant_id, slug, name, plan) "
            "VALUES ($1, $2, 'Test', 'growth')",
            tenant,
            f"t-{tenant}",
        )
        return tenant

    async def bill(self, tenant: UUID, export: str, payer: str, *accounts: int) -> None:
        """Three lines an account; the account's number is its dimension too."""
        delivery = uuid4()
        await self._connection.execute(DELIVERY, tenant, delivery, export)
        for account in accounts:
            await self._connection.execute(DIMENSION, tenant, account)
            kinds, net = ["input", "output", None], [80, None, None]
            await self._connection.execute(
                LINES, tenant, delivery, payer, account, TIMES, kinds, net
            )
        await self._connection.execute(PERIOD, tenant, delivery, export)


async def test_stored_bills_get_token_kinds_and_one_counted_export_a_payer(
    unmigrated_database: Database,
) -> None:
    await upgrade(unmigrated_database.urls.owner, "0060-1")
    superuser = await asyncpg.connect(unmigrated_database.superuser_url)
    before = Before(superuser)
    first, second = await before.tenant(), await before.tenant()
    for tenant in (first, second):
        await before.bill(tenant, "daily", "payer", 1)
        await before.bill(tenant, "organisation", "payer", 1, 2)
        await before.bill(tenant, "another member", "payer", 3)
        await before.bill(tenant, "another payer", "other", 1)
    await upgrade(unmigrated_database.urls.owner, "0060")

    daily = await superuser.fetch(
        "SELECT b.day::text, b.token_kind, b.unit, b.lines, b.quantity_micro, b.unblended_nano, "
        "b.net_nano FROM ai.bill_daily b JOIN ai.bill_delivery v USING (tenant_id, delivery_id) "
        "WHERE b.tenant_id = $1 AND v.export_name = 'daily' ORDER BY 1, 2",
        first,
    )
    assert [tuple(row) for row in daily] == [
        ("2026-10-01", "", "tokens", 1, 7, 100, 100),
        ("2026-10-05", "input", "tokens", 1, 7, 100, 80),
        ("2026-10-05", "output", "tokens", 1, 7, 100, 100),
    ]
    for tenant in (first, second):
        counted = await superuser.fetch(
            "SELECT p.export_name, p.payer_account_id, p.counted, v.uncounted_at IS NULL "
            "FROM ai.bill_period p JOIN ai.bill_delivery v ON v.tenant_id = p.tenant_id "
            "AND v.delivery_id = p.current_delivery_id WHERE p.tenant_id = $1 ORDER BY 1",
            tenant,
        )
        assert [tuple(row) for row in counted] == [
            ("another member", "payer", True, True),
            ("another payer", "other", True, True),
            ("daily", "payer", False, False),
            ("organisation", "payer", True, True),
        ]
    unforced = await superuser.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'ai'::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relforcerowsecurity "
        "AND relname NOT IN ('price', 'price_version')"
    )
    assert unforced == []
    await superuser.close()
