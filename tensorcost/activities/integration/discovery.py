"""What there is to read: accounts, regions, sources; and whether silence means quiet."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.activities.heartbeat import beating
from tensorcost.activities.integration.choose import connector_for, translated
from tensorcost.activities.integration.ports import ConnectorError, Connectors, Discovery
from tensorcost.activities.integration.runs import ACTOR
from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts_steps import (
    Discovered,
    DiscoveryRequest,
    SilenceRequest,
    SilenceVerdict,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_silence import JUDGED, Counted, Place, judge_silence
from tensorcost.domain.integration.states import Coverage
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings, requests_by_place
from tensorcost.storage.integration import get_connection, save_accounts
from tensorcost.storage.integration_sites import active_sites, replace_sites, save_profiles
from tensorcost.storage.session import Database, TenantTx


@dataclass(frozen=True, slots=True)
class DiscoveryActivities:
    """Looks before reading and judges afterwards. ``threads`` runs the blocking calls."""

    db: Database
    connectors: Connectors
    threads: Executor
    clock: Clock

    @activity.defn(name="integration.discover")
    async def discover(self, request: DiscoveryRequest) -> Discovered:
        """Store accounts with their coverage, the sites to read, and what is missing."""
        key = request.connection
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                connection = await get_connection(tx, key.connection_id)
        connector = connector_for(self.connectors, connection.provider)
        loop = asyncio.get_running_loop()
        try:
            async with beating(lambda: request.run_id):
                found = await loop.run_in_executor(self.threads, connector.discover, connection)
        except ConnectorError as error:
            raise translated(error) from error
        async with self.db.tenant(key.tenant_id) as tx:
            await self._store(tx, request, found)
        return Discovered(
            accounts_total=len(found.accounts),
            accounts_covered=sum(a.coverage is Coverage.COVERED for a in found.accounts),
            sites=len(found.sites),
            missing=tuple(found.missing),
        )

    @activity.defn(name="integration.judge_silence")
    async def judge_silence(self, request: SilenceRequest) -> SilenceVerdict:
        """Compare what logs explained with what CloudWatch counted, and write the findings."""
        key = request.connection
        async with self.db.tenant(key.tenant_id) as tx:
            sites = await active_sites(tx, key.connection_id)
            counted = await _count(tx, key.provider, sites, request)
            span = f"{request.window_start:%Y-%m-%d} to {request.window_end:%Y-%m-%d}"
            findings = judge_silence(sites, counted, span)
            await record_findings(tx, key.connection_id, findings, judged=JUDGED, now=self.clock())
        return SilenceVerdict(findings=len(findings))

    async def _store(self, tx: TenantTx, request: DiscoveryRequest, found: Discovery) -> None:
        key, now = request.connection, self.clock()
        await save_accounts(tx, key.connection_id, found.accounts)
        await replace_sites(tx, key.connection_id, found.sites, now)
        await save_profiles(tx, key.connection_id, found.profiles, now)
        await record_findings(tx, key.connection_id, found.findings, judged=found.judged, now=now)
        await audit.record(
            tx,
            actor=ACTOR,
            action="data.discovered",
            resource_type="connection",
            resource_id=str(key.connection_id),
            detail={
                "run_id": str(request.run_id),
                "accounts": len(found.accounts),
                "sites": len(found.sites),
                "missing": list(found.missing),
            },
        )


async def _count(
    tx: TenantTx, source: str, sites: list[Site], request: SilenceRequest
) -> dict[Place, Counted]:
    accounts = sorted({site.account_id for site in sites})
    first, last = request.window_start.date(), request.window_end.date()
    rows = await requests_by_place(tx, source, accounts, first, last)
    places = {(account, region) for account, region, _ in rows}
    return {
        (account, region): Counted(
            invocations=rows.get((account, region, Grain.METRIC), 0),
            logged=rows.get((account, region, Grain.REQUEST), 0),
        )
        for account, region in places
    }
