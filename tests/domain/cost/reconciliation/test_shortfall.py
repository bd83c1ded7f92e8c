"""A place that is logged in part: each missed dollar has one probable cause, from what was seen."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tensorcost.domain.cost.reconciliation.coverage import Coverage
from tensorcost.domain.cost.reconciliation.shortfall import (
    REMEDIES,
    Missed,
    PartlyLogged,
    ShortfallCause,
    Span,
    shortfalls,
)
from tensorcost.domain.cost.reconciliation.silence import KeptLogs

MISSED = Missed("claude", Span.WITHIN, frozenset({"fewer_rows"}), is_model_logged=True, nano=5)
PLACE = PartlyLogged(
    first_logged=date(2026, 10, 7),
    last_logged=date(2026, 10, 20),
    logged_requests=60,
    metered_requests=100,
    logged_elsewhere={},
    open_findings=(),
    missed=(MISSED,),
)


def only(place: PartlyLogged = PLACE, **changes: Any) -> tuple[ShortfallCause, str]:
    (found,) = shortfalls(replace(place, missed=(replace(MISSED, **changes),)))
    assert found.remedy == REMEDIES[found.cause]
    return found.cause, found.seen


@pytest.mark.parametrize(
    ("changes", "cause", "seen"),
    [
        ({"hints": frozenset({"batch_not_logged", "no_rows"})}, "batch_not_logged", "claude"),
        ({"hints": frozenset({"not_by_token"})}, "not_by_token", "claude"),
        ({"hints": frozenset({"unknown_model"}), "model_id": ""}, "unknown_model", "no model"),
        ({"span": Span.BEFORE}, "logging_began_later", "2026-10-07"),
        ({"span": Span.AFTER}, "logging_ended", "2026-10-20"),
        ({"is_model_logged": False}, "models_not_logged", "claude"),
        ({}, "calls_not_logged", "counted 100 calls from 2026-10-07 to 2026-10-20"),
    ],
)
def test_the_cause_follows_what_was_seen(changes: dict[str, Any], cause: str, seen: str) -> None:
    found, told = only(**changes)
    assert found == cause
    assert seen in told


def test_batch_jobs_beside_calls_that_could_be_logged_hide_no_other_cause() -> None:
    assert only(hints=frozenset({"batch_not_logged", "fewer_rows"}))[0] == "calls_not_logged"


@pytest.mark.parametrize(
    ("metered", "cause"),
    [(61, "calls_not_logged"), (60, "tokens_not_logged"), (0, "unknown")],
)
def test_a_count_of_the_calls_tells_lost_calls_from_lost_tokens(metered: int, cause: str) -> None:
    assert only(replace(PLACE, metered_requests=metered))[0] == cause


def test_an_open_finding_says_more_than_counts_but_not_of_days_before_the_first_log() -> None:
    place = replace(PLACE, open_findings=("The bucket denies reading",))
    assert only(place) == (ShortfallCause.LOGS_NOT_READ, "The bucket denies reading")
    assert only(place, span=Span.AFTER)[0] is ShortfallCause.LOGS_NOT_READ
    assert only(place, span=Span.BEFORE)[0] is ShortfallCause.BEGAN_LATER


@pytest.mark.parametrize(
    ("since", "cause"),
    [
        (date(2026, 10, 7), ShortfallCause.EXPIRED),
        (date(2026, 10, 6), ShortfallCause.EXPIRED),
        (date(2026, 10, 5), ShortfallCause.BEGAN_LATER),
        (date(2026, 10, 8), ShortfallCause.BEGAN_LATER),
    ],
)
def test_days_before_what_was_kept_of_the_logs_have_expired(
    since: date, cause: ShortfallCause
) -> None:
    kept = KeptLogs(14, since + timedelta(days=14), since)
    found, seen = only(replace(PLACE, kept_logs=kept), span=Span.BEFORE)
    assert found is cause
    if cause is ShortfallCause.EXPIRED:
        assert f"keeps 14 days and was connected on {kept.connected_on}" in seen


def test_a_model_that_is_logged_more_than_billed_in_another_region_is_sought_there() -> None:
    place = replace(PLACE, logged_elsewhere={"claude": {"us-west-2", "eu-west-1"}})
    cause, seen = only(place, span=Span.BEFORE)
    assert (cause, seen) == (
        ShortfallCause.LOGGED_ELSEWHERE,
        "eu-west-1, us-west-2 logged more than is billed there: claude",
    )
    assert only(place, model_id="nova")[0] is ShortfallCause.CALLS_NOT_LOGGED


def test_causes_are_ranked_by_dollars_and_add_up_to_what_is_missed() -> None:
    missed = (
        replace(MISSED, nano=2),
        replace(MISSED, nano=3, model_id="nova"),
        replace(MISSED, nano=9, span=Span.BEFORE),
        replace(MISSED, nano=-4, span=Span.AFTER),
    )
    found = shortfalls(replace(PLACE, missed=missed))
    assert [(one.cause.value, one.nano) for one in found] == [
        ("logging_began_later", 9),
        ("calls_not_logged", 5),
    ]


def test_many_models_are_counted_after_the_dearest_five() -> None:
    missed = tuple(
        replace(MISSED, model_id=f"m{n}", nano=n, is_model_logged=False) for n in range(1, 8)
    )
    (found,) = shortfalls(replace(PLACE, missed=missed))
    assert "m7, m6, m5, m4, m3 and 2 more" in found.seen


@pytest.mark.parametrize(
    ("by_request", "by_metric", "unlogged", "is_below"),
    [(95, 0, 5, False), (94, 0, 6, True), (50, 50, 0, True), (0, 0, 0, False)],
)
def test_the_service_level_asks_for_single_requests(
    by_request: int, by_metric: int, unlogged: int, is_below: bool
) -> None:
    found = Coverage("1", "us-east-1", by_request, by_metric, unlogged)
    assert found.is_below_service_level is is_below
