"""Global price lists for tests, stored the way an operator's import stores them."""

from datetime import UTC, datetime
from decimal import Decimal

from tensorcost.activities.ingest.price_import import import_builtin_lists
from tensorcost.domain.cost.price import Price, PriceKey
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.storage.engine import make_engine
from tensorcost.storage.prices import PriceRecord, add_list_prices, begin_list_version
from tensorcost.storage.session import PlatformDatabase
from tests.support.spend import MODEL

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
USD_PER_MILLION = {
    TokenKind.INPUT: "1",
    TokenKind.OUTPUT: "5",
    TokenKind.CACHED: "0.1",
    TokenKind.CACHE_WRITE_5M: "1.25",
}
"""One-hour cache writes have no price on purpose."""


async def store_list_prices(platform_url: str) -> int:
    """Prices of ``MODEL`` in region, valid from 2025-01-01; the version."""
    engine = make_engine(platform_url, application_name="test")
    async with PlatformDatabase(engine).open(reason="test prices", actor="test") as tx:
        version, _ = await begin_list_version(tx, PriceRecord("test list", b"v1", LONG_AGO))
        await add_list_prices(tx, [_price(kind, version) for kind in USD_PER_MILLION])
    await engine.dispose()
    return version


async def store_builtin_lists(platform_url: str) -> None:
    """The prices that the product comes with."""
    engine = make_engine(platform_url, application_name="test")
    try:
        await import_builtin_lists(PlatformDatabase(engine), actor="test")
    finally:
        await engine.dispose()


def _price(kind: TokenKind, version: int) -> Price:
    key = PriceKey(
        "bedrock", MODEL, "*", RoutingScope.IN_REGION, ServiceTier.STANDARD, "text", "base", kind
    )
    return Price(key, Decimal(USD_PER_MILLION[kind]), LONG_AGO, None, version, "test list")
