"""What a bill itself calls its lines: too much for the daily rollup, and seldom asked."""

from collections import defaultdict
from collections.abc import Collection
from typing import Final
from uuid import UUID

from tensorcost.storage.session import TenantTx

_USAGE_TYPES: Final = """
    SELECT DISTINCT dim_id, usage_type FROM ai.bill_line
    WHERE tenant_id = :tenant AND delivery_id = ANY(:deliveries) AND dim_id = ANY(:dimensions)
      AND usage_type <> ''
    ORDER BY dim_id, usage_type
"""


class UsageTypes:
    """Usage types of the lines of some deliveries, by dimension; each is looked up once.

    A look-up reads every line: ask for the dimensions that matter, and for all of them at once.
    """

    def __init__(self, tx: TenantTx, deliveries: Collection[UUID]) -> None:
        self._tx = tx
        self._deliveries = list(deliveries)
        self._known: dict[int, list[str]] = {}

    async def of(self, dimensions: Collection[int]) -> dict[int, list[str]]:
        """By dimension; empty where the lines name none."""
        if missing := sorted(set(dimensions) - self._known.keys()):
            found: dict[int, list[str]] = defaultdict(list)
            for row in await self._tx.all(
                _USAGE_TYPES,
                tenant=self._tx.tenant_id,
                deliveries=self._deliveries,
                dimensions=missing,
            ):
                found[row.dim_id].append(row.usage_type)
            self._known.update({dim_id: found[dim_id] for dim_id in missing})
        return {dim_id: self._known[dim_id] for dim_id in dimensions}
