"""Live values of feature flags, and their overrides (A9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal, PrincipalKind
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy.flags import (
    FLAGS,
    FlagOverride,
    FlagValue,
    evaluate,
    evaluate_all,
)
from tensorcost.services.authorise import requires
from tensorcost.storage import audit, flags, tenancy
from tensorcost.storage.session import Database


@dataclass(frozen=True, slots=True)
class FlagService:
    """Reads the overrides on every call: a change shows at once."""

    database: Database
    killed: frozenset[str] = frozenset()
    """Flags that the operator switched off for everybody."""

    @requires()
    async def values(self, principal: Principal) -> Sequence[FlagValue]:
        """Every known flag for the caller, with the reason of its value."""
        user_id = _user_of(principal)
        async with self.database.tenant(principal.tenant_id) as tx:
            overrides = await flags.overrides_for(tx, user_id)
        return evaluate_all(
            plan=principal.plan, user_id=user_id, overrides=overrides, killed=self.killed
        )

    async def is_enabled(self, principal: Principal, key: str) -> bool:
        """One flag's value for the caller; for services, not for faces."""
        user_id = _user_of(principal)
        async with self.database.tenant(principal.tenant_id) as tx:
            overrides = await flags.overrides_for(tx, user_id)
        return evaluate(
            key, plan=principal.plan, user_id=user_id, overrides=overrides, killed=self.killed
        ).enabled

    @requires(Scope.TENANT_ADMIN)
    async def override(
        self, principal: Principal, key: str, enabled: bool | None, user_id: UserId | None = None
    ) -> FlagValue:
        """Set (or with None remove) the override for the tenant or one member; the new value.

        Raises NotFound for an unknown flag or member.
        """
        if key not in FLAGS:
            raise NotFound("feature flag", key)
        async with self.database.tenant(principal.tenant_id) as tx:
            if user_id is not None and await tenancy.find_member(tx, user_id) is None:
                raise NotFound("member", user_id)
            if enabled is None:
                await flags.delete_override(tx, key, user_id)
            else:
                await flags.put_override(tx, FlagOverride(key, enabled, user_id))
            await audit.record(
                tx,
                actor=actor_of(principal),
                action="feature_flag.overridden",
                resource_type="feature_flag",
                resource_id=key,
                detail={"enabled": enabled, "user_id": None if user_id is None else str(user_id)},
            )
            overrides = await flags.overrides_for(tx, user_id)
        return evaluate(
            key, plan=principal.plan, user_id=user_id, overrides=overrides, killed=self.killed
        )


def _user_of(principal: Principal) -> UserId | None:
    return UserId(UUID(principal.subject)) if principal.kind is PrincipalKind.USER else None
