"""Answers kept for a day under the caller's Idempotency-Key."""

from dataclasses import dataclass
from datetime import datetime

from tensorcost.storage.session import TenantTx


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A claim on a key; ``status`` and ``response`` are None while its request still runs."""

    body_hash: bytes
    status: int | None
    response: bytes | None


async def claim(
    tx: TenantTx,
    *,
    route: str,
    key: str,
    body_hash: bytes,
    now: datetime,
    expired_before: datetime,
    abandoned_before: datetime,
) -> KeptAnswer | None:
    """None when the key is now this request's; otherwise what is kept under it.

    A claim that expired, or whose request never came to an end, is taken over.
    """
    await tx.run("DELETE FROM app.idempotency_key WHERE created_at < :old", old=expired_before)
    claimed = await tx.run(
        "INSERT INTO app.idempotency_key AS k (tenant_id, route, key, body_hash, created_at)"
        " VALUES (:tenant, :route, :key, :body, :now)"
        " ON CONFLICT (tenant_id, route, key) DO UPDATE"
        " SET body_hash = excluded.body_hash, created_at = excluded.created_at"
        " WHERE k.status IS NULL AND k.created_at < :abandoned",
        tenant=tx.tenant_id,
        route=route,
        key=key,
        body=body_hash,
        now=now,
        abandoned=abandoned_before,
    )
    if claimed:
        return None
    row = await tx.first(
        "SELECT body_hash, status, response FROM app.idempotency_key"
        " WHERE route = :route AND key = :key",
        route=route,
        key=key,
    )
    if row is None:
        return KeptAnswer(body_hash, None, None)
    return KeptAnswer(
        bytes(row.body_hash), row.status, None if row.response is None else bytes(row.response)
    )


async def keep(tx: TenantTx, *, route: str, key: str, status: int, response: bytes) -> None:
    await tx.run(
        "UPDATE app.idempotency_key SET status = :status, response = :response"
        " WHERE route = :route AND key = :key",
        route=route,
        key=key,
        status=status,
        response=response,
    )


async def release(tx: TenantTx, *, route: str, key: str) -> None:
    """Give up a claim without an answer, so that a retry runs."""
    await tx.run(
        "DELETE FROM app.idempotency_key WHERE route = :route AND key = :key AND status IS NULL",
        route=route,
        key=key,
    )


async def prune_keys(tx: TenantTx, before: datetime, *, most: int) -> int:
    """Forget at most ``most`` keys from before ``before``; how many went.

    A claim does the same for its own tenant; here go the keys of tenants that make none.
    """
    return await tx.run(
        "DELETE FROM app.idempotency_key WHERE tenant_id = :tenant AND (route, key) IN ("
        "SELECT route, key FROM app.idempotency_key WHERE tenant_id = :tenant "
        "AND created_at < :before ORDER BY created_at LIMIT :most)",
        tenant=tx.tenant_id,
        before=before,
        most=most,
    )
