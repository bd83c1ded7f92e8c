"""Reading the ledger, sealing it, proving that nobody touched it, and logging data access."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from tensorcost.domain.audit.chain import GENESIS, ChainCheck, ChainHead, Entry, Finding, seal
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.authorise import requires
from tensorcost.storage import audit
from tensorcost.storage.audit import AuditFilter
from tensorcost.storage.session import Database, TenantTx

log = structlog.get_logger(__name__)

SEAL_LOOKBACK: Final = timedelta(hours=1)
"""How far back a routine pass looks for unsealed entries; a pass at start looks at all."""
_BATCH: Final = 500
_VERIFY_PAGE: Final = 2_000
_SEAL_GRACE: Final = timedelta(minutes=5)
_MAX_NOTED: Final = 50_000


@dataclass(slots=True)
class AccessLog:
    """Data access in the audit trail (decisions 21): every raw listing, export and admin read;
    aggregates once a minute for each principal and resource."""

    clock: Clock
    _noted: OrderedDict[tuple[TenantId, str, str], datetime] = field(default_factory=OrderedDict)

    async def raw(
        self, tx: TenantTx, principal: Principal, resource: str, detail: dict[str, Any]
    ) -> None:
        """Note a listing of raw rows, an export or an admin read, in the reading transaction."""
        await self._record(tx, principal, resource, {"grain": "raw", **detail})

    async def aggregate(self, tx: TenantTx, principal: Principal, resource: str) -> None:
        """Note a read of sums, unless this principal's minute holds one of ``resource``."""
        minute = self.clock().replace(second=0, microsecond=0)
        key = (principal.tenant_id, principal.subject, resource)
        if self._noted.get(key) == minute:
            return
        await self._record(tx, principal, resource, {"grain": "aggregate"})
        self._noted[key] = minute
        self._noted.move_to_end(key)
        while len(self._noted) > _MAX_NOTED:
            self._noted.popitem(last=False)

    @staticmethod
    async def _record(
        tx: TenantTx, principal: Principal, resource: str, detail: dict[str, Any]
    ) -> None:
        await audit.record(
            tx,
            actor=actor_of(principal),
            action="data.read",
            resource_type=resource,
            detail=detail,
        )


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The outcome of a verification. Keep ``head`` outside of the database."""

    sealed: int
    unsealed: int
    head: ChainHead
    findings: Sequence[Finding]

    @property
    def intact(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True)
class AuditService:
    database: Database
    access: AccessLog
    clock: Clock

    @requires(Scope.AUDIT_READ)
    async def list(
        self,
        principal: Principal,
        wanted: AuditFilter,
        *,
        limit: int,
        after: tuple[datetime, UUID] | None = None,
    ) -> Sequence[Entry]:
        """The trail, newest first. Reading it is itself audited."""
        async with self.database.tenant(principal.tenant_id) as tx:
            found = await audit.list_entries(tx, wanted, limit=limit, after=after)
            await self.access.raw(tx, principal, "audit", {"rows": len(found)})
            return found

    @requires(Scope.AUDIT_READ)
    async def get(self, principal: Principal, entry_id: UUID) -> Entry:
        """One entry, or NotFound. Reading it is itself audited, and so is asking in vain."""
        async with self.database.tenant(principal.tenant_id) as tx:
            found = await audit.find_entry(tx, entry_id)
            await self.access.raw(tx, principal, "audit", {"rows": int(found is not None)})
        if found is None:
            raise NotFound("audit entry", entry_id)
        return found

    @requires(Scope.AUDIT_READ)
    async def verify(
        self, principal: Principal, remembered: ChainHead | None = None
    ) -> ChainReport:
        """Walk the caller's chain; see ``verify_chain``."""
        return await verify_chain(
            self.database, principal.tenant_id, self.clock, remembered=remembered
        )


async def seal_pending(
    database: Database, tenant_id: TenantId, *, lookback: timedelta | None = SEAL_LOOKBACK
) -> int:
    """Chain the tenant's new entries; how many. Safe beside other sealers."""
    total = 0
    while True:
        async with database.tenant(tenant_id) as tx:
            last = await audit.lock_chain(tx)
            entries = await audit.unsealed(tx, lookback=lookback, limit=_BATCH)
            seals = seal(last, entries)
            await audit.append_seals(tx, seals)
        total += len(seals)
        if seals:
            # The log leaves the database, so that a chain cut short afterwards shows.
            log.info(
                "audit.sealed",
                tenant_id=str(tenant_id),
                chain_no=seals[-1].chain_no,
                chain_hash=seals[-1].hash.hex(),
            )
        if len(seals) < _BATCH:
            return total


async def seal_all(database: Database, *, lookback: timedelta | None = SEAL_LOOKBACK) -> int:
    """One pass over every tenant with something to seal; how many entries were sealed.

    A worker calls this about once a second, and once with ``lookback=None`` as it starts.
    """
    total = 0
    for tenant_id in await audit.tenants_to_seal(database, lookback):
        total += await seal_pending(database, tenant_id, lookback=lookback)
    return total


async def verify_chain(
    database: Database,
    tenant_id: TenantId,
    clock: Clock,
    *,
    remembered: ChainHead | None = None,
) -> ChainReport:
    """Recompute every hash of the tenant's chain and say what was changed, removed or put in.

    ``remembered`` is an earlier head: with it a chain that was cut short shows too.
    """
    check = ChainCheck.start(tenant_id)
    sealed, at_remembered = 0, None
    async with database.tenant(tenant_id) as tx:
        while page := await audit.sealed_page(tx, after=check.head.chain_no, limit=_VERIFY_PAGE):
            check.walk(page)
            sealed += len(page)
            if remembered is not None:
                hashes = {found.chain_no: found.hash for found, _ in page}
                at_remembered = hashes.get(remembered.chain_no, at_remembered)
        unsealed = await audit.count_unsealed_before(tx, clock() - _SEAL_GRACE)
    check.finish(remembered, at_remembered)
    head = check.head if sealed else ChainHead(0, GENESIS)
    return ChainReport(sealed, unsealed, head, check.findings)
