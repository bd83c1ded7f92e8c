"""The tenant's settings, members, branding and feature flags (A9, A10)."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy.flags import FlagReason
from tensorcost.domain.tenancy.members import Member, MemberStatus
from tensorcost.domain.tenancy.settings import Branding
from tensorcost.gateway.envelope import Bytes, Envelope, created, listed, ok, row_of
from tensorcost.gateway.paging import Paging, next_cursor, time_and_id
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.flags import FlagService
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TenantOut(BaseModel):
    id: UUID
    slug: str
    name: str
    plan: Plan
    status: str
    time_zone: str
    created_at: datetime
    updated_at: datetime


class TenantChange(_In):
    name: Short | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, examples=["Europe/Berlin"]
    )


class MemberOut(BaseModel):
    id: UUID
    email: str
    display_name: str
    role: Role
    status: MemberStatus
    joined_at: datetime


class NewMember(_In):
    email: Annotated[str, StringConstraints(min_length=3, max_length=254)]
    role: Role = Role.VIEWER


class InvitedOut(MemberOut):
    invitation: str = Field(description="Shown once. Its bearer becomes the member.")
    invitation_expires_at: datetime


_MemberRow: Final = row_of(MemberOut)
_InvitedRow: Final = row_of(InvitedOut)


class RoleChange(_In):
    role: Role


class FlagOut(BaseModel):
    key: str
    enabled: bool
    reason: FlagReason
    description: str


class FlagChange(_In):
    enabled: bool | None = Field(description="null removes the override.")
    user_id: UUID | None = Field(default=None, description="One member; else the whole tenant.")


def router(tenants: TenantService, members: MemberService, flags: FlagService) -> APIRouter:
    """``/v1/tenant``."""
    routes = api("/v1/tenant", "tenant")
    _settings(routes, tenants)
    _members(routes, members)
    _flags(routes, flags)
    return routes


def _settings(routes: APIRouter, tenants: TenantService) -> None:
    @routes.get("", response_model=Envelope[TenantOut])
    @serves(TenantService.read)
    async def get_tenant(caller: Caller) -> Bytes:
        """The current tenant's settings."""
        return ok(await tenants.read(caller))

    @routes.patch("", response_model=Envelope[TenantOut])
    @serves(TenantService.update)
    async def update_tenant(caller: Caller, body: TenantChange) -> Bytes:
        """Change the tenant's name or time zone."""
        return ok(await tenants.update(caller, name=body.name, time_zone=body.time_zone))

    @routes.get("/branding", response_model=Envelope[Branding])
    @serves(TenantService.branding)
    async def get_branding(caller: Caller) -> Bytes:
        """Logo, colours and custom domain."""
        return ok(await tenants.branding(caller))

    @routes.put("/branding", response_model=Envelope[Branding])
    @serves(TenantService.rebrand)
    async def replace_branding(caller: Caller, body: Branding) -> Bytes:
        """Replace the branding as a whole."""
        return ok(await tenants.rebrand(caller, body))


def _members(routes: APIRouter, members: MemberService) -> None:
    @routes.get("/members", response_model=Envelope[list[MemberOut]])
    @serves(MemberService.list)
    async def list_members(caller: Caller, page: Paging) -> Bytes:
        """Members and their roles, oldest first."""
        rows = await members.list(caller, limit=page.limit, after=time_and_id(page))
        return listed(
            [_MemberRow(*_member(row)) for row in rows],
            next_cursor=next_cursor(
                rows, page, lambda row: (row.joined_at.isoformat(), str(row.user_id))
            ),
        )

    @routes.post("/members", status_code=201, response_model=Envelope[InvitedOut])
    @serves(MemberService.invite)
    async def invite_member(caller: Caller, body: NewMember) -> Bytes:
        """Invite a member. Inviting an invited address again replaces the invitation."""
        invited = await members.invite(caller, body.email, body.role)
        return created(_InvitedRow(*_member(invited.member), invited.token, invited.expires_at))

    @routes.patch("/members/{id}/role", response_model=Envelope[MemberOut])
    @serves(MemberService.change_role)
    async def change_member_role(caller: Caller, id: UUID, body: RoleChange) -> Bytes:
        """Change a member's role. The last owner stays one."""
        changed = await members.change_role(caller, UserId(id), body.role)
        return ok(_MemberRow(*_member(changed)))

    @routes.delete("/members/{id}", response_model=Envelope[dict[str, bool]])
    @serves(MemberService.remove)
    async def remove_member(caller: Caller, id: UUID) -> Bytes:
        """Remove a member and end their sign-ins. The last owner stays."""
        await members.remove(caller, UserId(id))
        return ok({"removed": True})


def _flags(routes: APIRouter, flags: FlagService) -> None:
    @routes.get("/feature-flags", response_model=Envelope[list[FlagOut]])
    @serves(FlagService.values)
    async def list_feature_flags(caller: Caller) -> Bytes:
        """Live values for the current user, each with its reason."""
        return ok(await flags.values(caller))

    @routes.put("/feature-flags/{key}", response_model=Envelope[FlagOut])
    @serves(FlagService.override)
    async def override_feature_flag(caller: Caller, key: Short, body: FlagChange) -> Bytes:
        """Override a flag for the tenant or one member, or remove the override."""
        user_id = None if body.user_id is None else UserId(body.user_id)
        return ok(await flags.override(caller, key, body.enabled, user_id))


def _member(member: Member) -> tuple[Any, ...]:
    """The values of a ``MemberOut``."""
    return (
        member.user_id,
        member.email,
        member.display_name,
        member.role,
        member.status,
        member.joined_at,
    )
