"""Which stored usage the prices of one import are for, and which usage of the same models not.

An override that no row is under changes nothing, and nothing else would say so: the key of a price
holds more than the model's name.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tensorcost.domain.cost.price import PriceKey, PriceKind, price_provider, price_scope
from tensorcost.domain.spend.facts import Dimension, RoutingScope, ServiceTier


class PricePlace(NamedTuple):
    """A price's key but for the kind."""

    provider: str
    model_id: str
    routing_scope: RoutingScope
    region: str
    service_tier: ServiceTier
    modality: str
    context_bucket: str

    @classmethod
    def of_key(cls, key: PriceKey) -> "PricePlace":
        return cls(
            key.provider,
            key.model_id,
            key.routing_scope,
            key.region,
            key.service_tier,
            key.modality,
            key.context_bucket,
        )

    @classmethod
    def of_usage(cls, where: Dimension) -> "PricePlace":
        """The narrowest place whose prices hold for the usage."""
        provider = price_provider(where)
        return cls(
            provider,
            where.model_id,
            price_scope(provider, where.routing_scope),
            where.region,
            where.service_tier,
            where.modality,
            where.context_bucket,
        )


@dataclass(frozen=True, slots=True)
class UsedPlace:
    """Stored usage that is priced alike; the account is left out of ``where``."""

    where: Dimension
    dimensions: int
    """Stored combinations, those with other tags and accounts too."""
    requests: int
    """Since the import's date; every call once."""
    last_day: date


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """One place of an import's prices, and the stored usage that takes its price from there."""

    place: PricePlace
    kinds: tuple[PriceKind, ...]
    dimensions: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Stored usage of the same model that takes no price of the import."""

    place: PricePlace
    dimensions: int
    requests: int
    last_day: date
    differs: tuple[str, ...]
    """Parts of the key in which the nearest price differs. None where the prices hold later than
    the last day, or another one of the tenant's own comes before them."""
    write_as: str
    """The key of a price map under which its price is; empty where this is not known."""


@dataclass(frozen=True, slots=True)
class ModelMatch:
    provider: str
    model_id: str
    places: tuple[PlaceMatch, ...]
    """Those that stored usage is under first."""
    missed: tuple[NearMiss, ...] = ()
    similar: tuple[str, ...] = ()
    """Names of models with stored usage, where this one has none."""

    @property
    def is_idle(self) -> bool:
        """No stored usage takes a price of the import."""
        return not any(place.dimensions for place in self.places)
