from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.facts import Grain, RoutingScope
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.metrics import Metric, MetricParse, MetricSeries, parse_metrics
from tests.providers.bedrock.samples import BOUNDS, DIRECTORY, PROFILE

HOUR = 1_793_692_800
MODEL = "us.anthropic.claude-sonnet-4-6"


def parse(*series: MetricSeries, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "account_id": "111122223333",
        "region": "us-east-1",
        "bounds": BOUNDS,
        "directory": DIRECTORY,
    }
    return parse_metrics(series, MetricParse(**(given | changes)))


def one(metric: Metric, *points: tuple[int, float], model: str = MODEL) -> MetricSeries:
    return MetricSeries(model, metric, points)


def test_the_five_counters_of_an_hour_make_one_row() -> None:
    batch = parse(
        one(Metric.INVOCATIONS, (HOUR, 12.0)),
        one(Metric.INPUT, (HOUR, 900.0)),
        one(Metric.OUTPUT, (HOUR, 90.0)),
        one(Metric.CACHE_READ, (HOUR, 70.0)),
        one(Metric.CACHE_WRITE, (HOUR, 60.0)),
    )
    assert (batch.grain, len(batch), batch.rows_read) == (Grain.METRIC, 1, 1)
    assert (batch.requests, batch.ts_us) == ([12], [HOUR * 1_000_000])
    assert (batch.input_tokens, batch.output_tokens) == ([900], [90])
    assert (batch.cached_tokens, batch.cache_write_5m_tokens) == ([70], [60])
    assert batch.cache_write_1h_tokens == [0]
    assert batch.native_id == [f"metric:{MODEL}:{HOUR}:3600"]
    assert (batch.request_id, batch.latency_ms, batch.prompt_hash) == ([None], [None], [None])
    dimension = batch.dimensions[0]
    assert (dimension.model_id, dimension.routing_scope) == (
        "anthropic.claude-sonnet-4-6",
        RoutingScope.GEO,
    )
    assert batch.actors[batch.actor[0]].stable_id() == 0


def test_two_names_of_one_model_keep_apart_ids() -> None:
    batch = parse(
        one(Metric.INPUT, (HOUR, 5.0)),
        one(Metric.INPUT, (HOUR, 7.0), model="anthropic.claude-sonnet-4-6"),
    )
    assert len(set(batch.native_id)) == 2
    assert {d.model_id for d in batch.dimensions} == {"anthropic.claude-sonnet-4-6"}


def test_an_application_profile_brings_its_tags() -> None:
    batch = parse(one(Metric.INPUT, (HOUR, 5.0), model=PROFILE))
    assert (batch.dimensions[0].team, batch.dimensions[0].profile_arn) == (
        "care-from-tag",
        PROFILE,
    )


def test_windows_without_any_count_give_no_row() -> None:
    batch = parse(one(Metric.INPUT, (HOUR, 0.0)), one(Metric.INVOCATIONS, (HOUR, 0.0)))
    assert (len(batch), batch.rejects) == (0, [])


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (HOUR, -1.0, RejectReason.NEGATIVE_TOKENS),
        (HOUR, 1e17, RejectReason.ABSURD_TOKENS),
        (HOUR, float("nan"), RejectReason.WRONG_TYPE),
        (0, 5.0, RejectReason.TOO_OLD),
        (HOUR * 2, 5.0, RejectReason.IN_THE_FUTURE),
    ],
)
def test_impossible_points_are_rejected_and_the_rest_kept(
    at: int, value: float, reason: str
) -> None:
    batch = parse(one(Metric.INPUT, (at, value), (HOUR, 5.0)))
    assert batch.input_tokens == [5]
    assert [(r.position, r.reason) for r in batch.rejects] == [(1, reason)]


def test_an_impossible_account_rejects_the_read() -> None:
    batch = parse(one(Metric.INPUT, (HOUR, 5.0)), account_id="12345678901234")
    assert (len(batch), batch.rejects[0].reason) == (0, RejectReason.BAD_ACCOUNT)


minutes = st.lists(st.tuples(st.integers(0, 179), st.integers(0, 10**6)), max_size=50)


@given(minutes)
def test_points_of_a_shorter_period_sum_into_their_hour(points: list[tuple[int, int]]) -> None:
    series = one(Metric.INPUT, *((HOUR + 60 * at, float(value)) for at, value in points))
    batch = parse(series)
    assert sum(batch.input_tokens) == sum(value for _, value in points)
    assert len(set(batch.native_id)) == len(batch) <= 3
    assert all(ts % 3_600_000_000 == 0 for ts in batch.ts_us)
