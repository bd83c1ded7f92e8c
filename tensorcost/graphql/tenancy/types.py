"""Tenant, members, and who is asking."""

from datetime import UTC, datetime

import strawberry

from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.tenancy import members, settings
from tensorcost.domain.tenancy.members import MemberStatus
from tensorcost.graphql.ids import Node, global_id
from tensorcost.services.tenancy.members import Invited

strawberry.enum(Plan, name="Plan")
strawberry.enum(PrincipalKind, name="PrincipalKind")
strawberry.enum(Role, name="Role")
strawberry.enum(MemberStatus, name="MemberStatus")

TENANT = "Tenant"
MEMBER = "Member"


@strawberry.type
class Tenant(Node):
    slug: str
    name: str
    plan: Plan
    status: str
    time_zone: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_domain(cls, found: settings.Tenant) -> "Tenant":
        return cls(
            id=global_id(TENANT, found.id),
            slug=found.slug,
            name=found.name,
            plan=found.plan,
            status=found.status,
            time_zone=found.time_zone,
            created_at=found.created_at,
            updated_at=found.updated_at,
        )


@strawberry.type(description="Shown in embedded dashboards and reports.")
class Branding:
    logo_url: str | None
    primary_color: str | None
    accent_color: str | None
    custom_domain: str | None

    @classmethod
    def from_domain(cls, found: settings.Branding) -> "Branding":
        return cls(**found.model_dump())


@strawberry.type(description="Who is asking, in which tenant, and what that allows.")
class Viewer:
    subject: str
    kind: PrincipalKind
    roles: list[Role]
    scopes: list[str]
    plan: Plan
    expires_at: datetime = strawberry.field(description="When the credential ends.")
    tenant: Tenant

    @classmethod
    def of(cls, principal: Principal, tenant: settings.Tenant) -> "Viewer":
        return cls(
            subject=principal.subject,
            kind=principal.kind,
            roles=sorted(principal.roles),
            scopes=sorted(scope.value for scope in principal.scopes),
            plan=principal.plan,
            expires_at=datetime.fromtimestamp(principal.expires_at, UTC),
            tenant=Tenant.from_domain(tenant),
        )


@strawberry.type
class Member(Node):
    user_id: str
    email: str
    display_name: str
    role: Role
    status: MemberStatus
    joined_at: datetime

    @classmethod
    def from_domain(cls, found: members.Member) -> "Member":
        return cls(
            id=global_id(MEMBER, found.user_id),
            user_id=str(found.user_id),
            email=found.email,
            display_name=found.display_name,
            role=found.role,
            status=found.status,
            joined_at=found.joined_at,
        )


@strawberry.type(description="A member to be. `token` is shown this once.")
class Invitation:
    member: Member
    token: str
    expires_at: datetime

    @classmethod
    def from_domain(cls, found: Invited) -> "Invitation":
        return cls(
            member=Member.from_domain(found.member),
            token=found.token,
            expires_at=found.expires_at,
        )


@strawberry.type(description="A membership that has ended.")
class RemovedMember:
    id: strawberry.ID
