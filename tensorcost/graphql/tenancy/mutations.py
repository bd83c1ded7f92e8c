"""Changes to the tenant and its members."""

from typing import Annotated

import strawberry
from pydantic import ValidationError

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy import settings
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import uuid_in
from tensorcost.graphql.problems import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation
from tensorcost.graphql.tenancy.types import (
    MEMBER,
    Branding,
    Invitation,
    Member,
    RemovedMember,
    Tenant,
)
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService

UpdateTenantResult = Annotated[
    Tenant | ValidationProblem | ForbiddenProblem, strawberry.union("UpdateTenantResult")
]
UpdateBrandingResult = Annotated[
    Branding | ValidationProblem | ForbiddenProblem, strawberry.union("UpdateBrandingResult")
]
InviteMemberResult = Annotated[
    Invitation | ValidationProblem | ForbiddenProblem | ConflictProblem,
    strawberry.union("InviteMemberResult"),
]
ChangeMemberRoleResult = Annotated[
    Member | ValidationProblem | ForbiddenProblem | NotFoundProblem | ConflictProblem,
    strawberry.union("ChangeMemberRoleResult"),
]
RemoveMemberResult = Annotated[
    RemovedMember | ValidationProblem | ForbiddenProblem | NotFoundProblem | ConflictProblem,
    strawberry.union("RemoveMemberResult"),
]


@strawberry.input
class BrandingInput:
    logo_url: str | None = None
    primary_color: str | None = None
    accent_color: str | None = None
    custom_domain: str | None = None

    def to_domain(self) -> settings.Branding:
        """The branding; ValidationFailed naming the first field that is not acceptable."""
        try:
            return settings.Branding(**vars(self))
        except ValidationError as error:
            first = error.errors()[0]
            raise ValidationFailed(
                str(first["msg"]), field=".".join(str(part) for part in first["loc"]) or None
            ) from error


@strawberry.type
class TenancyMutations:
    @mutation(TenantService.update, "Rename the tenant, or give it another time zone.")
    async def update_tenant(
        self, info: GraphqlInfo, name: str | None = None, time_zone: str | None = None
    ) -> UpdateTenantResult:
        context = info.context
        changed = await context.services.tenants.update(
            context.principal, name=name, time_zone=time_zone
        )
        return Tenant.from_domain(changed)

    @mutation(TenantService.rebrand, "Replace the branding as a whole.")
    async def update_branding(
        self, info: GraphqlInfo, branding: BrandingInput
    ) -> UpdateBrandingResult:
        context = info.context
        changed = await context.services.tenants.rebrand(context.principal, branding.to_domain())
        return Branding.from_domain(changed)

    @mutation(MemberService.invite, "Invite an e-mail address; again replaces its token.")
    async def invite_member(self, info: GraphqlInfo, email: str, role: Role) -> InviteMemberResult:
        context = info.context
        invited = await context.services.members.invite(context.principal, email, role)
        return Invitation.from_domain(invited)

    @mutation(MemberService.change_role, "Give a member another role.")
    async def change_member_role(
        self, info: GraphqlInfo, id: strawberry.ID, role: Role
    ) -> ChangeMemberRoleResult:
        context = info.context
        user_id = UserId(uuid_in(id, MEMBER))
        changed = await context.services.members.change_role(context.principal, user_id, role)
        return Member.from_domain(changed)

    @mutation(MemberService.remove, "End a membership and its sign-ins.")
    async def remove_member(self, info: GraphqlInfo, id: strawberry.ID) -> RemoveMemberResult:
        context = info.context
        await context.services.members.remove(context.principal, UserId(uuid_in(id, MEMBER)))
        return RemovedMember(id=id)
