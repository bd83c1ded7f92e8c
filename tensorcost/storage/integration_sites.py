"""Where a connection is read: its sites, their watermarks, and what Bedrock resolved for it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row

from tensorcost.domain.integration.plan import RETENTION, Site
from tensorcost.domain.integration.progress_records import StoredProfile
from tensorcost.domain.integration.states import SourceKind
from tensorcost.storage.session import TenantTx

SITE_COLUMNS: Final = "source, account_id, region, params::text AS params"

# What is read from another place than before has a past of its own; how long the place keeps
# its past does not make it another one.
_SAME = f"s.params - '{RETENTION}' = excluded.params - '{RETENTION}'"
_SAVE_SITE = f"""
    INSERT INTO app.connection_site AS s (tenant_id, connection_id, site_key, source, account_id,
        region, params, active, seen_at)
    VALUES (:tenant, :connection, :key, :source, :account, :region, CAST(:params AS jsonb),
        true, :at)
    ON CONFLICT (tenant_id, connection_id, site_key) DO UPDATE SET
        params = excluded.params, active = true, seen_at = excluded.seen_at,
        backfill_run = CASE WHEN {_SAME} THEN s.backfill_run END,
        backfilled_at = CASE WHEN {_SAME} THEN s.backfilled_at END,
        backfill_tries = CASE WHEN {_SAME} THEN s.backfill_tries ELSE 0 END
"""
_RETIRE = """
    UPDATE app.connection_site SET active = false
    WHERE tenant_id = :tenant AND connection_id = :connection AND active
        AND site_key <> ALL(:keys)
"""
_WATERMARK = """
    INSERT INTO app.source_cursor AS c (tenant_id, connection_id, cursor_key, position, updated_at)
    SELECT :tenant, :connection, key, position, :now
    FROM unnest(CAST(:keys AS text[]), CAST(:positions AS text[])) AS w (key, position)
    ORDER BY key
    ON CONFLICT (tenant_id, connection_id, cursor_key) DO UPDATE SET
        position = GREATEST(c.position, excluded.position), updated_at = excluded.updated_at
"""
_SAVE_PROFILE = """
    INSERT INTO app.inference_profile (tenant_id, connection_id, arn, account_id, region, name,
        model_id, routing_scope, service_tier, tags, seen_at)
    VALUES (:tenant, :connection, :arn, :account, :region, :name, :model, :scope, :tier,
        CAST(:tags AS jsonb), :at)
    ON CONFLICT (tenant_id, connection_id, arn) DO UPDATE SET name = excluded.name,
        model_id = excluded.model_id, routing_scope = excluded.routing_scope,
        service_tier = excluded.service_tier, tags = excluded.tags, seen_at = excluded.seen_at
"""


async def replace_sites(
    tx: TenantTx, connection_id: UUID, sites: Sequence[Site], now: datetime
) -> None:
    """Make ``sites`` the active ones; others are kept, inactive, for their history."""
    await tx.run_many(
        _SAVE_SITE,
        [
            {
                "tenant": tx.tenant_id,
                "connection": connection_id,
                "key": site.key,
                "source": site.source.value,
                "account": site.account_id,
                "region": site.region,
                "params": orjson.dumps(dict(site.params)).decode(),
                "at": now,
            }
            for site in sorted(sites, key=lambda site: site.key)
        ],
    )
    await tx.run(
        _RETIRE, tenant=tx.tenant_id, connection=connection_id, keys=[site.key for site in sites]
    )


async def active_sites(tx: TenantTx, connection_id: UUID) -> list[Site]:
    rows = await tx.all(
        f"SELECT {SITE_COLUMNS} FROM app.connection_site "
        "WHERE tenant_id = :tenant AND connection_id = :connection AND active ORDER BY site_key",
        tenant=tx.tenant_id,
        connection=connection_id,
    )
    return [site_of(row) for row in rows]


async def advance_watermarks(
    tx: TenantTx, connection_id: UUID, reached: Mapping[str, datetime], now: datetime
) -> None:
    """Everything of each site before its moment is committed. A watermark never moves
    backwards."""
    moments = [to.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for to in reached.values()]
    await tx.run(
        _WATERMARK,
        tenant=tx.tenant_id,
        connection=connection_id,
        keys=list(reached),
        positions=moments,
        now=now,
    )


async def watermarks(tx: TenantTx, connection_id: UUID) -> dict[str, datetime]:
    """Site key to watermark, for every site that has one."""
    rows = await tx.all(
        "SELECT cursor_key, position FROM app.source_cursor "
        "WHERE tenant_id = :tenant AND connection_id = :connection",
        tenant=tx.tenant_id,
        connection=connection_id,
    )
    return {row.cursor_key: datetime.fromisoformat(row.position) for row in rows}


async def save_profiles(
    tx: TenantTx, connection_id: UUID, profiles: Iterable[StoredProfile], now: datetime
) -> None:
    await tx.run_many(
        _SAVE_PROFILE,
        [
            {
                "tenant": tx.tenant_id,
                "connection": connection_id,
                "arn": profile.arn,
                "account": profile.account_id,
                "region": profile.region,
                "name": profile.name,
                "model": profile.model_id,
                "scope": profile.routing_scope,
                "tier": profile.service_tier,
                "tags": orjson.dumps(dict(profile.tags)).decode(),
                "at": now,
            }
            for profile in profiles
        ],
    )


async def list_profiles(
    tx: TenantTx, connection_id: UUID, accounts: Sequence[str] | None = None
) -> list[StoredProfile]:
    """Inference profiles and provisioned throughput that the connection resolved: all of them, or
    those of some accounts."""
    rows = await tx.all(
        "SELECT arn, account_id, region, name, model_id, routing_scope, service_tier, "
        "tags::text AS tags FROM app.inference_profile "
        "WHERE tenant_id = :tenant AND connection_id = :connection "
        "AND (CAST(:accounts AS text[]) IS NULL OR account_id = ANY(:accounts)) ORDER BY arn",
        tenant=tx.tenant_id,
        connection=connection_id,
        accounts=None if accounts is None else list(accounts),
    )
    return [_profile(row) for row in rows]


def site_of(row: Row[Any]) -> Site:
    return Site(SourceKind(row.source), row.account_id, row.region, orjson.loads(row.params))


def _profile(row: Row[Any]) -> StoredProfile:
    return StoredProfile(
        arn=row.arn,
        account_id=row.account_id,
        region=row.region,
        name=row.name,
        model_id=row.model_id,
        routing_scope=row.routing_scope,
        service_tier=row.service_tier,
        tags=tuple(sorted(orjson.loads(row.tags).items())),
    )
