"""What nobody needs any more is removed: dead credentials, kept answers, events long delivered."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from tensorcost.domain.ids import TenantId
from tensorcost.services.idempotency import LIFETIME
from tensorcost.storage.idempotency import prune_keys
from tensorcost.storage.identity import prune_refresh_tokens
from tensorcost.storage.outbox import prune_events
from tensorcost.storage.session import Database, PlatformDatabase, TenantTx
from tensorcost.storage.tenancy import prune_invitations
from tensorcost.storage.tenants import list_tenants

log = structlog.get_logger(__name__)
BATCH: Final = 1_000
"""Most rows of one kind that one transaction removes, so that none holds locks for long."""

Prune = Callable[..., Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long dead rows are kept, for whoever asks what happened."""

    refresh_tokens: timedelta = timedelta(days=7)
    """After a token's own end: until then its second use is noticed, after it a token is refused
    whether its row is there or not."""
    invitations: timedelta = timedelta(days=30)
    """After one was accepted, replaced or ended."""
    events: timedelta = timedelta(days=7)
    """After an event: for as long a reader can resume at its cursor. At least a day."""


async def prune(
    db: Database,
    platform: PlatformDatabase,
    now: datetime,
    retention: Retention,
    *,
    actor: str,
    batch: int = BATCH,
) -> Counter[str]:
    """One pass over every tenant; how many rows of each kind went. Safe beside itself."""
    cutoffs: dict[str, tuple[Prune, datetime]] = {
        "refresh_tokens": (prune_refresh_tokens, now - retention.refresh_tokens),
        "invitations": (prune_invitations, now - retention.invitations),
        "idempotency_keys": (prune_keys, now - LIFETIME),
        "events": (prune_events, now - retention.events),
    }
    async with platform.open(reason="list tenants to remove what expired", actor=actor) as tx:
        tenants = await list_tenants(tx)
    total: Counter[str] = Counter()
    for tenant_id in tenants:
        total += await _prune_tenant(db, tenant_id, cutoffs, batch)
    if total:
        log.info("housekeeping.pruned", **total)
    return total


async def _prune_tenant(
    db: Database, tenant_id: TenantId, cutoffs: dict[str, tuple[Prune, datetime]], batch: int
) -> Counter[str]:
    total: Counter[str] = Counter()
    left = dict(cutoffs)
    while left:
        async with db.tenant(tenant_id) as tx:
            gone = {name: await _some(tx, *left[name], batch) for name in left}
        total.update(gone)
        left = {name: left[name] for name, count in gone.items() if count >= batch}
    return total


async def _some(tx: TenantTx, drop: Prune, before: datetime, batch: int) -> int:
    return await drop(tx, before, most=batch)
