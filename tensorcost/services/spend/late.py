"""Usage that comes after its days were held against the bill: asked for soon, and together.

The months are due from the moment the rows are committed, so where nobody can be asked the next
sync does it.
"""

from datetime import date, datetime, timedelta
from typing import Final

import structlog

from tensorcost.activities.reconciliation.ask import Reconciling
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.errors import Unavailable
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.ids import TenantId
from tensorcost.storage.reconciliation.due import is_reconciled
from tensorcost.storage.session import Database

log = structlog.get_logger(__name__)
PATIENCE: Final = timedelta(minutes=1)
"""How long the reconciliation waits for more, and the least time between two of its looks."""
ACTOR: Final = system_actor("late-usage")


class LateUsage:
    """Asks twice in a tenant's ``patience`` at most, however many requests bring late usage."""

    def __init__(
        self,
        db: Database,
        reconciling: Reconciling,
        clock: Clock,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._db = db
        self._reconciling = reconciling
        self._clock = clock
        self._patience = patience
        # Less than the patience: a look follows whatever came while nobody asked.
        self._pause = patience / 2
        self._asked: dict[TenantId, datetime] = {}

    async def came(self, tenant_id: TenantId, first_day: date, last_day: date) -> None:
        """Rows of these days were committed: ask where one of the days may be reconciled."""
        now = self._clock()
        asked = {one: at for one, at in self._asked.items() if now - at < self._pause}
        self._asked = asked
        if tenant_id in asked:
            return
        async with self._db.tenant(tenant_id) as tx:
            if not await is_reconciled(tx, first_day, last_day):
                return
        asked[tenant_id] = now
        wish = ReconcileRequest(tenant_id=tenant_id, requested_by=ACTOR, patience=self._patience)
        try:
            await self._reconciling.ask(wish)
        except Unavailable as error:
            self._asked.pop(tenant_id, None)
            log.warning("reconciliation.not_asked", tenant_id=str(tenant_id), exc_info=error)
