"""What became of a connection: runs, steps, findings, accounts, quarantine, onboarding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.integration.contracts_findings import Finding
from tensorcost.domain.integration.progress_records import (
    AccountCoverage,
    QuarantinedRow,
    SyncRun,
    SyncStep,
)
from tensorcost.domain.integration.states import FindingState, RunKind
from tensorcost.domain.tenancy.onboarding_contracts import OnboardingProgress
from tensorcost.services.authorise import requires
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import audit, findings, integration, onboarding, sync_history
from tensorcost.storage.session import Database

MAX_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class IntegrationHistory:
    """Reads of the integration context, and stopping a run that is under way."""

    db: Database
    processes: IntegrationProcesses

    @requires(Scope.INTEGRATION_READ)
    async def runs(
        self,
        principal: Principal,
        connection_id: UUID,
        *,
        limit: int,
        before: tuple[datetime, UUID] | None = None,
        kind: RunKind | None = None,
    ) -> Sequence[SyncRun]:
        """Runs, newest first, before the keyset (started_at, run_id); NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            await integration.get_connection(tx, connection_id)
            return await sync_history.list_runs(
                tx, connection_id, limit=limit, before=before, kind=kind
            )

    @requires(Scope.INTEGRATION_READ)
    async def run(self, principal: Principal, run_id: UUID) -> SyncRun:
        """One run, or NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await sync_history.get_run(tx, run_id)

    @requires(Scope.INTEGRATION_READ)
    async def steps(
        self, principal: Principal, run_id: UUID, *, limit: int = MAX_STEPS, after: int = -1
    ) -> Sequence[SyncStep]:
        """Steps of a run in their order, after a position."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await sync_history.list_steps(tx, run_id, limit=limit, after=after)

    @requires(Scope.INTEGRATION_READ)
    async def steps_of_runs(
        self, principal: Principal, run_ids: Sequence[UUID], *, limit: int
    ) -> Mapping[UUID, Sequence[SyncStep]]:
        """The first steps of many runs in one query."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await sync_history.steps_of_runs(tx, run_ids, limit=limit)

    @requires(Scope.INTEGRATION_READ)
    async def findings(
        self,
        principal: Principal,
        *,
        limit: int,
        connection_id: UUID | None = None,
        state: FindingState | None = FindingState.OPEN,
        after: UUID | None = None,
    ) -> Sequence[Finding]:
        """Findings by id, after an id: of one connection or of all, open ones by default."""
        async with self.db.tenant(principal.tenant_id) as tx:
            if connection_id is not None:
                await integration.get_connection(tx, connection_id)
            return await findings.list_findings(
                tx, limit=limit, connection_id=connection_id, state=state, after=after
            )

    @requires(Scope.INTEGRATION_READ)
    async def finding(self, principal: Principal, finding_id: UUID) -> Finding:
        """One finding, whatever its state, or NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await findings.get_finding(tx, finding_id)

    @requires(Scope.INTEGRATION_READ)
    async def accounts(
        self, principal: Principal, connection_id: UUID
    ) -> Sequence[AccountCoverage]:
        """Every account of the connection and what became of it; NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            await integration.get_connection(tx, connection_id)
            return await integration.list_accounts(tx, connection_id)

    @requires(Scope.INTEGRATION_READ)
    async def quarantine(
        self,
        principal: Principal,
        *,
        limit: int,
        connection_id: UUID | None = None,
        run_id: UUID | None = None,
        after: UUID | None = None,
    ) -> Sequence[QuarantinedRow]:
        """What was not accepted, oldest first, after an id; NotFound for a foreign filter."""
        async with self.db.tenant(principal.tenant_id) as tx:
            if connection_id is not None:
                await integration.get_connection(tx, connection_id)
            if run_id is not None:
                await sync_history.get_run(tx, run_id)
            return await sync_history.list_quarantined(
                tx, limit=limit, connection_id=connection_id, run_id=run_id, after=after
            )

    @requires(Scope.INTEGRATION_READ)
    async def quarantined(self, principal: Principal, quarantine_id: UUID) -> QuarantinedRow:
        """One row that was not accepted, or NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await sync_history.get_quarantined(tx, quarantine_id)

    @requires(Scope.INTEGRATION_WRITE)
    async def cancel_run(self, principal: Principal, run_id: UUID, reason: str = "") -> None:
        """Stop a backfill or sync: NotFound, or Conflict when it has ended."""
        async with self.db.tenant(principal.tenant_id) as tx:
            run = await sync_history.get_run(tx, run_id)
            await audit.record(
                tx,
                actor=actor_of(principal),
                action="run.cancel",
                resource_type="run",
                resource_id=str(run_id),
                detail={"connection_id": str(run.connection_id), "kind": run.kind.value},
            )
        await self.processes.cancel_run(run.workflow_id, actor_of(principal), reason)

    @requires(Scope.TENANT_READ)
    async def onboarding(self, principal: Principal) -> OnboardingProgress | None:
        """How far the tenant is on its way to the first recommendation; None before it began."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await onboarding.find_onboarding(tx)
