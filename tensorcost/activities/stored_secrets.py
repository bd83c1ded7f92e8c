"""The rotation of a tenant's stored secrets: ended, and told."""

from dataclasses import dataclass
from typing import Any, Final

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.tenancy.secret_rotation import (
    EndOrder,
    StoredRotation,
    StoredRotationState,
    StoredRotationStatus,
)
from tensorcost.storage import audit
from tensorcost.storage.secrets import destroy_secret, lock_secrets
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.stored_secret_rotation import end_stored_rotation, find_stored_rotation

ACTOR: Final = system_actor("rotation")


@dataclass(frozen=True, slots=True)
class StoredSecretActivities:
    db: Database
    clock: Clock

    @activity.defn(name="tenancy.end_secret_rotation")
    async def end_rotation(self, order: EndOrder) -> StoredRotationStatus:
        """End the rotation and destroy the version that is not kept; how it has ended.

        One that has ended before stays as it is, whatever is ordered now.
        """
        now = self.clock()
        with gone_is_final():
            async with self.db.tenant(order.tenant_id) as tx:
                rotation = await find_stored_rotation(tx, order.rotation_id)
                if rotation is None:
                    raise NotFound("rotation", order.rotation_id)
                if rotation.is_open:
                    rotation = rotation.ended(order, now)
                    await _end(tx, rotation, order.requested_by)
        return StoredRotationStatus(rotation_id=rotation.rotation_id, state=rotation.state)


async def _end(tx: TenantTx, ended: StoredRotation, requested_by: str) -> None:
    await lock_secrets(tx, ended.kind)
    await end_stored_rotation(tx, ended)
    await destroy_secret(tx, ended.kind, ended.not_in_use)
    is_back = ended.state is StoredRotationState.ROLLED_BACK
    event = (
        EventType.TENANT_SECRET_ROLLED_BACK if is_back else EventType.TENANT_SECRET_ROTATION_ENDED
    )
    tell_stored_rotation(tx, event, ended)
    await note_stored_rotation(
        tx, ACTOR, event.value, ended, note=ended.note, requested_by=requested_by
    )


def tell_stored_rotation(tx: TenantTx, event: EventType, rotation: StoredRotation) -> None:
    """Append ``event`` about the rotation to the outbox. It never names a secret."""
    data = _named(rotation) | {"deadline": rotation.deadline.isoformat(), "note": rotation.note}
    tx.emit(NewEvent(event, data, audit.trace_id_now()))


async def note_stored_rotation(
    tx: TenantTx, actor: str, action: str, rotation: StoredRotation, **detail: Any
) -> None:
    """Append what was done with the rotation to the audit ledger. It never names a secret."""
    await audit.record(
        tx,
        actor=actor,
        action=action,
        resource_type="secret",
        resource_id=rotation.kind.value,
        detail=_named(rotation) | detail,
    )


def _named(rotation: StoredRotation) -> dict[str, Any]:
    return {
        "rotation_id": str(rotation.rotation_id),
        "kind": rotation.kind.value,
        "state": rotation.state.value,
        "version_in_use": rotation.in_use,
    }
