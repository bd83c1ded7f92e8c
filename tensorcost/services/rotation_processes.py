"""The SecretRotation workflow as its use cases call it: typed, by name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from tensorcost.activities.processes import Process, Processes, must_be_open
from tensorcost.domain.integration.contracts import CONTEXT, WorkflowName
from tensorcost.domain.integration.contracts_rotation import (
    BEGIN_UPDATE,
    ROLLBACK_UPDATE,
    VERIFY_UPDATE,
    RollbackRequest,
    RotationInput,
    RotationStatus,
    SecretRotation,
    VerifyRequest,
    rotation_workflow_id,
)
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.temporal import SearchAttribute

_NOTHING_OPEN: Final = "no rotation of this connection is open"


@dataclass(frozen=True, slots=True)
class RotationProcesses:
    """Starts and steers SecretRotation."""

    processes: Processes
    interval: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(seconds=10)

    async def begin(self, rotation: SecretRotation) -> None:
        """Have the rotation followed; a run that is just ending an earlier one goes on with it."""
        key = rotation.connection
        argument = RotationInput(
            connection=key,
            rotation_id=rotation.rotation_id,
            deadline=rotation.deadline,
            interval=self.interval,
            settle=self.settle,
            state=rotation.state,
        )
        process = Process(
            name=WorkflowName.SECRET_ROTATION.value,
            workflow_id=rotation_workflow_id(key.connection_id),
            tenant_id=key.tenant_id,
            context=CONTEXT,
            argument=argument,
            summary=f"Rotation of the secret of a {key.provider} connection",
            attributes={
                SearchAttribute.PROVIDER: key.provider,
                SearchAttribute.CONNECTION_ID: str(key.connection_id),
            },
        )
        await self.processes.update_or_start(process, BEGIN_UPDATE, argument, Done)

    async def verify(self, connection_id: UUID, requested_by: str) -> RotationStatus:
        """Look at once. Conflict when none is open."""
        with must_be_open(_NOTHING_OPEN):
            return await self.processes.update(
                rotation_workflow_id(connection_id),
                VERIFY_UPDATE,
                VerifyRequest(requested_by=requested_by),
                RotationStatus,
            )

    async def roll_back(
        self, connection_id: UUID, requested_by: str, reason: str
    ) -> RotationStatus:
        """Go back to the old secret. Conflict when it is refused, or when none is open."""
        with must_be_open(_NOTHING_OPEN):
            return await self.processes.update(
                rotation_workflow_id(connection_id),
                ROLLBACK_UPDATE,
                RollbackRequest(requested_by=requested_by, reason=reason),
                RotationStatus,
            )
