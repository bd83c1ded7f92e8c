"""Processes that other processes set going: the sync schedule, facts for the onboarding."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.integration.contracts import (
    CONTEXT,
    ConnectionKey,
    SyncInput,
    WorkflowName,
    sync_workflow_id,
)
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.temporal import SearchAttribute

SYNC_EVERY: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ScheduleActivities:
    processes: Processes
    sync_every: timedelta = SYNC_EVERY

    @activity.defn(name="integration.ensure_schedule")
    async def ensure_schedule(self, key: ConnectionKey) -> Done:
        """Create the connection's sync schedule, or bring it up to date."""
        process = Process(
            name=WorkflowName.SYNC.value,
            workflow_id=sync_workflow_id(key.connection_id),
            tenant_id=key.tenant_id,
            context=CONTEXT,
            argument=SyncInput(connection=key),
            summary=f"Sync of a {key.provider} connection",
            attributes={
                SearchAttribute.PROVIDER: key.provider,
                SearchAttribute.CONNECTION_ID: str(key.connection_id),
            },
        )
        return Done(changed=await self.processes.ensure_schedule(process, self.sync_every))
