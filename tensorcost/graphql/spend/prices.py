"""Prices in force."""

from datetime import datetime

import strawberry

from tensorcost.graphql.scalars import Rate
from tensorcost.services import prices as answers


@strawberry.type(description="US dollars per 1,000,000 units, valid in [validFrom, validTo).")
class Price:
    provider: str
    model_id: str
    region: str
    routing_scope: str
    service_tier: str
    modality: str
    context_bucket: str
    kind: str
    usd_per_million: Rate
    valid_from: datetime
    valid_to: datetime | None
    version: int
    source: str
    is_override: bool
    is_overridden: bool = strawberry.field(
        description="A list price that an override of the tenant replaces."
    )

    @classmethod
    def from_domain(cls, found: answers.PriceInForce) -> "Price":
        price, key = found.price, found.price.key
        return cls(
            provider=key.provider,
            model_id=key.model_id,
            region=key.region,
            routing_scope=key.routing_scope.value,
            service_tier=key.service_tier.value,
            modality=key.modality,
            context_bucket=key.context_bucket,
            kind=key.kind.value,
            usd_per_million=Rate(price.usd_per_million),
            valid_from=price.valid_from,
            valid_to=price.valid_to,
            version=price.version,
            source=price.source,
            is_override=found.is_override,
            is_overridden=found.is_overridden,
        )


@strawberry.type(description="Prices of one model at one instant.")
class ModelPrices:
    model_id: str
    at: datetime
    prices: list[Price]

    @classmethod
    def from_domain(cls, found: answers.ModelPriceList) -> "ModelPrices":
        return cls(
            model_id=found.model_id,
            at=found.at,
            prices=[Price.from_domain(price) for price in found.prices],
        )
