"""What is known about the places of a tenant's calls, to say why one of them is silent."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.cost.reconciliation.silence import KeptLogs
from tensorcost.domain.cost.reconciliation.surroundings import (
    Calls,
    KnownAccount,
    PlaceFinding,
)
from tensorcost.domain.integration.plan import RETENTION
from tensorcost.domain.integration.states import LOG_SOURCES, Coverage
from tensorcost.domain.spend.facts import Grain, ServiceTier, Source
from tensorcost.storage.cost_queries.sources import LIVE_DELIVERIES
from tensorcost.storage.reconciliation.chosen import chosen_days
from tensorcost.storage.reconciliation.missed import LOGGED_DAYS, LoggedDays, bound
from tensorcost.storage.session import TenantTx

_ACCOUNTS: Final = """
    SELECT a.account_id, max(a.name) AS name, array_agg(DISTINCT a.coverage) AS coverage
    FROM app.connection_account a JOIN app.connection c USING (tenant_id, connection_id)
    WHERE a.tenant_id = :tenant AND c.state <> 'removed'
    GROUP BY a.account_id
"""
_LOGGED_PLACES: Final = """
    SELECT DISTINCT s.account_id, s.region
    FROM app.connection_site s JOIN app.connection c USING (tenant_id, connection_id)
    WHERE s.tenant_id = :tenant AND s.active AND s.source = ANY(:sources)
      AND c.state <> 'removed'
"""
_KEPT_LOGS: Final = """
    SELECT s.account_id, s.region, max(CAST(s.params ->> CAST(:retention AS text) AS int)) AS days,
           min((c.created_at AT TIME ZONE 'UTC')::date) AS connected_on
    FROM app.connection_site s JOIN app.connection c USING (tenant_id, connection_id)
    WHERE s.tenant_id = :tenant AND s.active AND s.source = ANY(:sources)
      AND c.state <> 'removed'
    GROUP BY 1, 2 HAVING bool_and(s.params ? CAST(:retention AS text))
"""
_COUNTED: Final = """
    SELECT d.usage_account_id AS account_id, d.region, s.grain,
           sum(s.requests)::bigint AS requests, min(s.day) AS first_day, max(s.day) AS last_day
    FROM ai.spend_daily s JOIN ai.dimension d USING (tenant_id, dim_id)
    WHERE s.tenant_id = :tenant AND s.day >= :first_day AND s.day < :end_day
      AND d.source = :source
    GROUP BY 1, 2, 3 HAVING sum(s.requests) > 0
"""
_BETWEEN: Final = f"""
    SELECT d.usage_account_id AS account_id, d.region, s.grain,
           sum(s.requests)::bigint AS requests
    FROM {LOGGED_DAYS}
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.usage_account_id = p.account_id
        AND d.region = p.region AND d.source = :source
    JOIN ai.spend_daily s ON s.tenant_id = :tenant AND s.dim_id = d.dim_id
        AND s.day BETWEEN p.first_day AND p.last_day
    GROUP BY 1, 2, 3
"""
_BILLED_ACCOUNTS: Final = f"""
    SELECT DISTINCT d.usage_account_id AS account_id
    FROM ai.bill_daily b JOIN ai.dimension d USING (tenant_id, dim_id)
    WHERE b.tenant_id = :tenant AND b.day >= date_trunc('month', CAST(:first_day AS date))
      AND b.day < :end_day AND b.delivery_id IN ({LIVE_DELIVERIES})
    EXCEPT
    SELECT x.account_id FROM ai.bill_extent x
    WHERE x.tenant_id = :tenant AND x.last_day >= date_trunc('month', CAST(:first_day AS date))
      AND x.delivery_id IN ({LIVE_DELIVERIES})
    GROUP BY x.account_id
    HAVING NOT bool_or(x.first_day < :end_day AND x.last_day >= :first_day)
"""
_BATCH: Final = f"""
    SELECT g.account_id, g.region, sum(g.unblended_nano)::bigint AS nano
    FROM ({chosen_days(None)}) v JOIN ai.reconciled_gap g ON g.tenant_id = :tenant
        AND g.day = v.day AND g.reconciliation_id = v.reconciliation_id
    WHERE g.gap_class = :unlogged AND g.currency = 'USD' AND g.evidence ->> 'bill_tiers' = :batch
    GROUP BY 1, 2
"""
_FINDINGS: Final = """
    SELECT finding_id, code, subject, title, remedy FROM app.finding
    WHERE tenant_id = :tenant AND state = 'open' AND subject <> '' ORDER BY finding_id
"""


async def read_accounts(tx: TenantTx) -> dict[str, KnownAccount]:
    """Every account of a connection that has not been removed, by id."""
    rows = await tx.all(_ACCOUNTS, tenant=tx.tenant_id)
    return {
        row.account_id: KnownAccount(row.name, frozenset(Coverage(one) for one in row.coverage))
        for row in rows
    }


async def read_logged_places(tx: TenantTx) -> set[Place]:
    """The places whose invocation logs a connection reads."""
    sources = [source.value for source in LOG_SOURCES]
    rows = await tx.all(_LOGGED_PLACES, tenant=tx.tenant_id, sources=sources)
    return {(row.account_id, row.region) for row in rows}


async def read_kept_logs(tx: TenantTx) -> dict[Place, KeptLogs]:
    """The places whose logs are all deleted by age, and what was left of them at first."""
    sources = [source.value for source in LOG_SOURCES]
    rows = await tx.all(_KEPT_LOGS, tenant=tx.tenant_id, sources=sources, retention=RETENTION)
    return {
        (row.account_id, row.region): KeptLogs(
            row.days, row.connected_on, row.connected_on - timedelta(days=row.days)
        )
        for row in rows
    }


async def read_calls(
    tx: TenantTx, first_day: date, end_day: date
) -> dict[tuple[Place, Grain], Calls]:
    """Bedrock's requests in the days ``[first_day, end_day)``, by place and grain."""
    rows = await tx.all(
        _COUNTED,
        tenant=tx.tenant_id,
        first_day=first_day,
        end_day=end_day,
        source=Source.BEDROCK.value,
    )
    return {
        ((row.account_id, row.region), Grain(row.grain)): Calls(
            row.requests, row.first_day, row.last_day
        )
        for row in rows
    }


async def read_calls_between(
    tx: TenantTx, places: Sequence[LoggedDays]
) -> dict[tuple[Place, Grain], int]:
    """Bedrock's requests of each place on its days, by grain."""
    rows = await tx.all(_BETWEEN, tenant=tx.tenant_id, source=Source.BEDROCK.value, **bound(places))
    return {((row.account_id, row.region), Grain(row.grain)): row.requests for row in rows}


async def read_billed_accounts(tx: TenantTx, first_day: date, end_day: date) -> set[str]:
    """The accounts that a counted bill of the days' months names, but for those whose AI usage it
    bills on other days alone."""
    rows = await tx.all(_BILLED_ACCOUNTS, tenant=tx.tenant_id, first_day=first_day, end_day=end_day)
    return {row.account_id for row in rows}


async def read_batch_money(tx: TenantTx, first_day: date, end_day: date) -> Mapping[Place, int]:
    """Unblended nano-USD that batch jobs alone left unlogged, by place."""
    rows = await tx.all(
        _BATCH,
        tenant=tx.tenant_id,
        first_day=first_day,
        end_day=end_day,
        unlogged=GapClass.UNLOGGED.value,
        batch=ServiceTier.BATCH.value,
    )
    return {(row.account_id, row.region): row.nano for row in rows}


async def read_place_findings(tx: TenantTx) -> list[PlaceFinding]:
    """Open findings that are about a place, in order of their ids."""
    rows = await tx.all(_FINDINGS, tenant=tx.tenant_id)
    return [PlaceFinding(**row._mapping) for row in rows]
