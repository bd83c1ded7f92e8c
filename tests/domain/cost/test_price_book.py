from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.price import Price, PriceKind, UnitKind, UnpricedReason
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Dimension, RoutingScope, ServiceTier, Source
from tests.domain.cost.builders import DECEMBER, JANUARY, JUNE, dimension, price

INPUT = TokenKind.INPUT
TICK = timedelta(microseconds=1)


def usd(
    book: PriceBook, of: Dimension, at: datetime = JUNE, kind: PriceKind = INPUT
) -> Decimal | UnpricedReason:
    found = book.find(of, kind, at)
    return found.usd_per_million if isinstance(found, Price) else found


def test_the_price_is_chosen_by_the_time_of_use() -> None:
    book = PriceBook([price("3", end=JUNE), price("2", start=JUNE, version=2)])
    assert usd(book, dimension(), JUNE - TICK) == 3
    assert usd(book, dimension(), JUNE) == 2


def test_there_is_no_price_before_the_first_effective_date_and_none_after_the_last() -> None:
    book = PriceBook([price("3", end=JUNE)])
    assert usd(book, dimension(), JANUARY - TICK) is UnpricedReason.NO_PRICE_AT_TIME
    assert usd(book, dimension(), JANUARY) == 3
    assert usd(book, dimension(), JUNE) is UnpricedReason.NO_PRICE_AT_TIME


def test_of_two_open_ended_prices_the_one_that_began_last_holds() -> None:
    older_list_imported_later = price("9", start=JANUARY, version=7)
    book = PriceBook([price("3", start=JUNE, version=1), older_list_imported_later])
    assert usd(book, dimension(), JUNE) == 3
    assert usd(book, dimension(), JANUARY) == 9


def test_a_correction_with_the_same_date_replaces_by_its_newer_version() -> None:
    book = PriceBook([price("3", version=2), price("30", version=1)])
    assert usd(book, dimension()) == 3


def test_an_override_wins_for_its_validity_only() -> None:
    override = price("1.5", start=JUNE, end=DECEMBER, version=5)
    book = PriceBook([price("3")], [override])
    assert usd(book, dimension(), JUNE - TICK) == 3
    assert usd(book, dimension(), JUNE) == Decimal("1.5")
    assert usd(book, dimension(), DECEMBER) == 3


def test_an_override_for_all_regions_beats_a_list_price_of_one_region() -> None:
    book = PriceBook([price("4", region="us-east-1")], [price("1", version=2)])
    assert usd(book, dimension()) == 1


def test_the_exact_region_is_preferred_then_its_geography_then_any() -> None:
    prices = [price("3"), price("4", region="us-*"), price("5", region="us-east-1")]
    book = PriceBook(prices)
    assert usd(book, dimension(region="us-east-1")) == 5
    assert usd(book, dimension(region="us-west-2")) == 4
    assert usd(book, dimension(region="eu-west-1")) == 3


def test_the_highest_threshold_that_the_request_exceeds_is_taken_else_base() -> None:
    book = PriceBook([price("3"), price("6", context_bucket="above_200k")])
    for bucket, expected in (
        ("base", 3), ("above_128k", 3), ("above_200k", 6), ("above_272k", 6), ("above_512k", 6),
    ):  # fmt: skip
        assert usd(book, dimension(context_bucket=bucket)) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_id": "anthropic.claude-sonnet-4-7"}, UnpricedReason.UNKNOWN_MODEL),
        ({"model_id": "Anthropic.claude-sonnet-4-6"}, UnpricedReason.UNKNOWN_MODEL),
        ({"source": Source.VERTEX}, UnpricedReason.UNKNOWN_MODEL),
        ({"routing_scope": RoutingScope.GLOBAL}, UnpricedReason.UNKNOWN_SCOPE),
        ({"service_tier": ServiceTier.FLEX}, UnpricedReason.UNKNOWN_TIER),
        ({"service_tier": ServiceTier.UNKNOWN}, UnpricedReason.UNKNOWN_TIER),
        ({"modality": "audio"}, UnpricedReason.UNKNOWN_MODALITY),
        ({"region": "eu-west-1"}, UnpricedReason.UNKNOWN_REGION),
    ],
)
def test_nothing_falls_back_across_the_parts_of_the_key(
    change: dict[str, object], reason: UnpricedReason
) -> None:
    book = PriceBook([price("3", region="us-east-1")])
    assert usd(book, dimension()) == 3
    assert usd(book, dimension(**change)) is reason


def test_a_kind_without_price_is_named_as_such() -> None:
    book = PriceBook([price("3")])
    assert usd(book, dimension(), kind=TokenKind.OUTPUT) is UnpricedReason.UNKNOWN_TOKEN_KIND
    assert usd(book, dimension(), kind=UnitKind.QUERY) is UnpricedReason.UNKNOWN_UNIT


def test_an_empty_book_prices_nothing() -> None:
    assert usd(PriceBook([]), dimension()) is UnpricedReason.UNKNOWN_MODEL
    assert PriceBook([]).version == 0


def test_explain_names_version_and_source_of_each_kind() -> None:
    book = PriceBook([price("3", version=4)])
    told = book.explain(dimension(), [INPUT, TokenKind.OUTPUT], JUNE)
    found = told[INPUT]
    assert isinstance(found, Price)
    assert (found.version, found.source) == (4, "test list")
    assert told[TokenKind.OUTPUT] is UnpricedReason.UNKNOWN_TOKEN_KIND


BUCKETS = st.sampled_from(["base", "above_128k", "above_200k", "above_272k"])
MOMENTS = st.integers(0, 20).map(lambda days: JANUARY + timedelta(days=days))
REGIONS = st.sampled_from(["*", "us-*", "us-east-1", "eu-*"])


@st.composite
def list_prices(draw: st.DrawFn) -> Price:
    start = draw(MOMENTS)
    length = draw(st.none() | st.integers(1, 10))
    return price(
        str(draw(st.decimals(0, 99, places=3))),
        start=start,
        end=None if length is None else start + timedelta(days=length),
        version=draw(st.integers(1, 6)),
        region=draw(REGIONS),
        context_bucket=draw(BUCKETS),
    )


def preferred(
    listed: list[Price], overrides: list[Price], of: Dimension, at: datetime
) -> list[Price]:
    """The rule said plainly: rank every price that fits, take the best."""
    regions = ["us-east-1", "us-*", "*"]
    reached = ["base", "above_128k", "above_200k", "above_272k", "above_512k"]
    reached = reached[: reached.index(of.context_bucket) + 1]
    fitting = [
        ((layer, -regions.index(p.key.region), reached.index(p.key.context_bucket)), p)
        for layer, prices in enumerate((listed, overrides))
        for p in prices
        if p.key.region in regions
        and p.key.context_bucket in reached
        and p.valid_from <= at
        and (p.valid_to is None or at < p.valid_to)
    ]
    best = max(((*rank, p.valid_from, p.version) for rank, p in fitting), default=None)
    return [p for rank, p in fitting if (*rank, p.valid_from, p.version) == best]


@given(
    st.lists(list_prices(), max_size=8),
    st.lists(list_prices(), max_size=4),
    BUCKETS,
    MOMENTS,
)
def test_the_book_agrees_with_the_rule_said_plainly(
    listed: list[Price], overrides: list[Price], bucket: str, at: datetime
) -> None:
    of = dimension(context_bucket=bucket)
    found = PriceBook(listed, overrides).find(of, INPUT, at)
    expected = preferred(listed, overrides, of, at)
    assert found in expected if expected else isinstance(found, UnpricedReason)


@given(st.lists(list_prices(), min_size=1, max_size=8, unique_by=lambda p: (p.key, p.valid_from)))
def test_a_book_as_of_the_version_that_was_used_gives_the_same_price(listed: list[Price]) -> None:
    book = PriceBook(listed)
    found = book.find(dimension(), INPUT, JANUARY + timedelta(days=12))
    if isinstance(found, Price):
        again = book.as_of(found.version).find(dimension(), INPUT, JANUARY + timedelta(days=12))
        assert again == found


def test_the_book_as_of_an_older_version_does_not_know_newer_prices() -> None:
    book = PriceBook([price("3"), price("2", start=JUNE, version=2)], [price("1", version=3)])
    assert [usd(book.as_of(v), dimension()) for v in (1, 2, 3)] == [3, 2, 1]
    assert len(book) == 3
