"""What there is to read: accounts, regions, sources; and whether silence means quiet."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.activities.heartbeat import beating
from tensorcost.activities.integration.choose import connector_for, translated
from tensorcost.activities.integration.looks import note_trouble, record_look
from tensorcost.activities.integration.ports import ConnectorError, Connectors, Discovery, Known
from tensorcost.activities.integration.runs import ACTOR
from tensorcost.domain.clock import Clock
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.accounts import ChangedAccount, account_changes
from tensorcost.domain.integration.contracts import LONGEST_PAUSE, ConnectionKey
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import (
    Discovered,
    DiscoveryRequest,
    LookNote,
    SilenceRequest,
    SilenceVerdict,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_look import AFTER_PROBES, changes_told
from tensorcost.domain.integration.progress_silence import JUDGED, Counted, Place, judge_silence
from tensorcost.domain.integration.states import Coverage
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings, requests_by_place
from tensorcost.storage.integration import (
    get_connection,
    list_accounts,
    lock_connection,
    save_accounts,
)
from tensorcost.storage.integration_places import (
    billed_places,
    discovered_at,
    known_places,
    mark_discovered,
    save_places,
)
from tensorcost.storage.integration_sites import active_sites, replace_sites, save_profiles
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.sync_history import find_run

BILLED_FOR: Final = timedelta(days=35)
"""How far back a bill says where calls are: this month and the one before."""


@dataclass(frozen=True, slots=True)
class DiscoveryActivities:
    """Looks before reading and judges afterwards. ``threads`` runs the blocking calls."""

    db: Database
    connectors: Connectors
    threads: Executor
    clock: Clock
    longest_pause: timedelta = LONGEST_PAUSE

    @activity.defn(name="integration.discover")
    async def discover(self, request: DiscoveryRequest) -> Discovered:
        """Store accounts with their coverage, the sites to read, and what is missing.

        While that cannot be done the run tells why, and when it is tried again.
        """
        try:
            return await self._discover(request)
        except Exception as error:
            await note_trouble(self.db, request, error, self.clock())
            raise

    @activity.defn(name="integration.judge_silence")
    async def judge_silence(self, request: SilenceRequest) -> SilenceVerdict:
        """Compare what logs explained with what CloudWatch counted, and write the findings."""
        key = request.connection
        async with beating(lambda: request.run_id), self.db.tenant(key.tenant_id) as tx:
            sites = await active_sites(tx, key.connection_id)
            counted = await _count(tx, key.provider, sites, request)
            span = f"{request.window_start:%Y-%m-%d} to {request.window_end:%Y-%m-%d}"
            findings = judge_silence(sites, counted, span)
            await record_findings(tx, key.connection_id, findings, judged=JUDGED, now=self.clock())
        return SilenceVerdict(findings=len(findings))

    async def _discover(self, request: DiscoveryRequest) -> Discovered:
        key = request.connection
        with gone_is_final():
            prepared = await self._prepare(request)
        if prepared is None:
            return Discovered(accounts_total=0, accounts_covered=0, sites=0, looked=False)
        connection, known = prepared
        connector = connector_for(self.connectors, connection.provider)
        loop = asyncio.get_running_loop()
        try:
            async with beating(lambda: request.run_id):
                found = await loop.run_in_executor(
                    self.threads, connector.discover, connection, known
                )
        except ConnectorError as error:
            await self._note(key, error)
            raise translated(error, self.longest_pause) from error
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                return await self._store(tx, request, found)

    async def _prepare(self, request: DiscoveryRequest) -> tuple[Connection, Known] | None:
        """The connection and what is known of it; None where a look is not due."""
        key, now, pause = request.connection, self.clock(), request.unless_within
        async with self.db.tenant(key.tenant_id) as tx:
            connection = await get_connection(tx, key.connection_id)
            last = await discovered_at(tx, key.connection_id)
            if pause is not None and last is not None and now - last < pause:
                return None
            accounts = await list_accounts(tx, key.connection_id)
            return connection, Known(
                accounts={account.account_id: account for account in accounts},
                sites=await active_sites(tx, key.connection_id),
                places={} if pause is None else await known_places(tx, key.connection_id),
                billed=await billed_places(tx, (now - BILLED_FOR).date()),
            )

    async def _note(self, key: ConnectionKey, error: ConnectorError) -> None:
        """Show what a person must act upon: the next look that succeeds closes it."""
        if error.finding is None:
            return
        async with self.db.tenant(key.tenant_id) as tx:
            await record_findings(
                tx, key.connection_id, [error.finding], judged=(), now=self.clock()
            )

    async def _store(self, tx: TenantTx, request: DiscoveryRequest, found: Discovery) -> Discovered:
        key, now = request.connection, self.clock()
        await lock_connection(tx, key.connection_id)
        before = await list_accounts(tx, key.connection_id)
        changes = account_changes(before, found.accounts)
        for changed in changes:
            tx.emit(_told(key, changed))
        await save_accounts(tx, key.connection_id, found.accounts)
        await replace_sites(tx, key.connection_id, found.sites, now)
        await save_places(tx, key.connection_id, found.places)
        await save_profiles(tx, key.connection_id, found.profiles, now)
        await record_findings(
            tx,
            key.connection_id,
            found.findings,
            judged=found.judged,
            spared=found.spared,
            now=now,
        )
        if found.is_whole:
            await mark_discovered(tx, key.connection_id, now)
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
        discovered = _counted(found, changes)
        if await find_run(tx, request.run_id) is not None:
            note = LookNote(found=discovered)
            await record_look(tx, request.run_id, note, position=AFTER_PROBES, now=now)
        return discovered


def _counted(found: Discovery, changes: Sequence[ChangedAccount]) -> Discovered:
    return Discovered(
        accounts_total=len(found.accounts),
        accounts_covered=sum(a.coverage is Coverage.COVERED for a in found.accounts),
        sites=len(found.sites),
        missing=tuple(found.missing),
        changes=changes_told(changes),
    )


def _told(key: ConnectionKey, changed: ChangedAccount) -> NewEvent:
    account = changed.account
    data = {
        "connection_id": str(key.connection_id),
        "provider": key.provider,
        "account_id": account.account_id,
        "name": account.name,
        "change": changed.change.value,
        "state": account.state,
        "coverage": account.coverage.value,
    }
    return NewEvent(EventType.CONNECTION_ACCOUNT_CHANGED, data, audit.trace_id_now())


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
