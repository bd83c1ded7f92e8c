"""Secrets that belong to a tenant, by kind; the newest version is the one in use."""

from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage.session import TenantTx

_NEWEST: Final = """
    SELECT version, secret FROM app.tenant_secret
    WHERE tenant_id = :tenant AND kind = :kind ORDER BY version DESC LIMIT 1
"""
_ADD: Final = """
    INSERT INTO app.tenant_secret (tenant_id, kind, version, secret)
    SELECT :tenant, :kind, coalesce(max(used.version), 0) + 1, :secret FROM (
        SELECT version FROM app.tenant_secret WHERE tenant_id = :tenant AND kind = :kind
        UNION ALL SELECT new_version FROM app.stored_secret_rotation
        WHERE tenant_id = :tenant AND kind = :kind
    ) used RETURNING version
"""


async def lock_secrets(tx: TenantTx, kind: StoredSecretKind) -> None:
    """One change of the tenant's secrets of this kind at a time, until the transaction ends."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('secret:' || :tenant || ':' || :kind, 0))",
        tenant=str(tx.tenant_id),
        kind=kind.value,
    )


async def read_secret(tx: TenantTx, kind: StoredSecretKind) -> bytes | None:
    """The secret in use, or None where the tenant has none of this kind."""
    row = await _newest(tx, kind)
    return None if row is None else bytes(row.secret)


async def version_in_use(tx: TenantTx, kind: StoredSecretKind) -> int | None:
    """The number of the secret in use, or None where the tenant has none of this kind."""
    row = await _newest(tx, kind)
    return None if row is None else int(row.version)


async def add_secret(tx: TenantTx, kind: StoredSecretKind, secret: bytes) -> int:
    """Add the next version, which is in use from now on; its number, never given before."""
    version = await tx.scalar(_ADD, tenant=tx.tenant_id, kind=kind.value, secret=secret)
    return int(version)


async def destroy_secret(tx: TenantTx, kind: StoredSecretKind, version: int) -> bool:
    """Delete one version for good; False when it is not there."""
    deleted = await tx.run(
        "DELETE FROM app.tenant_secret"
        " WHERE tenant_id = :tenant AND kind = :kind AND version = :version",
        tenant=tx.tenant_id,
        kind=kind.value,
        version=version,
    )
    return bool(deleted)


async def _newest(tx: TenantTx, kind: StoredSecretKind) -> Row[Any] | None:
    return await tx.first(_NEWEST, tenant=tx.tenant_id, kind=kind.value)
