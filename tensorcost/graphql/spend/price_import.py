"""Bringing a tenant's own prices in, and what they are for."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from tensorcost.activities.ingest.price_import import PriceImportReport
from tensorcost.domain.cost import price_matches
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.problems import ForbiddenProblem, ValidationProblem
from tensorcost.graphql.roots import mutation
from tensorcost.graphql.scalars import Count
from tensorcost.services.prices import PriceService

MOST_MODELS = 100
_PLACES = 20


@strawberry.type(description="A price's key but for the kind, and the stored usage there.")
class PricePlace:
    provider: str
    routing_scope: str
    region: str
    service_tier: str
    modality: str
    context_bucket: str
    dimensions: int = strawberry.field(
        description="Stored combinations of tags, accounts and the like."
    )
    requests: Count = strawberry.field(
        description="Stored calls since the prices hold, each counted once."
    )

    @classmethod
    def from_domain(cls, found: price_matches.PlaceMatch | price_matches.NearMiss) -> "PricePlace":
        place = found.place
        return cls(
            provider=place.provider,
            routing_scope=place.routing_scope.value,
            region=place.region,
            service_tier=place.service_tier.value,
            modality=place.modality,
            context_bucket=place.context_bucket,
            dimensions=found.dimensions,
            requests=Count(found.requests),
        )


@strawberry.type(description="Imported prices of one place, and what takes its price from them.")
class MatchedPrices:
    place: PricePlace
    kinds: list[str]


@strawberry.type(description="Stored usage of the model that takes none of these prices.")
class MissedUsage:
    place: PricePlace
    last_day: date
    differs: list[str] = strawberry.field(
        description="Parts of the key in which the nearest of these prices differs; none where the "
        "prices hold only later, or another price of your own comes before them."
    )
    write_as: str = strawberry.field(
        description="The key in a price map that means this usage; may be empty."
    )


@strawberry.type(description="A model of the import.")
class ModelMatch:
    provider: str
    model_id: str
    is_idle: bool = strawberry.field(
        description="No stored call takes a price of it: nothing is re-rated."
    )
    places: list[MatchedPrices] = listed(_PLACES)
    near_misses: list[MissedUsage] = listed(_PLACES)
    similar: list[str] = strawberry.field(
        description="Models with stored usage, where this one has none."
    )

    @classmethod
    def from_domain(cls, found: price_matches.ModelMatch) -> "ModelMatch":
        return cls(
            provider=found.provider,
            model_id=found.model_id,
            is_idle=found.is_idle,
            places=[
                MatchedPrices(
                    place=PricePlace.from_domain(one), kinds=[kind.value for kind in one.kinds]
                )
                for one in found.places
            ],
            near_misses=[
                MissedUsage(
                    place=PricePlace.from_domain(one),
                    last_day=one.last_day,
                    differs=list(one.differs),
                    write_as=one.write_as,
                )
                for one in found.missed
            ],
            similar=list(found.similar),
        )


@strawberry.type(description="Prices left out, by reason.")
class SkippedPrices:
    reason: str
    count: int


@strawberry.type(description="A price field that we do not know.")
class UnknownPrice:
    model: str
    field: str


@strawberry.type(description="What an import of prices did.")
class PriceImport:
    version: int
    new: bool = strawberry.field(description="False where the same map was there for the same day.")
    source: str
    effective_from: datetime
    prices: int
    models: int
    skipped: list[SkippedPrices]
    unknown: list[UnknownPrice]
    conflicts: int = strawberry.field(
        description="Prices that two models give differently; one won."
    )
    matches: list[ModelMatch] = listed(
        MOST_MODELS, "By model, those whose usage takes none of these prices first."
    )
    idle_models: int = strawberry.field(
        description="Models of which no stored call takes a price of these."
    )

    @classmethod
    def from_domain(cls, found: PriceImportReport) -> "PriceImport":
        return cls(
            version=found.version,
            new=found.new,
            source=found.source,
            effective_from=found.effective_from,
            prices=found.prices,
            models=found.models,
            skipped=[SkippedPrices(reason=why, count=n) for why, n in found.skipped.items()],
            unknown=[UnknownPrice(model=model, field=name) for model, name in found.unknown],
            conflicts=found.conflicts,
            matches=[ModelMatch.from_domain(one) for one in found.matches[:MOST_MODELS]],
            idle_models=sum(match.is_idle for match in found.matches),
        )


PriceImportResult = Annotated[
    PriceImport | ValidationProblem | ForbiddenProblem, strawberry.union("PriceImportResult")
]
_WORDS = (
    "Your own negotiated prices: they win over the list from their UTC day on. `priceMap` is a "
    "LiteLLM-shaped map as JSON text, so that no price passes through a float; a larger one than "
    "a request may hold goes to `POST /v1/cost/prices`. Stored rows that they concern are "
    "re-rated, after an approval where their month is over."
)


@strawberry.type
class PriceMutations:
    @mutation(PriceService.import_own, _WORDS)
    async def import_prices(
        self, info: GraphqlInfo, price_map: str, effective_from: date, source: str
    ) -> PriceImportResult:
        context = info.context
        report = await context.services.prices.import_own(
            context.principal, price_map.encode(), effective_from, source
        )
        return PriceImport.from_domain(report)
