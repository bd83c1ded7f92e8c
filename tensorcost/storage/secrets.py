"""Secrets that belong to a tenant, by kind; the newest version is the one in use."""

from tensorcost.storage.session import TenantTx


async def read_secret(tx: TenantTx, kind: str) -> bytes | None:
    """The newest version of the secret, or None where the tenant has none of this kind."""
    found = await tx.scalar(
        "SELECT secret FROM app.tenant_secret WHERE kind = :kind ORDER BY version DESC LIMIT 1",
        kind=kind,
    )
    return None if found is None else bytes(found)


async def add_secret(tx: TenantTx, kind: str, secret: bytes) -> int:
    """Add the next version; its number. Earlier versions stay readable for what they keyed."""
    version = await tx.scalar(
        "INSERT INTO app.tenant_secret (tenant_id, kind, version, secret)"
        " SELECT :tenant, :kind, coalesce(max(version), 0) + 1, :secret"
        " FROM app.tenant_secret WHERE kind = :kind RETURNING version",
        tenant=tx.tenant_id,
        kind=kind,
        secret=secret,
    )
    return int(version)
