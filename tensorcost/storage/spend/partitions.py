"""Daily partitions of spend events, made ahead by the owner's function."""

from collections.abc import Iterable
from datetime import date, timedelta

from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database

AHEAD = timedelta(days=35)


async def ensure_partitions(db: Database, tenant_id: TenantId, days: Iterable[date]) -> int:
    """Make the missing partitions in a transaction of their own; how many were made.

    Apart from the load, so that the short lock of attaching is never held while loading.
    """
    wanted = sorted(set(days))
    if not wanted:
        return 0
    async with db.tenant(tenant_id) as tx:
        made: int = await tx.scalar(
            "SELECT count(*) FILTER (WHERE ai.ensure_spend_partition(day)) "
            "FROM unnest(CAST(:days AS date[])) AS day",
            days=wanted,
        )
    return made


async def partitions_ahead(db: Database, today: date) -> int:
    """Make the partitions from ``today`` to ``AHEAD`` later."""
    made = 0
    for offset in range(AHEAD.days + 1):
        async with db.untenanted() as tx:
            made += bool(
                await tx.scalar(
                    "SELECT ai.ensure_spend_partition(:day)", day=today + timedelta(days=offset)
                )
            )
    return made
