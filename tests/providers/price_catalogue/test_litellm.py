import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tensorcost.domain.cost.price import Price, UnitKind, UnpricedReason, price_provider
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Dimension, RoutingScope, ServiceTier, Source
from tensorcost.providers.price_catalogue.fields import SKIPPED, is_price_field, meaning_of
from tensorcost.providers.price_catalogue.litellm import (
    ImportTerms,
    parse_price_map,
    read_price_map,
)
from tests.providers.price_catalogue.catalogues import SAMPLE, catalogues

FROM = datetime(2025, 12, 28, tzinfo=UTC)
TERMS = ImportTerms(FROM, 7, "LiteLLM of 2025-12-28")
MAPS = catalogues()
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"

IN_REGION, GEO, GLOBAL = RoutingScope.IN_REGION, RoutingScope.GEO, RoutingScope.GLOBAL


def at(source: Source, model: str, **parts: Any) -> Dimension:
    base: dict[str, Any] = {
        "source": source,
        "provider": "",
        "account_id": "",
        "usage_account_id": "",
        "region": "us-east-1",
        "routing_scope": GLOBAL,
        "model_id": model,
    }
    return Dimension(**{**base, **parts})


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(parse_price_map(MAPS[SAMPLE.stem], TERMS).prices)


def usd(book: PriceBook, of: Dimension, kind: TokenKind | UnitKind) -> str:
    found = book.find(of, kind, FROM)
    return str(found.usd_per_million) if isinstance(found, Price) else found.value


@pytest.mark.parametrize(
    ("region", "scope", "expected"),
    [
        ("us-east-1", IN_REGION, ["3", "0.3", "3.75", "unknown_token_kind", "15"]),
        ("us-east-1", GEO, ["3.3", "0.33", "4.125", "unknown_token_kind", "16.5"]),
        ("ca-central-1", GEO, ["3.3", "0.33", "4.125", "unknown_token_kind", "16.5"]),
        ("sa-east-1", GEO, ["unknown_region"] * 3 + ["unknown_token_kind", "unknown_region"]),
        ("sa-east-1", GLOBAL, ["3", "0.3", "3.75", "unknown_token_kind", "15"]),
    ],
)
def test_claude_on_bedrock_costs_by_scope_and_source_region(
    book: PriceBook, region: str, scope: RoutingScope, expected: list[str]
) -> None:
    of = at(Source.BEDROCK, SONNET, region=region, routing_scope=scope)
    assert [usd(book, of, kind) for kind in TokenKind] == expected


def test_long_context_prices_stack_with_the_geography(book: PriceBook) -> None:
    of = at(Source.BEDROCK, SONNET, routing_scope=GEO, context_bucket="above_200k")
    assert usd(book, of, TokenKind.INPUT) == "6.6"
    assert usd(book, of, TokenKind.CACHE_WRITE_5M) == "8.25"
    assert usd(book, of, TokenKind.OUTPUT) == "24.75"


@pytest.mark.parametrize(
    ("region", "expected"), [("us-west-2", "0.06"), ("eu-west-1", "0.078"), ("ap-south-1", "0.063")]
)
def test_one_model_costs_differently_in_each_geography(
    book: PriceBook, region: str, expected: str
) -> None:
    of = at(Source.BEDROCK, "amazon.nova-lite-v1:0", region=region, routing_scope=GEO)
    assert usd(book, of, TokenKind.INPUT) == expected


def test_a_regional_price_is_preferred_in_its_region_only(book: PriceBook) -> None:
    model = "mistral.mistral-large-2402-v1:0"
    paris = at(Source.BEDROCK, model, region="eu-west-3", routing_scope=IN_REGION)
    london = at(Source.BEDROCK, model, region="eu-west-2", routing_scope=IN_REGION)
    assert [usd(book, of, TokenKind.INPUT) for of in (paris, london)] == ["10.4", "8"]


def test_tiers_have_their_own_prices_and_none_where_the_map_has_none(book: PriceBook) -> None:
    def tiered(model: str, tier: ServiceTier) -> str:
        return usd(book, at(Source.OPENAI_API, model, service_tier=tier), TokenKind.INPUT)

    assert tiered("gpt-5", ServiceTier.STANDARD) == "1.25"
    assert tiered("gpt-5", ServiceTier.FLEX) == "0.625"
    assert tiered("gpt-5", ServiceTier.PRIORITY) == "2.5"
    assert tiered("gpt-5", ServiceTier.BATCH) == UnpricedReason.UNKNOWN_TIER
    assert tiered("gpt-4.1", ServiceTier.BATCH) == "1"


def test_the_one_hour_cache_write_has_a_price_of_its_own(book: PriceBook) -> None:
    of = at(Source.ANTHROPIC_API, "claude-haiku-4-5")
    assert usd(book, of, TokenKind.CACHE_WRITE_5M) == "1.25"
    assert usd(book, of, TokenKind.CACHE_WRITE_1H) == "2"


def test_audio_tokens_are_another_modality(book: PriceBook) -> None:
    of = at(Source.AZURE_OPENAI, "gpt-realtime-2025-08-28", modality="audio")
    assert usd(book, of, TokenKind.INPUT) == "32"
    assert usd(book, of, TokenKind.CACHE_WRITE_5M) == "4"


def test_images_are_priced_by_the_piece_under_the_modality_of_the_mode(book: PriceBook) -> None:
    of = at(Source.BEDROCK, "amazon.nova-canvas-v1:0", routing_scope=IN_REGION, modality="image")
    assert usd(book, of, UnitKind.OUTPUT_IMAGE) == "60000"


def test_a_reranker_is_not_free_by_the_token(book: PriceBook) -> None:
    of = at(Source.BEDROCK, "cohere.rerank-v3-5:0", routing_scope=IN_REGION)
    assert usd(book, of, TokenKind.INPUT) == "unknown_token_kind"
    assert usd(book, of, UnitKind.QUERY) == "2000"


def test_every_price_carries_effective_date_version_and_source(book: PriceBook) -> None:
    for price in parse_price_map(MAPS[SAMPLE.stem], TERMS).prices:
        assert (price.valid_from, price.valid_to) == (FROM, None)
        assert (price.version, price.source) == (7, "LiteLLM of 2025-12-28")
    assert book.version == 7


def test_two_names_of_one_price_are_reported_when_they_differ() -> None:
    result = parse_price_map(
        {
            "deepseek/chat": {
                "litellm_provider": "deepseek",
                "input_cost_per_token": Decimal("2e-6"),
            },
            "chat": {"litellm_provider": "deepseek", "input_cost_per_token": Decimal("3e-6")},
        },
        TERMS,
    )
    assert [p.usd_per_million for p in result.prices] == [3]
    [conflict] = result.conflicts
    assert (conflict.kept_from, conflict.dropped_from) == ("chat", "deepseek/chat")


def test_two_fields_of_one_price_are_reported() -> None:
    entry = {
        "litellm_provider": "deepseek",
        "cache_read_input_token_cost": Decimal("1e-7"),
        "input_cost_per_token_cache_hit": Decimal("2e-7"),
    }
    result = parse_price_map({"chat": entry}, TERMS)
    assert [p.usd_per_million for p in result.prices] == [Decimal("0.1")]
    assert result.skipped[0].reason == "said by cache_read_input_token_cost already"


def test_an_unknown_price_field_is_reported_and_the_rest_is_taken() -> None:
    entry = {
        "litellm_provider": "openai",
        "input_cost_per_token": Decimal("1e-6"),
        "input_cost_per_token_lunar": Decimal("9e-6"),
    }
    result = parse_price_map({"gpt-x": entry}, TERMS)
    assert len(result.prices) == 1
    assert [(u.model_key, u.field) for u in result.unknown] == [
        ("gpt-x", "input_cost_per_token_lunar")
    ]


@pytest.mark.parametrize("bad", ["free", "-0.1", True, [1], Decimal("NaN")])
def test_a_value_that_is_no_price_is_skipped_with_its_reason(bad: object) -> None:
    result = parse_price_map(
        {"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": bad}}, TERMS
    )
    assert result.prices == []
    assert result.skipped_by_reason() == {"not a price": 1}


def test_numbers_are_read_from_their_text_never_as_floats() -> None:
    raw = b'{"m": {"litellm_provider": "openai", "input_cost_per_token": 0.1000000000000000055511}}'
    for form in (raw, gzip.compress(raw)):
        [price] = parse_price_map(read_price_map(form), TERMS).prices
        assert price.usd_per_million == Decimal("100000.0000000000055511")


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"a": NaN}', b"\x1f\x8bgarbage", gzip.compress(b"{}")[:-4]],
)
def test_a_file_that_is_no_price_map_is_refused_with_a_clear_error(raw: bytes) -> None:
    with pytest.raises(ValidationFailed):
        read_price_map(raw)


@pytest.mark.parametrize("name", MAPS)
def test_every_price_field_of_a_catalogue_is_mapped_or_skipped_on_purpose(name: str) -> None:
    fields = {field for entry in MAPS[name].values() if isinstance(entry, dict) for field in entry}
    unknown = {f for f in fields if is_price_field(f) and f not in SKIPPED and not meaning_of(f)}
    assert unknown == set()
    assert parse_price_map(MAPS[name], TERMS).unknown == []


@pytest.mark.parametrize("name", MAPS)
def test_the_whole_catalogue_is_priced_as_the_map_says(name: str) -> None:
    """Every key with a plain input price, looked up by the dimension its name stands for."""
    raw = json.loads(json.dumps(MAPS[name], default=str))
    book = PriceBook(parse_price_map(MAPS[name], TERMS).prices)
    checked = 0
    for key, entry in raw.items():
        amount = entry.get("input_cost_per_token") if isinstance(entry, dict) else None
        if amount is None or not Decimal(amount):
            continue
        of = plain_dimension(key, entry)
        if of is None:
            continue
        found = book.find(of, TokenKind.INPUT, FROM)
        assert isinstance(found, Price), key
        assert found.usd_per_million == Decimal(amount) * 1_000_000, key
        checked += 1
    assert checked >= len(raw) // 5


def plain_dimension(key: str, entry: dict[str, Any]) -> Dimension | None:
    """Dimension of the keys whose form needs no table: prefix and model."""
    seller = str(entry.get("litellm_provider"))
    if seller.startswith("bedrock") and "/" not in key:
        return plain_bedrock(key)
    if seller == "azure" and key.count("/") == 1:
        return at(Source.AZURE_OPENAI, key.partition("/")[2], routing_scope=IN_REGION)
    sources = {"openai": Source.OPENAI_API, "anthropic": Source.ANTHROPIC_API}
    if seller in sources and "/" not in key:
        return at(sources[seller], key)
    if seller.startswith("vertex_ai"):
        return at(Source.VERTEX, key.removeprefix("vertex_ai/"))
    return None


def plain_bedrock(key: str) -> Dimension:
    head, _, rest = key.partition(".")
    geo = {"us": "us-east-2", "eu": "eu-north-1", "apac": "ap-south-1", "jp": "ap-northeast-1"}
    geo["au"] = "ap-southeast-2"
    if head in geo:
        return at(Source.BEDROCK, rest, region=geo[head], routing_scope=GEO)
    if head == "global":
        return at(Source.BEDROCK, rest)
    return at(Source.BEDROCK, key, routing_scope=IN_REGION)


def test_the_seller_names_of_the_map_are_those_of_the_sources() -> None:
    sold = {p.key.provider for p in parse_price_map(MAPS[SAMPLE.stem], TERMS).prices}
    named = (Source.BEDROCK, Source.AZURE_OPENAI, Source.VERTEX, Source.OPENAI_API)
    asked = {price_provider(at(source, "m")) for source in (*named, Source.ANTHROPIC_API)}
    assert asked <= sold
