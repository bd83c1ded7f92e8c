"""Parsed spend rows for tests, one readable call a row."""

from datetime import UTC, datetime
from typing import Any

from tensorcost.domain.spend.facts import Actor, Dimension, Grain, RoutingScope, Source
from tensorcost.domain.spend.limits import to_us
from tensorcost.domain.spend.parsed import ParsedSpend

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"


def dimension(**changes: Any) -> Dimension:
    """A Bedrock dimension of a fake account; ``changes`` override fields."""
    values: dict[str, Any] = {
        "source": Source.BEDROCK,
        "provider": "bedrock",
        "account_id": "111122223333",
        "usage_account_id": "111122223333",
        "region": "us-east-1",
        "routing_scope": RoutingScope.IN_REGION,
        "model_id": MODEL,
        "application": "support-bot",
        "team": "care",
    }
    return Dimension(**(values | changes))


def add_row(
    parsed: ParsedSpend,
    native_id: str,
    at: datetime = NOON,
    where: Dimension | None = None,
    who: Actor | None = None,
    **columns: Any,
) -> None:
    """Append one row; ``columns`` override the defaults of 100 input and 10 output tokens."""
    values: dict[str, Any] = {
        "ts_us": to_us(at),
        "native_id": native_id,
        "dim": parsed.intern_dimension(where or dimension()),
        "actor": parsed.intern_actor(who or Actor()),
        "requests": 1,
        "input_tokens": 100,
        "cached_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 10,
        "quantity_micro": None,
        "unit": None,
        "recorded_cost_nano": None,
        "recorded_currency": None,
        "latency_ms": None,
        "error_code": None,
        "request_id": native_id,
        "conversation_id": None,
        "session_id": None,
        "prompt_hash": None,
        "response_hash": None,
        "prefix_hashes": None,
    }
    for name, value in (values | columns).items():
        getattr(parsed, name).append(value)
    parsed.rows_read += 1


def parsed_rows(*native_ids: str, **columns: Any) -> ParsedSpend:
    """Request rows with the given native ids."""
    parsed = ParsedSpend(Grain.REQUEST)
    for native_id in native_ids:
        add_row(parsed, native_id, **columns)
    return parsed
