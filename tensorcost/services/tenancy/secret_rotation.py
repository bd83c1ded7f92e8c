"""Rotation of a tenant's stored secrets: begun, watched, ended, taken back (B9)."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from tensorcost.activities.stored_secrets import note_stored_rotation, tell_stored_rotation
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.integration.contracts_rotation import OVERLAP
from tensorcost.domain.integration.rotation import overlap_of
from tensorcost.domain.tenancy.secret_rotation import StoredRotation, StoredRotationState
from tensorcost.domain.tenancy.stored_secrets import STORED_SECRETS, StoredSecretKind
from tensorcost.services.authorise import requires
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.storage.secrets import add_secret, lock_secrets, version_in_use
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.stored_secret_rotation import (
    begin_stored_rotation,
    newest_stored_rotation,
)


@dataclass(frozen=True, slots=True)
class StoredRotationView:
    """A rotation, and what it means that the version that is not in use goes."""

    rotation: StoredRotation
    consequence: str
    joined: bool = False
    """True when this rotation was under way already."""


@dataclass(frozen=True, slots=True)
class StoredSecretService:
    """Use cases of a rotation. Waiting for the end of the overlap is the workflow's."""

    db: Database
    processes: StoredRotationProcesses
    clock: Clock

    @requires(Scope.TENANT_ADMIN)
    async def begin(
        self, principal: Principal, kind: StoredSecretKind, overlap_days: int = OVERLAP.days
    ) -> StoredRotationView:
        """Take a new secret of ``kind`` into use, or join the rotation under way.

        ValidationFailed for an overlap outside 1 to 30 days; NotFound where the tenant has no
        secret of this kind; Unavailable when the process cannot be reached: begin again.
        """
        overlap = overlap_of(overlap_days)
        async with self.db.tenant(principal.tenant_id) as tx:
            await lock_secrets(tx, kind)
            rotation = await newest_stored_rotation(tx, kind)
            joined = rotation is not None and rotation.is_open
            if rotation is None or not joined:
                rotation = await self._open(tx, principal, kind, overlap)
        await self.processes.begin(rotation)
        return _view(rotation, joined=joined)

    @requires(Scope.TENANT_ADMIN)
    async def get(self, principal: Principal, kind: StoredSecretKind) -> StoredRotationView:
        """The rotation under way, else the last one; NotFound where there never was one."""
        async with self.db.tenant(principal.tenant_id) as tx:
            rotation = await newest_stored_rotation(tx, kind)
        if rotation is None:
            raise NotFound("rotation of secret", kind.value)
        return _view(rotation)

    @requires(Scope.TENANT_ADMIN)
    async def finish(
        self, principal: Principal, kind: StoredSecretKind, reason: str = ""
    ) -> StoredRotationView:
        """End the overlap now: the earlier secret is destroyed. Conflict when none is open."""
        rotation = await self._noted(principal, kind, "tenant.finish_secret_rotation")
        await self.processes.finish(rotation, actor_of(principal), reason)
        return await self.get(principal, kind)

    @requires(Scope.TENANT_ADMIN)
    async def roll_back(
        self, principal: Principal, kind: StoredSecretKind, reason: str = ""
    ) -> StoredRotationView:
        """Use the earlier secret again: the new one is destroyed. Conflict when none is open."""
        rotation = await self._noted(principal, kind, "tenant.roll_back_secret_rotation")
        await self.processes.roll_back(rotation, actor_of(principal), reason)
        return await self.get(principal, kind)

    async def _open(
        self, tx: TenantTx, principal: Principal, kind: StoredSecretKind, overlap: timedelta
    ) -> StoredRotation:
        earlier = await version_in_use(tx, kind)
        if earlier is None:
            raise NotFound("secret", kind.value)
        now, actor = self.clock(), actor_of(principal)
        rotation = StoredRotation(
            tenant_id=tx.tenant_id,
            rotation_id=UUID(str(uuid7())),
            kind=kind,
            state=StoredRotationState.OVERLAPPING,
            old_version=earlier,
            new_version=await add_secret(tx, kind, secrets.token_bytes(STORED_SECRETS[kind].size)),
            requested_by=actor,
            started_at=now,
            deadline=now + overlap,
        )
        await begin_stored_rotation(tx, rotation)
        await note_stored_rotation(tx, actor, "tenant.rotate_secret", rotation)
        tell_stored_rotation(tx, EventType.TENANT_SECRET_ROTATION_STARTED, rotation)
        return rotation

    async def _noted(
        self, principal: Principal, kind: StoredSecretKind, action: str
    ) -> StoredRotation:
        """The open rotation, with what is asked of it in the ledger; Conflict without one."""
        async with self.db.tenant(principal.tenant_id) as tx:
            rotation = await newest_stored_rotation(tx, kind)
            if rotation is None or not rotation.is_open:
                raise Conflict("no rotation of this secret is open")
            await note_stored_rotation(tx, actor_of(principal), action, rotation)
        return rotation


def _view(rotation: StoredRotation, *, joined: bool = False) -> StoredRotationView:
    return StoredRotationView(rotation, STORED_SECRETS[rotation.kind].consequence, joined)
