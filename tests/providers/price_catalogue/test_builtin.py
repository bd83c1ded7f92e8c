from datetime import UTC, datetime, timedelta

from tensorcost.domain.cost.price import Price, UnpricedReason
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, Source
from tensorcost.providers.price_catalogue.builtin import builtin_maps
from tests.providers.price_catalogue.test_litellm import at

NOVEMBER_2026 = datetime(2026, 11, 1, tzinfo=UTC)


def shipped_book() -> PriceBook:
    maps = enumerate(builtin_maps(), start=1)
    return PriceBook(price for version, one in maps for price in one.parse(version).prices)


def test_the_shipped_maps_are_small_attributed_and_in_order() -> None:
    maps = builtin_maps()
    assert sum(len(one.content) for one in maps) <= 250_000
    assert all("MIT" in one.licence and "LiteLLM" in one.source for one in maps)
    dates = [one.effective_from for one in maps]
    assert dates == sorted(set(dates))
    assert all(date.tzinfo is not None for date in dates)


def test_nothing_in_the_shipped_maps_is_skipped_unknown_or_contradictory() -> None:
    for version, one in enumerate(builtin_maps(), start=1):
        result = one.parse(version)
        assert (result.skipped, result.unknown, result.conflicts) == ([], [], [])
        assert result.models == len(one.models)


def test_the_models_of_all_five_providers_have_a_price() -> None:
    book = shipped_book()
    for source, model, scope in (
        (Source.BEDROCK, "anthropic.claude-sonnet-4-6", RoutingScope.IN_REGION),
        (Source.BEDROCK, "anthropic.claude-sonnet-4-6", RoutingScope.GEO),
        (Source.BEDROCK, "anthropic.claude-sonnet-4-6", RoutingScope.GLOBAL),
        (Source.BEDROCK, "amazon.titan-embed-text-v2:0", RoutingScope.IN_REGION),
        (Source.OPENAI_API, "gpt-5.5", RoutingScope.GLOBAL),
        (Source.ANTHROPIC_API, "claude-opus-5", RoutingScope.GLOBAL),
        (Source.AZURE_OPENAI, "gpt-5.4", RoutingScope.GLOBAL),
        (Source.VERTEX, "gemini-3.6-flash", RoutingScope.IN_REGION),
    ):
        of = at(source, model, routing_scope=scope)
        assert isinstance(book.find(of, TokenKind.INPUT, NOVEMBER_2026), Price), (model, scope)


def test_a_price_cut_between_two_maps_holds_from_the_later_one_on() -> None:
    book = shipped_book()
    of = at(Source.BEDROCK, "amazon.titan-embed-text-v2:0", routing_scope=RoutingScope.IN_REGION)
    newest = builtin_maps()[-1].effective_from
    before = book.find(of, TokenKind.INPUT, newest - timedelta(seconds=1))
    after = book.find(of, TokenKind.INPUT, newest)
    assert isinstance(before, Price)
    assert isinstance(after, Price)
    assert before.usd_per_million > after.usd_per_million


def test_nothing_has_a_price_before_the_first_map() -> None:
    of = at(Source.OPENAI_API, "gpt-4o")
    first = builtin_maps()[0].effective_from
    found = shipped_book().find(of, TokenKind.INPUT, first - timedelta(seconds=1))
    assert found is UnpricedReason.NO_PRICE_AT_TIME


def test_a_global_azure_deployment_keeps_its_own_price_over_the_maps() -> None:
    of = at(Source.AZURE_OPENAI, "gpt-4o-mini")
    found = shipped_book().find(of, TokenKind.INPUT, NOVEMBER_2026)
    assert isinstance(found, Price)
    assert str(found.usd_per_million) == "0.15"
