from datetime import datetime

import pytest

from tensorcost.domain.cost.price import (
    CONTEXT_THRESHOLDS,
    TOKEN_KINDS,
    UnitKind,
    price_kind,
    price_provider,
    price_scope,
)
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, Source
from tensorcost.domain.spend.limits import context_bucket
from tests.domain.cost.builders import JANUARY, JUNE, dimension, price


@pytest.mark.parametrize("usd", ["-0.01", "NaN", "Infinity"])
def test_a_price_that_is_no_amount_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="not a price"):
        price(usd)


def test_an_empty_validity_is_refused() -> None:
    with pytest.raises(ValueError, match="validity is empty"):
        price("3", start=JUNE, end=JANUARY)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware UTC"):
        price("3", start=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="aware UTC"):
        price("3", end=datetime(2027, 1, 1))


def test_a_price_without_a_version_has_no_provenance_and_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        price("3", version=0)


def test_an_unknown_context_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="context bucket"):
        price("3", context_bucket="above_1m")


def test_every_bucket_that_a_parser_names_can_be_priced() -> None:
    named = {context_bucket(tokens) for tokens in (1, 128_001, 200_001, 272_001, 512_001)}
    assert named == set(CONTEXT_THRESHOLDS)
    for bucket, threshold in CONTEXT_THRESHOLDS.items():
        assert context_bucket(threshold + 1) == bucket


def test_stored_kind_names_are_unambiguous_and_come_back() -> None:
    kinds = [*TokenKind, *UnitKind]
    assert len({kind.value for kind in kinds}) == len(kinds)
    assert [price_kind(kind.value) for kind in kinds] == kinds
    assert tuple(TokenKind) == TOKEN_KINDS
    with pytest.raises(ValueError, match="unknown price kind"):
        price_kind("per_smile")


def test_the_seller_decides_which_list_prices_a_row() -> None:
    assert price_provider(dimension(provider="anthropic")) == "bedrock"
    other = dimension(source=Source.OTHER, provider="deepseek")
    assert price_provider(other) == "deepseek"


def test_a_provider_with_one_endpoint_sells_globally_but_a_stated_geography_is_kept() -> None:
    assert price_scope("openai", RoutingScope.IN_REGION) is RoutingScope.GLOBAL
    assert price_scope("anthropic", RoutingScope.GEO) is RoutingScope.GEO
    assert price_scope("bedrock", RoutingScope.IN_REGION) is RoutingScope.IN_REGION
