"""The caller's transaction, with its entry in the ledger written last (decisions 21)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.principal import Principal
from tensorcost.services.audit import AccessLog
from tensorcost.storage.session import Database, TenantTx


class AuditedReads:
    """A read that fails leaves no entry: nothing was shown."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._access = AccessLog(clock)

    @asynccontextmanager
    async def sums(self, principal: Principal, resource: str) -> AsyncIterator[TenantTx]:
        """A transaction that reads sums; recorded once a minute, caller and resource."""
        async with self._db.tenant(principal.tenant_id) as tx:
            yield tx
            await self._access.aggregate(tx, principal, resource)

    @asynccontextmanager
    async def rows(
        self, principal: Principal, resource: str, detail: Mapping[str, Any]
    ) -> AsyncIterator[TenantTx]:
        """A transaction that reads single rows; ``detail`` says which were asked for."""
        async with self._db.tenant(principal.tenant_id) as tx:
            yield tx
            await self._access.raw(tx, principal, resource, dict(detail))
