from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.price import TOKEN_KINDS, Price, UnitKind, UnpricedReason
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.cost.unpriced import UnpricedGroup, merge_unpriced
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier, Source
from tensorcost.domain.spend.parsed import ParsedSpend
from tests.domain.cost.builders import (
    JANUARY,
    JUNE,
    MODEL,
    append,
    dimension,
    price,
    rows,
)

USD = 1_000_000_000


def all_kinds(version: int = 1) -> list[Price]:
    amounts = zip(TOKEN_KINDS, ("3", "0.3", "3.75", "6", "15"), strict=True)
    return [price(usd, kind, version=version) for kind, usd in amounts]


def test_the_five_kinds_are_priced_apart_and_summed() -> None:
    priced = price_columns(rows((1_000_000,) * 5), PriceBook(all_kinds()))
    assert priced.cost_list() == [28_050_000_000]
    assert priced.price_version.tolist() == [1]
    assert priced.unpriced == ()


def test_a_request_is_rounded_once_after_its_kinds_are_summed() -> None:
    half_nano = [price("0.0005", TokenKind.INPUT), price("0.0005", TokenKind.OUTPUT)]
    one_each, three = rows((1, 0, 0, 0, 1)), rows((3, 0, 0, 0, 0))
    book = PriceBook(half_nano)
    assert price_columns(one_each, book).cost_list() == [1]
    assert price_columns(three, book).cost_list() == [2]
    assert price_columns(rows((1, 0, 0, 0, 0)), book).cost_list() == [0]


def test_a_row_with_one_kind_without_price_is_unpriced_whole() -> None:
    book = PriceBook([price("3"), price("15", TokenKind.OUTPUT)])
    priced = price_columns(rows((100, 0, 0, 0, 7), (100, 40, 0, 2, 7)), book)
    assert priced.cost_list() == [405_000, None]
    assert priced.price_version.tolist() == [1, 0]
    assert priced.unpriced == (
        UnpricedGroup(UnpricedReason.UNKNOWN_TOKEN_KIND, "bedrock", MODEL, 1, 1, 149),
    )


def test_unpriced_rows_are_counted_by_reason_and_model() -> None:
    parsed = ParsedSpend(Grain.REQUEST)
    stranger = dimension(model_id="acme.unheard-of")
    for _ in range(3):
        append(parsed, (10, 0, 0, 0, 1), of=stranger, requests=2)
    append(parsed, (5, 0, 0, 0, 0), of=dimension(service_tier=ServiceTier.UNKNOWN))
    append(parsed, (5, 0, 0, 0, 0), of=dimension(routing_scope=RoutingScope.GLOBAL))
    append(parsed, (7, 0, 0, 0, 0), at=JANUARY - timedelta(seconds=1))
    append(parsed, (7, 0, 0, 0, 0))
    priced = price_columns(parsed, PriceBook(all_kinds()))
    assert priced.cost_list() == [None] * 6 + [21_000]
    told = {(g.reason, g.model_id): (g.rows, g.requests, g.tokens) for g in priced.unpriced}
    assert told == {
        (UnpricedReason.UNKNOWN_MODEL, "acme.unheard-of"): (3, 6, 33),
        (UnpricedReason.UNKNOWN_TIER, MODEL): (1, 1, 5),
        (UnpricedReason.UNKNOWN_SCOPE, MODEL): (1, 1, 5),
        (UnpricedReason.NO_PRICE_AT_TIME, MODEL): (1, 1, 7),
    }
    twice = {g.reason: g.tokens for g in merge_unpriced([*priced.unpriced, *priced.unpriced])}
    assert twice[UnpricedReason.UNKNOWN_MODEL] == 66


def test_rows_on_both_sides_of_a_price_change_get_their_own_price_and_version() -> None:
    book = PriceBook([price("3"), price("2", start=JUNE, version=2)])
    parsed = ParsedSpend(Grain.REQUEST)
    for shift in (-1, 0, 1):
        append(parsed, (1000, 0, 0, 0, 0), at=JUNE + timedelta(microseconds=shift))
    priced = price_columns(parsed, book)
    assert priced.cost_list() == [3_000_000, 2_000_000, 2_000_000]
    assert priced.price_version.tolist() == [1, 2, 2]


def test_the_version_of_a_row_is_the_newest_among_the_prices_it_used() -> None:
    book = PriceBook(all_kinds(), [price("10", TokenKind.OUTPUT, version=9)])
    priced = price_columns(rows((1, 0, 0, 0, 0), (1, 0, 0, 0, 1)), book)
    assert priced.price_version.tolist() == [1, 9]


def test_a_failed_call_without_usage_costs_nothing_whatever_its_model() -> None:
    parsed = ParsedSpend(Grain.REQUEST)
    append(parsed, (0,) * 5, error="ThrottlingException")
    append(parsed, (0,) * 5, error="ValidationException", of=dimension(model_id="no.such-model"))
    assert price_columns(parsed, PriceBook(all_kinds())).cost_list() == [0, 0]


def test_an_idle_call_of_a_model_sold_by_the_token_costs_nothing() -> None:
    priced = price_columns(rows((0,) * 5), PriceBook(all_kinds(version=3)))
    assert priced.cost_list() == [0]
    assert priced.price_version.tolist() == [3]


def test_an_idle_call_of_an_unknown_model_is_not_called_free() -> None:
    parsed = ParsedSpend(Grain.REQUEST)
    append(parsed, (0,) * 5, of=dimension(model_id="acme.unheard-of"))
    priced = price_columns(parsed, PriceBook(all_kinds()))
    assert priced.cost_list() == [None]
    assert priced.unpriced[0].reason is UnpricedReason.UNKNOWN_MODEL


def test_an_image_model_without_a_count_of_images_is_not_called_free() -> None:
    painter = dimension(model_id="amazon.nova-canvas-v1:0", modality="image")
    listed = price("60000", UnitKind.OUTPUT_IMAGE, model_id=painter.model_id, modality="image")
    parsed = ParsedSpend(Grain.REQUEST)
    append(parsed, (0,) * 5, of=painter)
    append(parsed, (0,) * 5, of=painter, quantity_micro=2_000_000, unit="output_image")
    append(parsed, (0,) * 5, of=painter, quantity_micro=2_000_000, unit="canvas")
    priced = price_columns(parsed, PriceBook([listed]))
    assert priced.cost_list() == [None, 120_000_000, None]
    assert {g.reason for g in priced.unpriced} == {
        UnpricedReason.NO_USAGE,
        UnpricedReason.UNKNOWN_UNIT,
    }


def test_tokens_and_units_of_one_call_are_summed_before_rounding() -> None:
    book = PriceBook([price("0.0005"), price("0.5", UnitKind.QUERY)])
    parsed = ParsedSpend(Grain.REQUEST)
    append(parsed, (1, 0, 0, 0, 0), quantity_micro=1, unit="query")
    append(parsed, (1, 0, 0, 0, 0), quantity_micro=1_000, unit="query")
    assert price_columns(parsed, book).cost_list() == [1, 1]


def test_sums_beyond_64_bits_are_exact() -> None:
    odd = "123.4567891"
    book = PriceBook([price(odd), price("75", TokenKind.OUTPUT)])
    huge = 2**46 + 1
    priced = price_columns(rows((huge, 0, 0, 0, 3), (1, 0, 0, 0, 0)), book)
    expected = round((huge * Decimal(odd) * 1000) + 3 * 75_000)
    assert priced.cost_list() == [expected, 123_457]


def test_an_amount_that_does_not_fit_is_unpriced_not_wrapped() -> None:
    priced = price_columns(rows((2**53, 0, 0, 0, 0)), PriceBook([price("5000000")]))
    assert priced.cost_list() == [None]
    assert priced.unpriced[0].reason is UnpricedReason.OUT_OF_RANGE


def test_a_price_with_more_decimals_than_the_tables_carry_is_still_exact() -> None:
    fine = "0.000000000000000123"
    priced = price_columns(rows((10**12, 0, 0, 0, 0), (5, 0, 0, 0, 0)), PriceBook([price(fine)]))
    assert priced.cost_list() == [0, 0]
    dear = price_columns(rows((10**15, 0, 0, 0, 0)), PriceBook([price("0.0000000000011500001")]))
    assert dear.cost_list() == [1_150_000]


def test_no_rows_give_no_columns() -> None:
    priced = price_columns(ParsedSpend(Grain.REQUEST), PriceBook(all_kinds()))
    assert len(priced) == 0
    assert priced.unpriced == ()


def test_a_direct_api_is_priced_whatever_scope_its_adapter_states() -> None:
    listed = [price("1", provider="openai", model_id="gpt-x", routing_scope=RoutingScope.GLOBAL)]
    parsed = ParsedSpend(Grain.REQUEST)
    for scope in (RoutingScope.IN_REGION, RoutingScope.GLOBAL, RoutingScope.GEO):
        of = dimension(source=Source.OPENAI_API, model_id="gpt-x", routing_scope=scope)
        append(parsed, (1000, 0, 0, 0, 0), of=of)
    assert price_columns(parsed, PriceBook(listed)).cost_list() == [1_000_000, 1_000_000, None]


def independent_cost(
    book: dict[tuple[str, TokenKind], list[tuple[datetime, Decimal]]],
    region: str,
    tokens: tuple[int, ...],
    at: datetime,
) -> int | None:
    """Price by decimals and a scan of the list, without the book."""
    total = Decimal(0)
    with localcontext() as ctx:
        ctx.prec = 80
        for kind, count in zip(TOKEN_KINDS, tokens, strict=True):
            begun = [entry for entry in book.get((region, kind), []) if entry[0] <= at]
            if not count:
                continue
            if not begun:
                return None
            total += count * max(begun)[1] / 1_000_000
        return int((total * USD).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


COUNTS = st.tuples(*[st.integers(0, 3) | st.integers(0, 2**53)] * 5)
AMOUNTS = (
    st.decimals(0, 1000, places=0) | st.decimals(0, 200, places=7) | st.decimals(0, 1, places=14)
)
DAYS = st.integers(0, 6)
REGIONS = ("us-east-1", "eu-west-1")


@settings(max_examples=200)
@given(
    listed=st.lists(
        st.tuples(st.sampled_from(REGIONS), st.sampled_from(TOKEN_KINDS), DAYS, AMOUNTS),
        min_size=1,
        max_size=14,
        unique_by=lambda entry: entry[:3],
    ),
    events=st.lists(st.tuples(st.sampled_from(REGIONS), COUNTS, DAYS), min_size=1, max_size=12),
)
def test_columns_equal_an_independent_decimal_computation(
    listed: list[tuple[str, TokenKind, int, Decimal]],
    events: list[tuple[str, tuple[int, int, int, int, int], int]],
) -> None:
    prices: list[Price] = []
    plain: dict[tuple[str, TokenKind], list[tuple[datetime, Decimal]]] = {}
    for region, kind, day, usd in listed:
        start = JANUARY + timedelta(days=day)
        prices.append(price(str(usd), kind, start=start, region=region))
        plain.setdefault((region, kind), []).append((start, usd))
    parsed = ParsedSpend(Grain.REQUEST)
    expected: list[int | None] = []
    for region, counts, day in events:
        at = JANUARY + timedelta(days=day, hours=1)
        append(parsed, counts, of=dimension(region=region), at=at, error="made to be free if idle")
        cost = independent_cost(plain, region, counts, at)
        expected.append(cost if cost is None or cost < 2**63 else None)
    assert price_columns(parsed, PriceBook(prices)).cost_list() == expected


@pytest.mark.parametrize("rounds", [1, 7])
def test_pricing_twice_gives_the_same_columns(rounds: int) -> None:
    book = PriceBook(all_kinds())
    parsed = rows(*[(3, 1, 4, 1, 5)] * rounds)
    first, second = price_columns(parsed, book), price_columns(parsed, book)
    assert first.cost_list() == second.cost_list()
