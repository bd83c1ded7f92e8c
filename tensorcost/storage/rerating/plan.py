"""Which prices the stored rows were not held against yet, and which rows those prices touch."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Dimension
from tensorcost.storage.reconciliation.due import LATE
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.dimensions import PRICED_BY, priced_dimension

_VISIBLE: Final = """
    SELECT version_id, imported_by, imported_at FROM ai.price_version
    UNION ALL
    SELECT version_id, imported_by, imported_at FROM ai.price_override_version
    WHERE tenant_id = :tenant
"""
_UNDECIDED: Final = f"""
    SELECT v.version_id FROM ({_VISIBLE}) v
    WHERE NOT EXISTS (
        SELECT FROM ai.rated_version r WHERE r.tenant_id = :tenant AND r.version_id = v.version_id
          AND (r.settled OR v.imported_at > clock_timestamp() - {LATE})
    )
    ORDER BY v.version_id
"""
_SETTLE: Final = f"""
    INSERT INTO ai.rated_version (tenant_id, version_id, settled)
    SELECT :tenant, v.version_id,
        CAST(:final AS boolean) OR v.imported_at < CAST(:looked_at AS timestamptz) - {LATE}
    FROM ({_VISIBLE}) v WHERE v.version_id = ANY(CAST(:versions AS int[]))
    ON CONFLICT (tenant_id, version_id)
        DO UPDATE SET settled = rated_version.settled OR excluded.settled
"""
_SETTLE_OLDER: Final = f"""
    INSERT INTO ai.rated_version (tenant_id, version_id, settled)
    SELECT :tenant, v.version_id, true FROM ({_VISIBLE}) v
    WHERE v.imported_at < (
        SELECT min(known_at) FROM ai.ingest_batch WHERE tenant_id = :tenant
    ) - interval '1 minute'
    ON CONFLICT DO NOTHING
"""
_DIMENSIONS: Final = f"SELECT dim_id, {', '.join(PRICED_BY)} FROM ai.dimension WHERE tenant_id = $1"
_DAYS: Final = """
    SELECT day, array_agg(DISTINCT dim_id) AS dims FROM ai.spend_daily
    WHERE tenant_id = $1 AND dim_id = ANY($2::bigint[]) GROUP BY day ORDER BY day
"""
_REPLACED_DAYS: Final = """
    SELECT day, array_agg(DISTINCT batch_id) AS batches FROM ai.rerating_day
    WHERE tenant_id = $1 AND rerating_id = $2 AND rows > 0 GROUP BY day ORDER BY day
"""


async def tenants_to_rerate(db: Database) -> Sequence[TenantId]:
    """Tenants with spend and with a price version that is not decided yet."""
    async with db.untenanted() as tx:
        rows = await tx.all("SELECT t AS tenant_id FROM ai.tenants_to_rerate() t")
    return [TenantId(row.tenant_id) for row in rows]


async def database_time(tx: TenantTx) -> datetime:
    """Now, by the clock that says when prices were imported."""
    found: datetime = await tx.scalar("SELECT clock_timestamp()")
    return found


async def read_undecided(tx: TenantTx) -> list[int]:
    """Price versions that the stored rows were not held against yet, the oldest first."""
    rows = await tx.all(_UNDECIDED, tenant=tx.tenant_id)
    return [row.version_id for row in rows]


async def read_importers(tx: TenantTx, versions: Collection[int]) -> set[str]:
    """Who imported these versions, as far as that is known."""
    rows = await tx.all(
        f"SELECT imported_by FROM ({_VISIBLE}) v WHERE v.imported_by <> '' "
        "AND v.version_id = ANY(CAST(:versions AS int[]))",
        tenant=tx.tenant_id,
        versions=sorted(versions),
    )
    return {row.imported_by for row in rows}


async def settle_older_versions(tx: TenantTx) -> int:
    """Mark the versions from before the tenant's first row as decided: every row was priced with
    them at hand. How many those were."""
    return await tx.run(_SETTLE_OLDER, tenant=tx.tenant_id)


async def settle_versions(
    tx: TenantTx, versions: Collection[int], looked_at: datetime, *, final: bool
) -> None:
    """Mark versions as decided, as of a look at the rows at ``looked_at``.

    Unless it is ``final``, what was imported within the hour before is looked at once more: a
    load under way may since have brought rows at the former prices.
    """
    await tx.run(
        _SETTLE,
        tenant=tx.tenant_id,
        versions=sorted(versions),
        looked_at=looked_at,
        final=final,
    )


async def read_dimensions(tx: TenantTx) -> dict[int, Dimension]:
    """Every stored dimension by id, with what its price depends on and nothing else."""
    driver = await tx.driver()
    rows = await driver.fetch(_DIMENSIONS, tx.tenant_id)
    return {row["dim_id"]: priced_dimension(row) for row in rows}


async def read_days(tx: TenantTx, dim_ids: Collection[int]) -> dict[date, list[int]]:
    """The days on which one of the dimensions was used, in order, and which of them."""
    driver = await tx.driver()
    rows = await driver.fetch(_DAYS, tx.tenant_id, sorted(dim_ids))
    return {row["day"]: row["dims"] for row in rows}


async def read_replaced_days(tx: TenantTx, rerating_id: UUID) -> dict[date, list[int]]:
    """The days that a re-rating changed, in order, and the batches under which it did."""
    driver = await tx.driver()
    rows = await driver.fetch(_REPLACED_DAYS, tx.tenant_id, rerating_id)
    return {row["day"]: row["batches"] for row in rows}
