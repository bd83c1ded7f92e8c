"""The tenant's own page: name, time zone, plan, branding (A10)."""

from dataclasses import dataclass

from tensorcost.domain.errors import Forbidden, NotFound, ValidationFailed
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.tenancy.settings import Branding, Tenant, check_time_zone
from tensorcost.services.authorise import requires
from tensorcost.services.flags import FlagService
from tensorcost.storage import audit, tenancy
from tensorcost.storage.session import Database, TenantTx


@dataclass(frozen=True, slots=True)
class TenantService:
    """Reads are for every member, changes for ``tenant:admin``."""

    database: Database
    flags: FlagService

    @requires()
    async def read(self, principal: Principal) -> Tenant:
        """The caller's tenant."""
        async with self.database.tenant(principal.tenant_id) as tx:
            return await _found(tx)

    @requires(Scope.TENANT_ADMIN)
    async def update(
        self, principal: Principal, *, name: str | None = None, time_zone: str | None = None
    ) -> Tenant:
        """Set what is not None; nothing to set is ValidationFailed."""
        if name is None and time_zone is None:
            raise ValidationFailed("nothing to change: give a name or a time_zone")
        if name is not None and not 1 <= len(name.strip()) <= 200:
            raise ValidationFailed("a name has 1 to 200 characters", field="name")
        if time_zone is not None:
            try:
                check_time_zone(time_zone)
            except ValueError as error:
                raise ValidationFailed(str(error), field="time_zone") from error
        async with self.database.tenant(principal.tenant_id) as tx:
            await tenancy.update_tenant(
                tx, name=None if name is None else name.strip(), time_zone=time_zone
            )
            await self._note(tx, principal, ["name"] * bool(name) + ["time_zone"] * bool(time_zone))
            return await _found(tx)

    @requires()
    async def branding(self, principal: Principal) -> Branding:
        """Logo, colours and custom domain."""
        async with self.database.tenant(principal.tenant_id) as tx:
            return await tenancy.read_branding(tx)

    @requires(Scope.TENANT_ADMIN)
    async def rebrand(self, principal: Principal, branding: Branding) -> Branding:
        """Replace the branding as a whole; a custom domain needs its flag."""
        if branding.custom_domain is not None and not await self.flags.is_enabled(
            principal, "custom-domain-enabled"
        ):
            raise Forbidden("a custom domain is part of the enterprise plan")
        async with self.database.tenant(principal.tenant_id) as tx:
            await tenancy.write_branding(tx, branding)
            await self._note(tx, principal, ["branding"])
            return branding

    @staticmethod
    async def _note(tx: TenantTx, principal: Principal, changed: list[str]) -> None:
        await audit.record(
            tx,
            actor=actor_of(principal),
            action="tenant.updated",
            resource_type="tenant",
            resource_id=str(tx.tenant_id),
            detail={"changed": changed},
        )
        tx.emit(
            NewEvent(
                EventType.TENANT_UPDATED,
                {"tenant_id": str(tx.tenant_id), "changed": changed},
                audit.trace_id_now(),
            )
        )


async def _found(tx: TenantTx) -> Tenant:
    tenant = await tenancy.read_tenant(tx)
    if tenant is None:
        raise NotFound("tenant", tx.tenant_id)
    return tenant
