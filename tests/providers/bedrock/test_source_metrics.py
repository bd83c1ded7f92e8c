from datetime import timedelta

import pytest

from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.bedrock.metrics import Metric, MetricParse, parse_metrics
from tensorcost.providers.bedrock.source_metrics import (
    list_models,
    read_metrics,
    sum_invocations,
)
from tests.providers.aws.world import HOME, MODEL, NOW, PAYER, TRAFFIC, payer
from tests.providers.bedrock.samples import BOUNDS

START, END = TRAFFIC - timedelta(hours=2), NOW


def test_models_with_recent_metrics_are_listed(aws: SimControl) -> None:
    assert list_models(payer(aws.endpoint_url), HOME) == {MODEL}


def test_the_hourly_sums_become_metric_rows(aws: SimControl) -> None:
    series = list(read_metrics(payer(aws.endpoint_url), HOME, [MODEL], START, END))
    batch = parse_metrics(series, MetricParse(PAYER, HOME, BOUNDS))
    assert sum(batch.requests) == 24
    assert (sum(batch.input_tokens), sum(batch.output_tokens)) == (1200, 120)
    assert (sum(batch.cached_tokens), sum(batch.cache_write_5m_tokens)) == (60, 36)
    assert len(batch) == 2


def test_points_split_over_pages_are_merged(aws: SimControl) -> None:
    whole = list(read_metrics(payer(aws.endpoint_url), HOME, [MODEL], START, END))
    aws.fault(service="cloudwatch", operation="GetMetricData", page_size=1)
    split = list(read_metrics(payer(aws.endpoint_url), HOME, [MODEL], START, END))
    assert split == whole
    assert len(aws.requests(operation="GetMetricData")) > 5


def test_no_call_asks_for_more_metrics_than_aws_allows(aws: SimControl) -> None:
    models = [f"model.m-{n}" for n in range(230)]
    assert list(read_metrics(payer(aws.endpoint_url), HOME, models, START, END)) == []
    asked = [entry.metrics for entry in aws.requests(operation="GetMetricData")]
    assert asked == [500, 500, 150]


def test_the_window_is_widened_to_whole_hours(aws: SimControl) -> None:
    start, end = TRAFFIC + timedelta(minutes=1), TRAFFIC + timedelta(minutes=2)
    (series,) = read_metrics(
        payer(aws.endpoint_url), HOME, [MODEL], start, end, metrics=(Metric.INVOCATIONS,)
    )
    assert series.points == ((int((TRAFFIC - timedelta(minutes=5)).timestamp()), 16.0),)


def test_invocations_are_summed_over_models(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    assert sum_invocations(session, HOME, [MODEL, "other.model"], START, END) == 24
    assert sum_invocations(session, HOME, [], START, END) == 0


def test_a_denial_is_an_error_and_not_a_zero(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    aws.preset("cloudwatch_denied", account=PAYER)
    with pytest.raises(ProviderError) as caught:
        list(read_metrics(session, HOME, [MODEL], START, END))
    assert caught.value.kind is ErrorKind.DENIED
