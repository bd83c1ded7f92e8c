"""The integration context's processes as its use cases call them: typed, by name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tensorcost.activities.processes import Process, Processes, must_be_open
from tensorcost.activities.tenancy import onboarding_process
from tensorcost.domain.errors import Unavailable
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    CONTEXT,
    RETRY_UPDATE,
    VALIDATE_UPDATE,
    CancelRequest,
    ConnectionKey,
    OnboardingInput,
    RetryRequest,
    RunReference,
    ValidateRequest,
    WorkflowName,
    onboarding_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionChanges
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.domain.tenancy.onboarding import OnboardingFact
from tensorcost.domain.tenancy.onboarding_contracts import FACT_SIGNAL, FactReport

_NOTHING_OPEN: Final = "no validation of this connection is open"


@dataclass(frozen=True, slots=True)
class IntegrationProcesses:
    """Starts and steers ConnectionOnboarding and Backfill; tells CustomerOnboarding."""

    processes: Processes
    backfill_days: int = 90
    interval: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(minutes=2)

    async def validate(
        self, connection: Connection, requested_by: str, *, update_id: str | None = None
    ) -> RunReference:
        """Start the onboarding, or join the one that is open; the attempt's run."""
        return await self.processes.update_or_start(
            self._onboarding(connection, requested_by),
            VALIDATE_UPDATE,
            ValidateRequest(requested_by=requested_by),
            RunReference,
            update_id=update_id,
        )

    async def retry(
        self,
        connection: Connection,
        requested_by: str,
        changes: ConnectionChanges | None,
        *,
        update_id: str | None = None,
    ) -> RunReference:
        """A new attempt after a failure. Conflict when nothing waits for one."""
        with must_be_open(_NOTHING_OPEN):
            return await self.processes.update(
                onboarding_workflow_id(connection.connection_id),
                RETRY_UPDATE,
                RetryRequest(requested_by=requested_by, changes=changes),
                RunReference,
                update_id=update_id,
            )

    async def cancel(self, connection: Connection, requested_by: str, reason: str) -> None:
        """Stop the open validation. Conflict when none is open."""
        with must_be_open(_NOTHING_OPEN):
            await self.processes.update(
                onboarding_workflow_id(connection.connection_id),
                CANCEL_UPDATE,
                CancelRequest(requested_by=requested_by, reason=reason),
                Done,
            )

    async def cancel_run(self, workflow_id: str, requested_by: str, reason: str) -> None:
        """Stop a backfill or sync. Conflict when it has ended."""
        with must_be_open("the run has ended"):
            await self.processes.update(
                workflow_id,
                CANCEL_UPDATE,
                CancelRequest(requested_by=requested_by, reason=reason),
                Done,
            )

    async def tell_created(self, connection: Connection) -> bool:
        """Tell the tenant's onboarding; False when the workflow server cannot be reached.

        The fact is implied by every later one, so that its loss delays a screen and no more.
        """
        report = FactReport(
            tenant_id=connection.tenant_id,
            fact=OnboardingFact.CONNECTION_CREATED,
            subject=str(connection.connection_id),
        )
        try:
            await self.processes.signal_or_start(onboarding_process(report), FACT_SIGNAL, report)
        except Unavailable:
            return False
        return True

    def _onboarding(self, connection: Connection, requested_by: str) -> Process:
        return Process(
            name=WorkflowName.CONNECTION_ONBOARDING.value,
            workflow_id=onboarding_workflow_id(connection.connection_id),
            tenant_id=connection.tenant_id,
            context=CONTEXT,
            argument=OnboardingInput(
                connection=ConnectionKey.of(connection),
                requested_by=requested_by,
                interval=self.interval,
                patience=self.patience,
                backfill_days=self.backfill_days,
            ),
            summary=f"Onboarding of a {connection.provider} connection",
            attributes={
                SearchAttribute.PROVIDER: connection.provider,
                SearchAttribute.CONNECTION_ID: str(connection.connection_id),
            },
        )
