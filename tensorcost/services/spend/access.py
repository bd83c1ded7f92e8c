"""Reads that leave a trace in the ledger (decisions 21)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.ids import TenantId
from tensorcost.storage.audit import record
from tensorcost.storage.session import Database, TenantTx

AGGREGATE: Final = "data.aggregate_read"
LISTING: Final = "data.listing_read"


class AuditedReads:
    """Opens the caller's transaction and records who read what, in the same transaction.

    Listings of single rows are recorded each time, sums once per (principal, use case,
    minute) and process: a dashboard that polls would fill the ledger otherwise.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._minute = -1
        self._recorded: set[tuple[TenantId, str, str]] = set()

    @asynccontextmanager
    async def sums(self, principal: Principal, use_case: str) -> AsyncIterator[TenantTx]:
        """A transaction that reads sums."""
        seen = (principal.tenant_id, principal.subject, use_case)
        due = self._is_due(seen)
        try:
            async with self._db.tenant(principal.tenant_id) as tx:
                yield tx
                if due:
                    await _record(tx, principal, AGGREGATE, use_case, {})
        except BaseException:
            if due:
                self._recorded.discard(seen)
            raise

    @asynccontextmanager
    async def rows(
        self, principal: Principal, use_case: str, detail: Mapping[str, Any]
    ) -> AsyncIterator[TenantTx]:
        """A transaction that reads single rows; ``detail`` says which were asked for."""
        async with self._db.tenant(principal.tenant_id) as tx:
            yield tx
            await _record(tx, principal, LISTING, use_case, detail)

    def _is_due(self, seen: tuple[TenantId, str, str]) -> bool:
        minute = int(self._clock().timestamp() // 60)
        if minute != self._minute:
            self._minute = minute
            self._recorded.clear()
        if seen in self._recorded:
            return False
        self._recorded.add(seen)
        return True


async def _record(
    tx: TenantTx, principal: Principal, action: str, use_case: str, detail: Mapping[str, Any]
) -> None:
    await record(
        tx,
        actor=f"{principal.kind.value}:{principal.subject}",
        action=action,
        resource_type=use_case,
        detail=detail,
    )
