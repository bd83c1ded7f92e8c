"""Rotations of connections' secrets. The secrets themselves stand in the connection's row."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import ConnectionKey
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    Look,
    RotationState,
    SecretKind,
    SecretRotation,
    Side,
)
from tensorcost.storage.session import TenantTx

_SELECT: Final = """
    SELECT r.*, c.provider FROM app.secret_rotation r
    JOIN app.connection c USING (tenant_id, connection_id)
    WHERE r.tenant_id = :tenant
"""
_INSERT: Final = """
    INSERT INTO app.secret_rotation (tenant_id, rotation_id, connection_id, kind, state,
        requested_by, started_at, deadline)
    VALUES (:tenant, :id, :connection, :kind, :state, :requested_by, :started_at, :deadline)
"""
_OFFER: Final = """
    UPDATE app.connection SET next_external_id = :external_id, updated_at = :now
    WHERE tenant_id = :tenant AND connection_id = :connection
"""
_RECORD: Final = """
    UPDATE app.secret_rotation SET looks = looks + 1, looked_at = :now,
        new_admission = :new, old_admission = :old, note = :note
    WHERE tenant_id = :tenant AND rotation_id = :id AND finished_at IS NULL
"""
_SWITCH: Final = """
    UPDATE app.secret_rotation SET state = 'verifying_old_dropped', switched_at = :now
    WHERE tenant_id = :tenant AND rotation_id = :id AND state = 'waiting_for_customer'
"""
_TAKE_NEW: Final = """
    UPDATE app.connection SET previous_external_id = external_id,
        external_id = next_external_id, next_external_id = '', updated_at = :now
    WHERE tenant_id = :tenant AND connection_id = :connection AND next_external_id <> ''
"""
_FINISH: Final = """
    UPDATE app.secret_rotation SET state = :state, finished_at = :now, note = :note
    WHERE tenant_id = :tenant AND rotation_id = :id AND finished_at IS NULL
"""
_FORGET: Final = """
    UPDATE app.connection SET next_external_id = '', previous_external_id = '',
        external_id = CASE
            WHEN :keep = 'old' AND previous_external_id <> '' THEN previous_external_id
            WHEN :keep = 'new' AND next_external_id <> '' THEN next_external_id
            ELSE external_id END,
        updated_at = :now
    WHERE tenant_id = :tenant AND connection_id = :connection
"""


async def begin_rotation(
    tx: TenantTx, rotation: SecretRotation, new_external_id: str, now: datetime
) -> None:
    """Store an open rotation and the connection's next ExternalId.

    The caller holds the connection's row and has seen that none is open.
    """
    await tx.run(
        _INSERT,
        tenant=tx.tenant_id,
        id=rotation.rotation_id,
        connection=rotation.connection.connection_id,
        kind=rotation.kind.value,
        state=rotation.state.value,
        requested_by=rotation.requested_by,
        started_at=rotation.started_at,
        deadline=rotation.deadline,
    )
    await tx.run(
        _OFFER,
        tenant=tx.tenant_id,
        connection=rotation.connection.connection_id,
        external_id=new_external_id,
        now=now,
    )


async def newest_rotation(tx: TenantTx, connection_id: UUID) -> SecretRotation | None:
    """The rotation that is open, else the last one; None where there never was one."""
    row = await tx.first(
        f"{_SELECT} AND r.connection_id = :connection "
        "ORDER BY r.finished_at IS NULL DESC, r.started_at DESC LIMIT 1",
        tenant=tx.tenant_id,
        connection=connection_id,
    )
    return None if row is None else _rotation(row)


async def find_rotation(tx: TenantTx, rotation_id: UUID) -> SecretRotation | None:
    row = await tx.first(f"{_SELECT} AND r.rotation_id = :id", tenant=tx.tenant_id, id=rotation_id)
    return None if row is None else _rotation(row)


async def record_look(tx: TenantTx, rotation_id: UUID, look: Look, now: datetime) -> bool:
    """Keep what the last look saw; False when the rotation has ended."""
    touched = await tx.run(
        _RECORD,
        tenant=tx.tenant_id,
        id=rotation_id,
        new=look.new.value,
        old=look.old.value,
        note=look.note,
        now=now,
    )
    return bool(touched)


async def take_new_secret(tx: TenantTx, rotation: SecretRotation, now: datetime) -> bool:
    """Put the new secret into use and keep the old one; False when that was done before."""
    if not await tx.run(_SWITCH, tenant=tx.tenant_id, id=rotation.rotation_id, now=now):
        return False
    await tx.run(
        _TAKE_NEW, tenant=tx.tenant_id, connection=rotation.connection.connection_id, now=now
    )
    return True


async def end_rotation(
    tx: TenantTx,
    rotation: SecretRotation,
    state: RotationState,
    keep: Side,
    note: str,
    now: datetime,
) -> bool:
    """Close the rotation and destroy the secret that is not kept; False when it was closed."""
    if not await tx.run(
        _FINISH,
        tenant=tx.tenant_id,
        id=rotation.rotation_id,
        state=state.value,
        note=note,
        now=now,
    ):
        return False
    await tx.run(
        _FORGET,
        tenant=tx.tenant_id,
        connection=rotation.connection.connection_id,
        keep=keep.value,
        now=now,
    )
    return True


def _rotation(row: Row[Any]) -> SecretRotation:
    return SecretRotation(
        rotation_id=row.rotation_id,
        connection=ConnectionKey(
            tenant_id=TenantId(row.tenant_id),
            connection_id=ConnectionId(row.connection_id),
            provider=row.provider,
        ),
        kind=SecretKind(row.kind),
        state=RotationState(row.state),
        requested_by=row.requested_by,
        started_at=row.started_at,
        deadline=row.deadline,
        switched_at=row.switched_at,
        finished_at=row.finished_at,
        looks=row.looks,
        looked_at=row.looked_at,
        new=Admission(row.new_admission),
        old=Admission(row.old_admission),
        note=row.note,
    )
