"""Prices written as an import writes them."""

import secrets
from datetime import datetime

import asyncpg

from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database
from tests.support import databases

KEY = "'bedrock', '{region}', 'in_region', 'standard', 'text', 'base'"


async def add_list_price(
    database: databases.Database,
    model: str,
    usd: str,
    since: datetime,
    *,
    kinds: tuple[str, ...] = ("input", "output"),
    region: str = "*",
    until: datetime | None = None,
    source: str = "test-list",
) -> int:
    """A version of the global list with one price a kind. Returns the version."""
    connection = await asyncpg.connect(database.urls.platform)
    try:
        version: int = await connection.fetchval(
            "INSERT INTO ai.price_version (source, content_hash, effective_from) "
            "VALUES ($1, $2, $3) RETURNING version_id",
            source,
            secrets.token_bytes(16),
            since,
        )
        await connection.execute(
            "INSERT INTO ai.price (version_id, model_id, unit_kind, usd_per_million, valid_from, "
            "valid_to, source, provider, region, routing_scope, service_tier, modality, "
            "context_bucket) SELECT $1, $2, kind, $3::text::numeric, $4, $5, $6, "
            f"{KEY.format(region=region)} FROM unnest($7::text[]) kind",
            version,
            model,
            usd,
            since,
            until,
            source,
            list(kinds),
        )
    finally:
        await connection.close()
    return version


async def add_override(
    db: Database,
    tenant: TenantId,
    model: str,
    usd: str,
    since: datetime,
    *,
    kinds: tuple[str, ...] = ("input", "output"),
    region: str = "*",
    imported_by: str = "",
) -> int:
    """A version of a tenant's own prices. Returns the version."""
    async with db.tenant(tenant) as tx:
        version: int = await tx.scalar(
            "INSERT INTO ai.price_override_version (tenant_id, source, content_hash, "
            "effective_from, imported_by) VALUES (:tenant, 'contract', :hash, :since, :by) "
            "RETURNING version_id",
            tenant=tenant,
            hash=secrets.token_bytes(16),
            since=since,
            by=imported_by,
        )
        await tx.run(
            "INSERT INTO ai.price_override (tenant_id, version_id, model_id, unit_kind, "
            "usd_per_million, valid_from, source, provider, region, routing_scope, service_tier, "
            "modality, context_bucket) SELECT :tenant, :version, :model, kind, "
            f"CAST(CAST(:usd AS text) AS numeric), :since, 'contract', {KEY.format(region=region)} "
            "FROM unnest(CAST(:kinds AS text[])) kind",
            tenant=tenant,
            version=version,
            model=model,
            usd=usd,
            since=since,
            kinds=list(kinds),
        )
    return version
