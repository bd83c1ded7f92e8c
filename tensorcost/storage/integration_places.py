"""What is known of a connection's places, so that quiet ones need not be looked at each time."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from tensorcost.domain.integration.places import KnownPlace, Place, PlaceState
from tensorcost.storage.cost_queries.sources import LIVE_DELIVERIES
from tensorcost.storage.session import TenantTx

_SAVE: Final = """
    INSERT INTO app.connection_place AS p (tenant_id, connection_id, account_id, region, state,
        looked_at)
    SELECT :tenant, :connection, n.account_id, n.region, n.state, n.looked_at
    FROM unnest(CAST(:accounts AS text[]), CAST(:regions AS text[]), CAST(:states AS text[]),
        CAST(:times AS timestamptz[])) AS n (account_id, region, state, looked_at)
    ORDER BY n.account_id, n.region
    ON CONFLICT (tenant_id, connection_id, account_id, region) DO UPDATE SET
        state = excluded.state, looked_at = excluded.looked_at
"""
_BILLED: Final = f"""
    SELECT DISTINCT d.usage_account_id AS account_id, d.region
    FROM ai.bill_daily b JOIN ai.dimension d USING (tenant_id, dim_id)
    WHERE b.tenant_id = :tenant AND b.day >= :since AND b.delivery_id IN ({LIVE_DELIVERIES})
        AND b.in_scope AND b.charge_category = 'Usage'
        AND d.usage_account_id <> '' AND d.region <> ''
"""


async def known_places(tx: TenantTx, connection_id: UUID) -> dict[Place, KnownPlace]:
    rows = await tx.all(
        "SELECT account_id, region, state, looked_at FROM app.connection_place "
        "WHERE tenant_id = :tenant AND connection_id = :connection",
        tenant=tx.tenant_id,
        connection=connection_id,
    )
    return {
        (row.account_id, row.region): KnownPlace(
            row.account_id, row.region, PlaceState(row.state), row.looked_at
        )
        for row in rows
    }


async def save_places(tx: TenantTx, connection_id: UUID, places: Sequence[KnownPlace]) -> None:
    """Remember how these places were. Others keep what is known of them."""
    if not places:
        return
    await tx.run(
        _SAVE,
        tenant=tx.tenant_id,
        connection=connection_id,
        accounts=[place.account_id for place in places],
        regions=[place.region for place in places],
        states=[place.state.value for place in places],
        times=[place.looked_at for place in places],
    )


async def billed_places(tx: TenantTx, since: date) -> frozenset[Place]:
    """Accounts and regions whose usage the tenant's current bills name from a day on."""
    rows = await tx.all(_BILLED, tenant=tx.tenant_id, since=since)
    return frozenset((row.account_id, row.region) for row in rows)


async def discovered_at(tx: TenantTx, connection_id: UUID) -> datetime | None:
    """When the connection's accounts and sources were last looked for."""
    found: datetime | None = await tx.scalar(
        "SELECT discovered_at FROM app.connection "
        "WHERE tenant_id = :tenant AND connection_id = :connection",
        tenant=tx.tenant_id,
        connection=connection_id,
    )
    return found


async def mark_discovered(tx: TenantTx, connection_id: UUID, at: datetime) -> None:
    await tx.run(
        "UPDATE app.connection SET discovered_at = GREATEST(discovered_at, :at) "
        "WHERE tenant_id = :tenant AND connection_id = :connection",
        tenant=tx.tenant_id,
        connection=connection_id,
        at=at,
    )
