"""Rotation of a connection's secret: begun, watched, hurried, taken back (B9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from tensorcost.activities.integration.rotation import tell_rotation
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.integration.contracts import ConnectionKey
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_rotation import (
    OVERLAP,
    RotationState,
    SecretKind,
    SecretRotation,
)
from tensorcost.domain.integration.rotation import overlap_of
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.services.authorise import requires
from tensorcost.services.integration import Artefacts
from tensorcost.services.rotation_processes import RotationProcesses
from tensorcost.storage import audit, integration, secret_rotation
from tensorcost.storage.session import Database, TenantTx


@dataclass(frozen=True, slots=True)
class CustomerStep:
    """What the customer does now, for who uses the stack and for who does not."""

    title: str
    update_command: str
    trust_policy: str


@dataclass(frozen=True, slots=True)
class RotationView:
    """A rotation and its present step; ``step`` is None once nothing is left to do."""

    rotation: SecretRotation
    step: CustomerStep | None
    joined: bool = False
    """True when this rotation was under way already."""


@dataclass(frozen=True, slots=True)
class SecretRotationService:
    """Use cases of a rotation. The waiting and asking is the workflow's."""

    db: Database
    processes: RotationProcesses
    artefacts: Mapping[str, Artefacts]
    clock: Clock

    @requires(Scope.INTEGRATION_WRITE)
    async def begin(
        self, principal: Principal, connection_id: UUID, overlap_days: int = OVERLAP.days
    ) -> RotationView:
        """Make the successor of the connection's secret, or join the rotation under way.

        NotFound; ValidationFailed for an overlap outside 1 to 30 days; Conflict where the
        connection does not work as it is, for then nothing could be told from a refusal;
        Unavailable when the process cannot be reached: begin again.
        """
        overlap = overlap_of(overlap_days)
        async with self.db.tenant(principal.tenant_id) as tx:
            await integration.lock_connection(tx, connection_id)
            rotation = await secret_rotation.newest_rotation(tx, connection_id)
            joined = rotation is not None and rotation.is_open
            if rotation is None or not joined:
                rotation = await self._open(tx, principal, connection_id, overlap)
            connection = await integration.get_connection(tx, connection_id)
        await self.processes.begin(rotation)
        return self._view(rotation, connection, joined=joined)

    @requires(Scope.INTEGRATION_READ)
    async def get(self, principal: Principal, connection_id: UUID) -> RotationView:
        """The rotation under way, else the last one; NotFound where there never was one."""
        async with self.db.tenant(principal.tenant_id) as tx:
            connection = await integration.get_connection(tx, connection_id)
            rotation = await secret_rotation.newest_rotation(tx, connection_id)
        if rotation is None:
            raise NotFound("rotation of connection", connection_id)
        return self._view(rotation, connection)

    @requires(Scope.INTEGRATION_WRITE)
    async def verify(self, principal: Principal, connection_id: UUID) -> RotationView:
        """Ask the provider now; where that leads to. Conflict when none is open."""
        await self._noted(principal, connection_id, "connection.verify_rotation")
        await self.processes.verify(connection_id, actor_of(principal))
        return await self.get(principal, connection_id)

    @requires(Scope.INTEGRATION_WRITE)
    async def roll_back(
        self, principal: Principal, connection_id: UUID, reason: str = ""
    ) -> RotationView:
        """Go back to the old secret. Conflict when it is refused, or when none is open."""
        await self._noted(principal, connection_id, "connection.roll_back_rotation")
        await self.processes.roll_back(connection_id, actor_of(principal), reason)
        return await self.get(principal, connection_id)

    async def _open(
        self, tx: TenantTx, principal: Principal, connection_id: UUID, overlap: timedelta
    ) -> SecretRotation:
        connection = await integration.get_connection(tx, connection_id)
        if connection.state is not ConnectionState.CONNECTED:
            raise Conflict(f"the connection is {connection.state.value}: validate it first")
        now = self.clock()
        rotation = SecretRotation(
            rotation_id=UUID(str(uuid7())),
            connection=ConnectionKey.of(connection),
            kind=SecretKind.EXTERNAL_ID,
            state=RotationState.WAITING_FOR_CUSTOMER,
            requested_by=actor_of(principal),
            started_at=now,
            deadline=now + overlap,
        )
        successor = self._artefacts(connection).new_external_id()
        await secret_rotation.begin_rotation(tx, rotation, successor, now)
        await _note(tx, principal, "connection.rotate_secret", connection)
        tell_rotation(tx, EventType.CONNECTION_SECRET_ROTATION_STARTED, rotation)
        return rotation

    async def _noted(self, principal: Principal, connection_id: UUID, action: str) -> None:
        async with self.db.tenant(principal.tenant_id) as tx:
            connection = await integration.get_connection(tx, connection_id)
            await _note(tx, principal, action, connection)

    def _artefacts(self, connection: Connection) -> Artefacts:
        found = self.artefacts.get(connection.provider)
        if found is None:
            raise Conflict(f"a {connection.provider} connection holds no secret to rotate")
        return found

    def _view(
        self, rotation: SecretRotation, connection: Connection, *, joined: bool = False
    ) -> RotationView:
        title = _TITLES.get(rotation.state)
        if title is None:
            return RotationView(rotation, None, joined)
        artefacts = self._artefacts(connection)
        step = CustomerStep(
            title, artefacts.update_command(connection), artefacts.trust_policy(connection)
        )
        return RotationView(rotation, step, joined)


_TITLES: Final = {
    RotationState.WAITING_FOR_CUSTOMER: "Let the role trust both ExternalIds",
    RotationState.VERIFYING_OLD_DROPPED: "Let the role trust the new ExternalId alone",
    RotationState.ROLLED_BACK: "Let the role trust the old ExternalId alone",
    RotationState.EXPIRED: "Let the role trust the ExternalId in use alone",
    RotationState.CANCELLED: "Let the role trust the ExternalId in use alone",
}
"""The step of each state; a rotation that came to its end leaves nothing to do."""


async def _note(tx: TenantTx, principal: Principal, action: str, connection: Connection) -> None:
    await audit.record(
        tx,
        actor=actor_of(principal),
        action=action,
        resource_type="connection",
        resource_id=str(connection.connection_id),
        detail={"provider": connection.provider, "account_id": connection.account_id},
    )
