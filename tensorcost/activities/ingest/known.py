"""Dimensions and actors that are certainly stored, so that a load need not ask again."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Dimension
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.dimensions import ensure_actors, ensure_dimensions

Known = Dimension | Actor
_MAX_KNOWN: Final = 200_000


class KnownDimensions:
    """Bounded memory of committed values; a value counts only after its load committed."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[TenantId, Known], None] = OrderedDict()

    async def ensure(
        self, tx: TenantTx, dimensions: Sequence[Dimension], actors: Sequence[Actor]
    ) -> set[Known]:
        """Store what is not known yet; returns it for ``remember`` once ``tx`` has committed."""
        new_dimensions = [d for d in dimensions if (tx.tenant_id, d) not in self._known]
        new_actors = [a for a in actors if (tx.tenant_id, a) not in self._known]
        await ensure_dimensions(tx, new_dimensions)
        await ensure_actors(tx, new_actors)
        return {*new_dimensions, *new_actors}

    def remember(self, tenant_id: TenantId, values: set[Known]) -> None:
        """Skip ``values`` from now on."""
        for value in values:
            self._known[(tenant_id, value)] = None
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
