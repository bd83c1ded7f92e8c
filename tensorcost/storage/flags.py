"""Overrides of feature flags, for a tenant or one of its users."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy.flags import FlagOverride
from tensorcost.storage.session import TenantTx

_EVERYBODY: Final = UUID(int=0)


async def overrides_for(tx: TenantTx, user_id: UserId | None) -> Sequence[FlagOverride]:
    """The tenant's overrides and those of one user."""
    rows = await tx.all(
        "SELECT flag_key, user_id, enabled FROM app.feature_flag_override"
        " WHERE user_id IN (:everybody, :user)",
        everybody=_EVERYBODY,
        user=user_id or _EVERYBODY,
    )
    return [
        FlagOverride(
            row.flag_key,
            row.enabled,
            None if row.user_id == _EVERYBODY else UserId(row.user_id),
        )
        for row in rows
    ]


async def put_override(tx: TenantTx, override: FlagOverride) -> None:
    await tx.run(
        "INSERT INTO app.feature_flag_override (tenant_id, flag_key, user_id, enabled)"
        " VALUES (:tenant, :key, :user, :enabled)"
        " ON CONFLICT (tenant_id, flag_key, user_id)"
        " DO UPDATE SET enabled = excluded.enabled, updated_at = now()",
        tenant=tx.tenant_id,
        key=override.key,
        user=override.user_id or _EVERYBODY,
        enabled=override.enabled,
    )


async def delete_override(tx: TenantTx, key: str, user_id: UserId | None) -> bool:
    """True when there was one."""
    return (
        await tx.run(
            "DELETE FROM app.feature_flag_override WHERE flag_key = :key AND user_id = :user",
            key=key,
            user=user_id or _EVERYBODY,
        )
        == 1
    )
