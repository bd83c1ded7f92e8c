"""Filters on event types: exact, by prefix, and in the other pages' spellings."""

import pytest

from tensorcost.domain.events.catalogue import EventType, matches


@pytest.mark.parametrize(
    ("event", "filters", "expected"),
    [
        ("cost.updated", (), True),
        ("cost.updated", ("cost.updated",), True),
        ("cost.updated", ("cost.",), True),
        ("cost.updated", ("cost.*",), True),
        ("cost.updated", ("cost",), False),
        ("cost.updated", ("alert.", "cost.updated"), True),
        ("cost.forecast_generated", ("forecast.generated",), True),
        ("metrics.anomaly_detected", ("anomaly.detected",), True),
        ("cost.budget_breach_predicted", ("forecast.generated",), False),
    ],
)
def test_an_event_meets_the_filters_that_mean_it(
    event: str, filters: tuple[str, ...], expected: bool
) -> None:
    assert matches(event, filters) is expected


def test_every_type_has_a_dotted_domain() -> None:
    assert all("." in event for event in EventType)
