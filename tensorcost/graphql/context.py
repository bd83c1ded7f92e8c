"""What resolvers are given: who asks, the use cases, and loaders of this operation alone."""

from dataclasses import dataclass

from strawberry.types import Info

from tensorcost.domain.identity.principal import Principal
from tensorcost.graphql.deps import GraphqlServices


@dataclass(slots=True)
class GraphqlContext:
    """One an operation: what a loader has read is never shown to a later operation."""

    principal: Principal
    services: GraphqlServices
    trace_id: str
    position: int | None = None
    """Cursor of the event that a subscription is answering, for whoever has to resume it."""


GraphqlInfo = Info[GraphqlContext, None]
