"""What resolvers are given: who asks, the use cases, and loaders of this operation alone."""

from dataclasses import dataclass, field

from strawberry.types import Info

from tensorcost.domain.identity.principal import Principal
from tensorcost.graphql.deps import GraphqlServices
from tensorcost.graphql.integration.loaders import IntegrationLoaders
from tensorcost.storage.price_queries import PriceVersion


@dataclass(slots=True)
class GraphqlContext:
    """One an operation: what a loader has read is never shown to a later operation."""

    principal: Principal
    services: GraphqlServices
    trace_id: str
    position: int | None = None
    """Cursor of the event that a subscription is answering, for whoever has to resume it."""
    is_stream: bool = False
    prices: dict[int, PriceVersion] = field(default_factory=dict)
    """Origins of the prices that this operation's spend events name."""
    _integration: IntegrationLoaders | None = None

    @property
    def integration(self) -> IntegrationLoaders:
        """Loaders of the integration context, made when first asked for."""
        if self._integration is None:
            self._integration = IntegrationLoaders(
                self.services, self.principal, cache=not self.is_stream
            )
        return self._integration


GraphqlInfo = Info[GraphqlContext, None]
