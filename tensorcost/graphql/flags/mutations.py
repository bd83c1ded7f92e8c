"""Overrides of feature flags."""

from typing import Annotated

import strawberry

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import UserId
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.flags.types import FeatureFlag
from tensorcost.graphql.ids import uuid_in
from tensorcost.graphql.problems import ForbiddenProblem, NotFoundProblem, ValidationProblem
from tensorcost.graphql.roots import mutation
from tensorcost.graphql.tenancy.types import MEMBER
from tensorcost.services.flags import FlagService

OverrideFeatureFlagResult = Annotated[
    FeatureFlag | ValidationProblem | ForbiddenProblem | NotFoundProblem,
    strawberry.union("OverrideFeatureFlagResult"),
]


@strawberry.type
class FlagMutations:
    @mutation(
        FlagService.override,
        "Set a flag for the tenant or one member; null takes the override back.",
    )
    async def override_feature_flag(
        self,
        info: GraphqlInfo,
        key: str,
        enabled: bool | None = strawberry.UNSET,
        member_id: strawberry.ID | None = None,
    ) -> OverrideFeatureFlagResult:
        if enabled is strawberry.UNSET:
            # A nullable argument may be left out, but null means something here.
            raise ValidationFailed("give 'enabled': true, false or null", field="enabled")
        context = info.context
        user_id = (
            None if member_id is None else UserId(uuid_in(member_id, MEMBER, field="memberId"))
        )
        changed = await context.services.flags.override(context.principal, key, enabled, user_id)
        return FeatureFlag.from_domain(changed)
