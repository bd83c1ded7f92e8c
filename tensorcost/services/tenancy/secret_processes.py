"""The StoredSecretRotation workflow as its use cases call it: typed, by name."""

from dataclasses import dataclass

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.integration.contracts_rotation import BEGIN_UPDATE, ROLLBACK_UPDATE
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.tenancy.onboarding_contracts import CONTEXT
from tensorcost.domain.tenancy.secret_rotation import (
    FINISH_UPDATE,
    STORED_SECRET_ROTATION,
    EndRequest,
    StoredRotation,
    StoredRotationInput,
    StoredRotationStatus,
    stored_rotation_workflow_id,
)


@dataclass(frozen=True, slots=True)
class StoredRotationProcesses:
    """Starts and steers StoredSecretRotation. A process that was lost is started again by
    whatever is asked of its rotation next."""

    processes: Processes

    async def begin(self, rotation: StoredRotation) -> None:
        """Have the rotation followed; a run that is just ending an earlier one goes on with it."""
        process = _process(rotation)
        await self.processes.update_or_start(process, BEGIN_UPDATE, process.argument, Done)

    async def finish(self, rotation: StoredRotation, requested_by: str, reason: str) -> None:
        """Destroy the earlier secret now. Conflict where the rotation has just ended otherwise."""
        await self._end(FINISH_UPDATE, rotation, requested_by, reason)

    async def roll_back(self, rotation: StoredRotation, requested_by: str, reason: str) -> None:
        """Go back to the earlier secret. Conflict where the rotation has just ended otherwise."""
        await self._end(ROLLBACK_UPDATE, rotation, requested_by, reason)

    async def _end(
        self, update: str, rotation: StoredRotation, requested_by: str, reason: str
    ) -> None:
        request = EndRequest(
            rotation_id=rotation.rotation_id, requested_by=requested_by, reason=reason
        )
        await self.processes.update_or_start(
            _process(rotation), update, request, StoredRotationStatus
        )


def _process(rotation: StoredRotation) -> Process:
    argument = StoredRotationInput(
        tenant_id=rotation.tenant_id,
        rotation_id=rotation.rotation_id,
        kind=rotation.kind,
        old_version=rotation.old_version,
        new_version=rotation.new_version,
        deadline=rotation.deadline,
    )
    return Process(
        name=STORED_SECRET_ROTATION,
        workflow_id=stored_rotation_workflow_id(rotation.tenant_id, rotation.kind),
        tenant_id=rotation.tenant_id,
        context=CONTEXT,
        argument=argument,
        summary=f"Rotation of the stored secret {rotation.kind.value}",
    )
