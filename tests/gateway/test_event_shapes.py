"""A single event as it is published: every value under its own name."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from tensorcost.domain.cost.query_listing import ListedEvent
from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.gateway.envelope import listed
from tensorcost.gateway.routes.event_shapes import EventOut, event_row
from tensorcost.services.spend.answers import PricedEvent
from tensorcost.storage.price_queries import PriceVersion

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OTHERWISE = {
    "id": "00000000-0000-0000-0000-000000000007",
    "timestamp": "2026-11-01T12:00:00Z",
    "grain": "metric",
    "source": "bedrock",
    "tags": {"a": "b"},
    "quantity": "1.500000",
    "cost_usd": "0.000000001",
    "recorded_cost": "-2.000000000",
    "price": {
        "version": 3,
        "source": "list",
        "effective_from": "2026-11-01T12:00:00Z",
        "imported_at": "2026-11-01T12:00:00Z",
        "override": True,
    },
}
"""What is not simply the event's attribute of the same name."""


def event(**changes: Any) -> ListedEvent:
    """An event whose every text and count is another."""
    values: dict[str, Any] = {
        one.name: number if one.type is int else f"the {one.name}"
        for number, one in enumerate(fields(ListedEvent))
    }
    values |= {
        "event_id": UUID(int=7),
        "ts": NOW,
        "grain": Grain.METRIC,
        "source": Source.BEDROCK,
        "tags": {"a": "b"},
        "quantity_micro": 1_500_000,
        "cost_nano": 1,
        "recorded_cost_nano": -2_000_000_000,
        "latency_ms": 99,
    }
    return ListedEvent(**values | changes)


def shown(found: PricedEvent) -> dict[str, Any]:
    (row,) = orjson.loads(listed([event_row(found)]).body)["data"]
    return dict(row)


def test_every_field_is_published_under_its_name_and_in_order() -> None:
    one = event()
    price = PriceVersion(
        version=3, source="list", effective_from=NOW, imported_at=NOW, is_override=True
    )
    row = shown(PricedEvent(one, price))
    same = {name: getattr(one, name) for name in EventOut.model_fields if name not in OTHERWISE}
    assert row == same | OTHERWISE
    assert list(row) == list(EventOut.model_fields)
    EventOut.model_validate(row)


def test_what_is_not_there_is_null() -> None:
    named = ("application", "team", "environment", "owner", "user", "agent", "workflow")
    optional = ("quantity_micro", "unit", "cost_nano", "recorded_cost_nano", "recorded_currency")
    row = shown(PricedEvent(event(**dict.fromkeys(named, ""), **dict.fromkeys(optional)), None))
    empty = (*named, "quantity", "unit", "cost_usd", "price", "recorded_cost", "recorded_currency")
    assert {name: row[name] for name in empty} == dict.fromkeys(empty)
