"""Which prices are in force for a model, where they come from and what overrides them (N2)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from tensorcost.activities.ingest.price_import import PriceImportReport, import_overrides
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.price import Price
from tensorcost.domain.cost.query_window import Moment, midnight, parse_instant
from tensorcost.domain.cost.regions import region_candidates
from tensorcost.domain.errors import NotFound, PayloadTooLarge, ValidationFailed
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.spend.access import AuditedReads
from tensorcost.storage.price_queries import read_model_prices
from tensorcost.storage.session import Database

MAX_MAP_BYTES: Final = 4 * 1024 * 1024
MAX_SOURCE: Final = 200
EARLIEST: Final = date(2015, 1, 1)
"""As far back as usage is accepted."""
LATEST: Final = timedelta(days=3_660)


@dataclass(frozen=True, slots=True)
class PriceInForce:
    """One price. A list price that an override of the tenant replaces is still shown."""

    price: Price
    is_override: bool
    is_overridden: bool


@dataclass(frozen=True, slots=True)
class ModelPriceList:
    """Prices of one model at one instant, by provider, tier, region, context and kind."""

    model_id: str
    at: datetime
    prices: tuple[PriceInForce, ...]


class PriceService:
    """Reads of the price catalogue, and a tenant's own prices brought into it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._reads = AuditedReads(db, clock)

    @requires(Scope.COST_READ)
    async def in_force(
        self,
        principal: Principal,
        model_id: str,
        at: Moment | None = None,
        provider: str | None = None,
    ) -> ModelPriceList:
        """Prices at the time of use ``at`` (default now); NotFound for a model without any.

        Empty where prices exist, but none that was in force then.
        """
        moment = self._clock() if at is None else parse_instant(at, field="at")
        async with self._reads.sums(principal, "prices.in_force") as tx:
            known = await read_model_prices(tx, [model_id])
        if not known.listed and not known.overrides:
            raise NotFound("prices of model", model_id)
        overrides = _newest(known.overrides, moment, provider)
        listed = _newest(known.listed, moment, provider)
        found = [
            *(PriceInForce(price, True, False) for price in overrides),
            *(PriceInForce(price, False, _is_overridden(price, overrides)) for price in listed),
        ]
        return ModelPriceList(model_id, moment, tuple(sorted(found, key=_order)))

    @requires(Scope.PRICE_ADMIN)
    async def import_own(
        self, principal: Principal, raw: bytes, effective_from: date, source: str
    ) -> PriceImportReport:
        """Bring the tenant's negotiated prices in; they hold from the UTC day on.

        ``raw`` is a price map as JSON text, gzip or not. Stored rows that it concerns are then
        held against it by a re-rating. Raises PayloadTooLarge beyond 4 MiB, and ValidationFailed
        for what is no price map, gives no price, or whose parts name no source or place in time.
        """
        if len(raw) > MAX_MAP_BYTES:
            raise PayloadTooLarge(f"a price map has at most {MAX_MAP_BYTES} bytes")
        if not 1 <= len(source) <= MAX_SOURCE:
            raise ValidationFailed(
                f"'source' says in 1 to {MAX_SOURCE} characters where the figures are from",
                field="source",
            )
        if not EARLIEST <= effective_from <= self._clock().date() + LATEST:
            raise ValidationFailed(
                f"'effective_from' lies between {EARLIEST} and {LATEST.days} days from now",
                field="effective_from",
            )
        return await import_overrides(
            self._db,
            principal.tenant_id,
            raw,
            source,
            midnight(effective_from),
            actor=actor_of(principal),
        )


def _newest(prices: tuple[Price, ...], at: datetime, provider: str | None) -> list[Price]:
    """Of each key the price that began last, then the newest version, among those in force."""
    best: dict[object, Price] = {}
    for price in prices:
        began = price.valid_from <= at and (price.valid_to is None or at < price.valid_to)
        if not began or provider not in (None, price.key.provider):
            continue
        known = best.get(price.key)
        if known is None or _rank(price) > _rank(known):
            best[price.key] = price
    return list(best.values())


def _rank(price: Price) -> tuple[datetime, int]:
    return (price.valid_from, price.version)


def _is_overridden(price: Price, overrides: list[Price]) -> bool:
    """True when an override answers for every use that ``price`` would (see ``price_book``)."""
    key = price.key
    return any(
        (o.key.provider, o.key.routing_scope, o.key.service_tier, o.key.modality, o.key.kind)
        == (key.provider, key.routing_scope, key.service_tier, key.modality, key.kind)
        and o.key.region in region_candidates(key.region)
        and o.key.context_bucket in (key.context_bucket, "base")
        for o in overrides
    )


def _order(found: PriceInForce) -> tuple[str, ...]:
    key = found.price.key
    return (
        key.provider,
        key.service_tier.value,
        key.routing_scope.value,
        key.modality,
        key.region,
        key.context_bucket,
        key.kind.value,
        "" if found.is_override else "list",
    )
