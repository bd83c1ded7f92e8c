"""Rotations of a tenant's stored secrets. The secrets themselves stand in ``storage.secrets``."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.tenancy.secret_rotation import StoredRotation
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage.session import TenantTx

_SELECT: Final = "SELECT * FROM app.stored_secret_rotation WHERE tenant_id = :tenant"
_INSERT: Final = """
    INSERT INTO app.stored_secret_rotation (tenant_id, rotation_id, kind, state, old_version,
        new_version, requested_by, started_at, deadline)
    VALUES (:tenant, :id, :kind, :state, :old_version, :new_version, :requested_by, :started_at,
        :deadline)
"""
_END: Final = """
    UPDATE app.stored_secret_rotation SET state = :state, finished_at = :now, note = :note
    WHERE tenant_id = :tenant AND rotation_id = :id AND finished_at IS NULL
"""


async def begin_stored_rotation(tx: TenantTx, rotation: StoredRotation) -> None:
    """Store an open rotation. The caller holds the kind's lock and has seen that none is open."""
    await tx.run(
        _INSERT,
        tenant=tx.tenant_id,
        id=rotation.rotation_id,
        kind=rotation.kind.value,
        state=rotation.state.value,
        old_version=rotation.old_version,
        new_version=rotation.new_version,
        requested_by=rotation.requested_by,
        started_at=rotation.started_at,
        deadline=rotation.deadline,
    )


async def newest_stored_rotation(tx: TenantTx, kind: StoredSecretKind) -> StoredRotation | None:
    """The rotation that is open, else the last one; None where there never was one."""
    row = await tx.first(
        f"{_SELECT} AND kind = :kind "
        "ORDER BY finished_at IS NULL DESC, started_at DESC, new_version DESC LIMIT 1",
        tenant=tx.tenant_id,
        kind=kind.value,
    )
    return None if row is None else _rotation(row)


async def find_stored_rotation(tx: TenantTx, rotation_id: UUID) -> StoredRotation | None:
    """The rotation, its row held until the transaction ends."""
    row = await tx.first(
        f"{_SELECT} AND rotation_id = :id FOR UPDATE", tenant=tx.tenant_id, id=rotation_id
    )
    return None if row is None else _rotation(row)


async def end_stored_rotation(tx: TenantTx, ended: StoredRotation) -> None:
    """Write the end of a rotation that is open."""
    await tx.run(
        _END,
        tenant=tx.tenant_id,
        id=ended.rotation_id,
        state=ended.state.value,
        now=ended.finished_at,
        note=ended.note,
    )


def _rotation(row: Row[Any]) -> StoredRotation:
    return StoredRotation(**row._mapping)
