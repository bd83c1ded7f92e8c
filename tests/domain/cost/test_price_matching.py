"""Which stored usage an import of one's own prices is for, and what it misses."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tensorcost.domain.cost.model_names import GEO_REGIONS, bedrock_key, bedrock_name
from tensorcost.domain.cost.price import Price, PriceKey
from tensorcost.domain.cost.price_matches import ModelMatch, UsedPlace
from tensorcost.domain.cost.price_matching import match_prices
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier, Source
from tests.support.spend import MODEL, dimension

SINCE = datetime(2026, 10, 5, tzinfo=UTC)
LAST = date(2026, 11, 20)
GEO: dict[str, Any] = {"routing_scope": RoutingScope.GEO}


def price(version: int = 2, since: datetime = SINCE, **changes: Any) -> Price:
    key = PriceKey(
        provider="bedrock",
        model_id=MODEL,
        region="*",
        routing_scope=RoutingScope.IN_REGION,
        service_tier=ServiceTier.STANDARD,
        modality="text",
        context_bucket="base",
        kind=TokenKind.INPUT,
    )
    return Price(replace(key, **changes), Decimal(1), since, None, version, "deal")


def used(requests: int = 10, last: date = LAST, **changes: Any) -> UsedPlace:
    return UsedPlace(dimension(**changes), 1, requests, last)


def matched(
    prices: list[Price], places: list[UsedPlace], *, before: list[Price] | None = None
) -> ModelMatch:
    """The one model of an import."""
    names = {place.where.model_id for place in places}
    (found,) = match_prices(prices, [*(before or []), *prices], places, names)
    return found


def test_usage_is_counted_under_the_price_that_it_takes() -> None:
    output = price(kind=TokenKind.OUTPUT)
    found = matched([price(), output, price(**GEO)], [used(7), used(5, region="eu-west-1")])
    hit, missed = found.places
    assert (hit.place.routing_scope, hit.dimensions, hit.requests) == ("in_region", 2, 12)
    assert hit.kinds == (TokenKind.INPUT, TokenKind.OUTPUT)
    assert (missed.place.routing_scope, missed.dimensions) == ("geo", 0)
    assert (found.missed, found.is_idle) == ((), False)


@pytest.mark.parametrize(
    ("changes", "differs", "write_as"),
    [
        (GEO, ("routing_scope",), f"us.{MODEL}"),
        ({"routing_scope": RoutingScope.GLOBAL}, ("routing_scope",), f"global.{MODEL}"),
        ({"service_tier": ServiceTier.BATCH}, ("service_tier",), MODEL),
        ({"region": "eu-west-1"}, ("region",), MODEL),
        (GEO | {"region": "eu-west-1"}, ("routing_scope", "region"), f"eu.{MODEL}"),
        ({"modality": "audio"}, ("modality",), MODEL),
        ({"source": Source.ANTHROPIC_API}, ("provider", "routing_scope"), ""),
    ],
)
def test_a_price_that_nothing_is_under_names_what_is_near(
    changes: dict[str, Any], differs: tuple[str, ...], write_as: str
) -> None:
    found = matched([price(region="us-east-1")], [used(9, **changes)])
    assert found.is_idle
    (miss,) = found.missed
    assert (miss.requests, miss.differs, miss.write_as) == (9, differs, write_as)


def test_a_price_of_long_requests_is_none_of_short_ones() -> None:
    found = matched([price(context_bucket="above_200k")], [used()])
    assert [miss.differs for miss in found.missed] == [("context_bucket",)]
    assert not matched([price()], [used(context_bucket="above_200k")]).missed


def test_usage_from_before_the_prices_is_missed_for_no_part_of_the_key() -> None:
    (miss,) = matched([price()], [used(0, last=date(2026, 10, 4))]).missed
    assert (miss.differs, miss.last_day) == ((), date(2026, 10, 4))
    assert not matched([price()], [used(last=date(2026, 10, 5))]).missed


def test_a_narrower_price_of_ones_own_goes_on_holding() -> None:
    narrow = price(version=1, region="us-east-1")
    found = matched([price()], [used(3), used(4, region="eu-west-1")], before=[narrow])
    assert [(one.requests, one.dimensions) for one in found.places] == [(4, 1)]
    assert [(miss.requests, miss.differs) for miss in found.missed] == [(3, ())]


def test_a_model_without_usage_names_those_that_are_alike() -> None:
    found = matched([price(model_id="claude-haiku-4-5")], [used()])
    assert (found.is_idle, found.missed, found.similar) == (True, (), (MODEL,))
    (stranger,) = match_prices([price(model_id="zz")], [], [], {MODEL, "qq"})
    assert stranger.similar == ()


def test_models_whose_usage_is_missed_come_first() -> None:
    prices = [price(model_id="unused"), price(model_id="hit"), price(model_id="near")]
    places = [used(model_id="hit"), used(model_id="near", **GEO)]
    found = match_prices(prices, prices, places, {"hit", "near"})
    assert [model.model_id for model in found] == ["near", "hit", "unused"]
    assert match_prices([], [], [], set()) == ()


@pytest.mark.parametrize("scope", RoutingScope)
@pytest.mark.parametrize("regions", GEO_REGIONS.values())
def test_the_key_to_write_is_read_back_as_the_same_place(
    scope: RoutingScope, regions: tuple[str, ...]
) -> None:
    for region in regions:
        name = bedrock_name(bedrock_key(MODEL, scope, region))
        assert (name.model_id, name.scope) == (MODEL, scope)
        if scope is RoutingScope.GEO:
            covered = GEO_REGIONS[name.geography]
            assert region in covered or f"{region.split('-')[0]}-*" in covered
