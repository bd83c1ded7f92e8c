"""Price book: which price holds for a row, chosen by the time of use (trap 2).

Order of preference for one kind at one instant: the tenant's overrides before the list,
the exact region before its geography before ``*``, the highest context threshold that the
row exceeds before base, the price that began last, the newest version. Nothing falls back
across routing scope, tier, modality, model or kind: what is missing is unpriced.

An override therefore replaces the list's price of that kind as a whole, long context
included, unless it names thresholds of its own.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, cast

from tensorcost.domain.cost.price import (
    CONTEXT_THRESHOLDS,
    Price,
    PriceKey,
    PriceKind,
    UnitKind,
    UnpricedReason,
    price_provider,
    price_scope,
)
from tensorcost.domain.cost.regions import region_candidates
from tensorcost.domain.spend.facts import Dimension, RoutingScope, ServiceTier

T = TypeVar("T")
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of a timeline: from ``start`` until the next span's start."""

    start: datetime
    price: Price | None


class PriceBook:
    """Immutable set of list prices and one tenant's overrides.

    Removing prices of a version newer than the newest one that a row used never changes the
    row's prices: together with the row's time that version says which prices were taken.
    """

    __slots__ = ("_derived", "_layers", "_prices", "_seen", "version")

    def __init__(self, prices: Iterable[Price], overrides: Iterable[Price] = ()) -> None:
        self._prices = (tuple(prices), tuple(overrides))
        self._layers: tuple[dict[PriceKey, list[Price]], ...] = tuple(
            _by_key(layer) for layer in reversed(self._prices)
        )
        self._seen = frozenset(
            part for layer in self._layers for key in layer for part in _parts(key)
        )
        self.version = max((p.version for layer in self._prices for p in layer), default=0)
        self._derived: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return sum(len(layer) for layer in self._prices)

    def as_of(self, version: int) -> "PriceBook":
        """The book as it stood when ``version`` was its newest."""
        listed, overrides = self._prices
        return PriceBook(
            (p for p in listed if p.version <= version),
            (p for p in overrides if p.version <= version),
        )

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept under ``key``: the book never changes, so neither does it."""
        if key not in self._derived:
            self._derived[key] = make()
        return cast("T", self._derived[key])

    def find(self, dimension: Dimension, kind: PriceKind, at: datetime) -> Price | UnpricedReason:
        """The price of one kind at one instant, or why there is none."""
        current: Price | None = None
        for span in self.timeline(dimension, kind):
            if span.start > at:
                break
            current = span.price
        return self.missing_reason(dimension, kind) if current is None else current

    def explain(
        self, dimension: Dimension, kinds: Iterable[PriceKind], at: datetime
    ) -> dict[PriceKind, Price | UnpricedReason]:
        """The provenance of a row: each kind's price with version and source."""
        return {kind: self.find(dimension, kind, at) for kind in kinds}

    def timeline(self, dimension: Dimension, kind: PriceKind) -> tuple[Span, ...]:
        """Which price holds when, in order of time, starting at ``BEGINNING``."""
        ranked = list(self._candidates(dimension, kind))
        moments = {BEGINNING}
        for price in ranked:
            moments.add(price.valid_from)
            if price.valid_to is not None:
                moments.add(price.valid_to)
        spans: list[Span] = []
        for moment in sorted(moments):
            best = next((p for p in ranked if _holds(p, moment)), None)
            if not spans or spans[-1].price is not best:
                spans.append(Span(moment, best))
        return tuple(spans)

    def missing_reason(self, dimension: Dimension, kind: PriceKind) -> UnpricedReason:
        """Why ``find`` has no price: the first part of the key that the book does not know."""
        provider = price_provider(dimension)
        scope = price_scope(provider, dimension.routing_scope)
        model = (provider, dimension.model_id)
        tier = (*model, scope, dimension.service_tier)
        modality = (*tier, dimension.modality)
        is_unit = isinstance(kind, UnitKind)
        steps: tuple[tuple[tuple[object, ...], UnpricedReason], ...] = (
            (model, UnpricedReason.UNKNOWN_MODEL),
            ((*model, scope), UnpricedReason.UNKNOWN_SCOPE),
            (tier, UnpricedReason.UNKNOWN_TIER),
            (modality, UnpricedReason.UNKNOWN_MODALITY),
            (
                (*modality, kind),
                UnpricedReason.UNKNOWN_UNIT if is_unit else UnpricedReason.UNKNOWN_TOKEN_KIND,
            ),
        )
        for part, reason in steps:
            if part not in self._seen:
                return reason
        if next(self._candidates(dimension, kind), None) is None:
            return UnpricedReason.UNKNOWN_REGION
        return UnpricedReason.NO_PRICE_AT_TIME

    def _candidates(self, dimension: Dimension, kind: PriceKind) -> Iterator[Price]:
        """Every price that could hold at some time, the preferred one first."""
        provider = price_provider(dimension)
        scope = price_scope(provider, dimension.routing_scope)
        for layer in self._layers:
            for region in region_candidates(dimension.region):
                for bucket in _buckets(dimension.context_bucket):
                    key = _key(dimension, provider, scope, region, bucket, kind)
                    yield from layer.get(key, ())


def _key(
    dimension: Dimension,
    provider: str,
    scope: RoutingScope,
    region: str,
    bucket: str,
    kind: PriceKind,
) -> PriceKey:
    return PriceKey(
        provider=provider,
        model_id=dimension.model_id,
        region=region,
        routing_scope=scope,
        service_tier=dimension.service_tier,
        modality=dimension.modality,
        context_bucket=bucket,
        kind=kind,
    )


def _buckets(bucket: str) -> list[str]:
    """Buckets whose threshold the row exceeds, the highest first."""
    reached = CONTEXT_THRESHOLDS.get(bucket, 0)
    names = [name for name, threshold in CONTEXT_THRESHOLDS.items() if threshold <= reached]
    return names[::-1]


def _by_key(prices: Iterable[Price]) -> dict[PriceKey, list[Price]]:
    grouped: dict[PriceKey, list[Price]] = {}
    for price in prices:
        grouped.setdefault(price.key, []).append(price)
    for same_key in grouped.values():
        same_key.sort(key=lambda price: (price.valid_from, price.version), reverse=True)
    return grouped


def _holds(price: Price, moment: datetime) -> bool:
    return price.valid_from <= moment and (price.valid_to is None or moment < price.valid_to)


def _parts(key: PriceKey) -> Iterator[tuple[str | ServiceTier | RoutingScope | PriceKind, ...]]:
    """The prefixes of a key by which a missing price is explained."""
    model = (key.provider, key.model_id)
    tier = (*model, key.routing_scope, key.service_tier)
    yield model
    yield (*model, key.routing_scope)
    yield tier
    yield (*tier, key.modality)
    yield (*tier, key.modality, key.kind)
