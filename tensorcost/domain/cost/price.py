"""Prices and the key under which they are looked up (decisions 7)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Dimension, RoutingScope, ServiceTier, Source

ANY_REGION: Final = "*"
BASE_CONTEXT: Final = "base"
CONTEXT_THRESHOLDS: Final[dict[str, int]] = {
    BASE_CONTEXT: 0,
    "above_128k": 128_000,
    "above_200k": 200_000,
    "above_272k": 272_000,
    "above_512k": 512_000,
}
"""Context buckets and the tokens a request must exceed, the same as ``spend.limits``."""

TOKEN_KINDS: Final = tuple(TokenKind)
"""The five disjoint token kinds in column order."""


class UnitKind(StrEnum):
    """What is sold by another unit than the token. The value is the event's ``unit``."""

    REQUEST = "request"
    QUERY = "query"
    PAGE = "page"
    INPUT_IMAGE = "input_image"
    OUTPUT_IMAGE = "output_image"
    INPUT_SECOND = "input_second"
    OUTPUT_SECOND = "output_second"
    INPUT_AUDIO_SECOND = "input_audio_second"
    INPUT_VIDEO_SECOND = "input_video_second"
    OUTPUT_VIDEO_SECOND = "output_video_second"
    INPUT_CHARACTER = "input_character"
    OUTPUT_CHARACTER = "output_character"
    INPUT_PIXEL = "input_pixel"
    OUTPUT_PIXEL = "output_pixel"


PriceKind = TokenKind | UnitKind
_KINDS: Final[dict[str, PriceKind]] = {kind.value: kind for kind in (*TokenKind, *UnitKind)}


def price_kind(name: str) -> PriceKind:
    """The kind of a stored name. Raises ValueError for a name that is none."""
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"unknown price kind: {name}")
    return kind


class UnpricedReason(StrEnum):
    """Why a row has no price. Such a row is counted and shown, never taken as free."""

    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_SCOPE = "unknown_scope"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_MODALITY = "unknown_modality"
    UNKNOWN_REGION = "unknown_region"
    UNKNOWN_TOKEN_KIND = "unknown_token_kind"  # noqa: S105
    UNKNOWN_UNIT = "unknown_unit"
    NO_PRICE_AT_TIME = "no_price_at_time"
    NO_USAGE = "no_usage"
    """A call that did not fail and reports no usage, of a model that is not sold by the token."""
    OUT_OF_RANGE = "out_of_range"
    """The amount does not fit into 64-bit nano-dollars."""


@dataclass(frozen=True, slots=True)
class PriceKey:
    """Everything that a price depends on, but the time of use."""

    provider: str
    model_id: str
    region: str
    """Source region, a geography such as ``us-*``, or ``*`` (see ``regions``)."""
    routing_scope: RoutingScope
    service_tier: ServiceTier
    modality: str
    context_bucket: str
    kind: PriceKind


@dataclass(frozen=True, slots=True)
class Price:
    """Exact USD per 1,000,000 units, valid in [valid_from, valid_to).

    ``version`` is the number of the import that brought the price (positive, growing);
    ``source`` names where the figure was read. Raises ValueError for a negative or
    non-finite price, a naive time, an empty validity or an unknown context bucket.
    """

    key: PriceKey
    usd_per_million: Decimal
    valid_from: datetime
    valid_to: datetime | None
    version: int
    source: str

    def __post_init__(self) -> None:
        if not self.usd_per_million.is_finite() or self.usd_per_million < 0:
            raise ValueError(f"not a price: {self.usd_per_million}")
        if self.version <= 0:
            raise ValueError("price version must be positive")
        if self.key.context_bucket not in CONTEXT_THRESHOLDS:
            raise ValueError(f"unknown context bucket: {self.key.context_bucket}")
        if self.valid_from.tzinfo is None:
            raise ValueError("valid_from must be aware UTC")
        if self.valid_to is None:
            return
        if self.valid_to.tzinfo is None:
            raise ValueError("valid_to must be aware UTC")
        if self.valid_to <= self.valid_from:
            raise ValueError("price validity is empty")


_PROVIDER_OF_SOURCE: Final = {
    Source.BEDROCK: "bedrock",
    Source.AZURE_OPENAI: "azure_openai",
    Source.VERTEX: "vertex",
    Source.OPENAI_API: "openai",
    Source.ANTHROPIC_API: "anthropic",
    Source.GPU_AGENT: "gpu",
}
PROVIDERS_WITH_REGIONS: Final = frozenset({"bedrock", "azure_openai", "vertex"})


def price_provider(dimension: Dimension) -> str:
    """The price list a row is priced from: its source's, or for OTHER its provider's.

    The seller decides, not the model's vendor: Claude on Bedrock has Bedrock's prices.
    """
    return _PROVIDER_OF_SOURCE.get(dimension.source, dimension.provider)


def price_scope(provider: str, scope: RoutingScope) -> RoutingScope:
    """The scope under which a provider sells: one endpoint without regions is GLOBAL.

    A GEO scope is kept everywhere, since it is stated on purpose and may cost more.
    """
    if scope is RoutingScope.IN_REGION and provider not in PROVIDERS_WITH_REGIONS:
        return RoutingScope.GLOBAL
    return scope
