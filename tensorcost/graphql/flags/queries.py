"""Which features are on."""

import strawberry

from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.flags.types import FeatureFlag
from tensorcost.graphql.roots import query
from tensorcost.services.flags import FlagService


@strawberry.type
class FlagQueries:
    @query(FlagService.values, "Every known flag for the caller, with the reason why.")
    async def feature_flags(self, info: GraphqlInfo) -> list[FeatureFlag] | None:
        context = info.context
        found = await context.services.flags.values(context.principal)
        return [FeatureFlag.from_domain(value) for value in found]
