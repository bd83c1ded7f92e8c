"""Short ways to build prices, dimensions and parsed rows."""

from datetime import UTC, datetime
from decimal import Decimal

from tensorcost.domain.cost.price import Price, PriceKey, PriceKind
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Dimension, Grain, RoutingScope, ServiceTier, Source
from tensorcost.domain.spend.limits import to_us
from tensorcost.domain.spend.parsed import ParsedSpend

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
MODEL = "anthropic.claude-sonnet-4-6"


def key(kind: PriceKind = TokenKind.INPUT, **parts: object) -> PriceKey:
    values: dict[str, object] = {
        "provider": "bedrock",
        "model_id": MODEL,
        "region": "*",
        "routing_scope": RoutingScope.IN_REGION,
        "service_tier": ServiceTier.STANDARD,
        "modality": "text",
        "context_bucket": "base",
    }
    return PriceKey(**{**values, **parts}, kind=kind)  # type: ignore[arg-type]


def price(
    usd: str,
    kind: PriceKind = TokenKind.INPUT,
    *,
    start: datetime = JANUARY,
    end: datetime | None = None,
    version: int = 1,
    **parts: object,
) -> Price:
    return Price(key(kind, **parts), Decimal(usd), start, end, version, "test list")


def dimension(**parts: object) -> Dimension:
    values: dict[str, object] = {
        "source": Source.BEDROCK,
        "provider": "aws",
        "account_id": "111122223333",
        "usage_account_id": "111122223333",
        "region": "us-east-1",
        "routing_scope": RoutingScope.IN_REGION,
        "model_id": MODEL,
    }
    return Dimension(**{**values, **parts})  # type: ignore[arg-type]


def append(
    parsed: ParsedSpend,
    tokens: tuple[int, int, int, int, int],
    *,
    of: Dimension | None = None,
    at: datetime = JUNE,
    error: str | None = None,
    quantity_micro: int | None = None,
    unit: str | None = None,
    requests: int = 1,
) -> None:
    parsed.ts_us.append(to_us(at))
    parsed.native_id.append(str(len(parsed.ts_us)))
    parsed.dim.append(parsed.intern_dimension(of or dimension()))
    parsed.requests.append(requests)
    parsed.input_tokens.append(tokens[0])
    parsed.cached_tokens.append(tokens[1])
    parsed.cache_write_5m_tokens.append(tokens[2])
    parsed.cache_write_1h_tokens.append(tokens[3])
    parsed.output_tokens.append(tokens[4])
    parsed.quantity_micro.append(quantity_micro)
    parsed.unit.append(unit)
    parsed.error_code.append(error)


def rows(*tokens: tuple[int, int, int, int, int]) -> ParsedSpend:
    parsed = ParsedSpend(Grain.REQUEST)
    for counts in tokens:
        append(parsed, counts)
    return parsed
