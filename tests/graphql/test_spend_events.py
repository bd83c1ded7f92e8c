"""Spend events are read from the stored event itself: every field has its attribute."""

from dataclasses import fields

from strawberry.types.base import get_object_definition

from tensorcost.domain.cost.query_listing import ListedEvent
from tensorcost.graphql.spend.events import SpendEvent


def test_every_plain_field_of_a_spend_event_is_an_attribute_of_the_stored_event() -> None:
    stored = {field.name for field in fields(ListedEvent)}
    shown = get_object_definition(SpendEvent, strict=True).fields
    plain = {field.python_name for field in shown if field.is_basic_field}
    assert plain <= stored
    assert stored - plain == set(), "a stored field that the schema does not show"
