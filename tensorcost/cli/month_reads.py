"""What ``months``, ``ledger`` and ``bill`` read by; imported when they run, not to list them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tensorcost.cli.cost import operator_of
from tensorcost.cli.open import doors, find_tenant
from tensorcost.domain.identity.principal import Principal
from tensorcost.services.reconciliation.month_reads import MonthReads


@asynccontextmanager
async def month_reads(tenant: str) -> AsyncIterator[tuple[MonthReads, Principal]]:
    """The reads of a tenant's billing months, and who asks."""
    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        yield MonthReads(door.db, lambda: datetime.now(UTC)), operator_of(tenant_id)
