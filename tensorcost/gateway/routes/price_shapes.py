"""The published shape of what an import of a tenant's own prices is for."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.price_matches import ModelMatch, NearMiss, PlaceMatch, PricePlace
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.gateway.routes.cost_shapes import Json

MOST_MODELS: Final = 100


class PricePlaceOut(BaseModel):
    provider: str
    routing_scope: RoutingScope
    region: str
    service_tier: ServiceTier
    modality: str
    context_bucket: str
    dimensions: int = Field(description="Stored combinations of tags, accounts and the like.")
    requests: int = Field(description="Stored calls since the prices hold, each counted once.")


class PlaceMatchOut(PricePlaceOut):
    kinds: list[str]


class NearMissOut(PricePlaceOut):
    last_day: date = Field(description="The last day of such usage.")
    differs: list[str] = Field(
        description="Parts of the key in which the nearest of these prices differs; none where "
        "the prices hold only later, or another price of your own comes before them."
    )
    write_as: str = Field(description="The key in a price map that means this usage; may be empty.")


class PriceMatchOut(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    provider: str
    model_id: str
    idle: bool = Field(description="No stored call takes a price of it: nothing is re-rated.")
    places: list[PlaceMatchOut]
    near_misses: list[NearMissOut] = Field(
        description="Stored usage of the model that takes none of these prices."
    )
    similar: list[str] = Field(description="Models with stored usage, where this one has none.")


def matches_json(matches: Sequence[ModelMatch]) -> list[Json]:
    """The first models; those whose usage is missed come first."""
    return [
        {
            "provider": match.provider,
            "model_id": match.model_id,
            "idle": match.is_idle,
            "places": [_match(one) for one in match.places],
            "near_misses": [_missed(one) for one in match.missed],
            "similar": list(match.similar),
        }
        for match in matches[:MOST_MODELS]
    ]


def _match(found: PlaceMatch) -> Json:
    return {
        **_place(found.place),
        "dimensions": found.dimensions,
        "requests": found.requests,
        "kinds": [kind.value for kind in found.kinds],
    }


def _missed(found: NearMiss) -> Json:
    return {
        **_place(found.place),
        "dimensions": found.dimensions,
        "requests": found.requests,
        "last_day": found.last_day.isoformat(),
        "differs": list(found.differs),
        "write_as": found.write_as,
    }


def _place(place: PricePlace) -> Json:
    return {
        "provider": place.provider,
        "routing_scope": place.routing_scope.value,
        "region": place.region,
        "service_tier": place.service_tier.value,
        "modality": place.modality,
        "context_bucket": place.context_bucket,
    }
