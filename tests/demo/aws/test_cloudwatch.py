from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.aws.control import SimControl
from demo.aws.state import MetricPoint
from demo.world.story import PAYER
from tests.demo.clients import Clients, failure

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def query(name: str, metric: str, model: str, period: int = 3600, stat: str = "Sum") -> Any:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Bedrock",
                "MetricName": metric,
                "Dimensions": [{"Name": "ModelId", "Value": model}],
            },
            "Period": period,
            "Stat": stat,
        },
    }


def seed(sim: SimControl, points: list[tuple[datetime, int, float]], model: str = "m") -> None:
    state = sim.state()
    state.now = NOW
    state.metric_points = [
        MetricPoint(
            account=PAYER,
            region="us-east-1",
            model_id=model,
            at=at,
            input_tokens=tokens,
            latency_ms=latency,
        )
        for at, tokens, latency in points
    ]
    sim.seed_state(state)


def read(clients: Clients, start: datetime, end: datetime, *queries: Any, **more: Any) -> Any:
    cloudwatch = clients.client("cloudwatch", clients.reader())
    return cloudwatch.get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=end, **more
    )


def test_sums_fall_on_the_grid_of_the_period(clients: Clients, sim: SimControl) -> None:
    seed(sim, [(NOW - timedelta(minutes=m), 10, 5.0) for m in (1, 59, 61, 90)])
    start = NOW - timedelta(hours=2) + timedelta(minutes=7)
    answer = read(clients, start, NOW, query("q", "InputTokenCount", "m"))
    result = answer["MetricDataResults"][0]
    assert result["Timestamps"] == [NOW - timedelta(hours=1), NOW - timedelta(hours=2)]
    assert result["Values"] == [20.0, 20.0]
    assert result["StatusCode"] == "Complete"


def test_statistics_and_percentiles_are_computed(clients: Clients, sim: SimControl) -> None:
    seed(sim, [(NOW - timedelta(minutes=5), 1, float(n)) for n in range(1, 101)])
    expected = {
        "Average": 50.5,
        "Minimum": 1.0,
        "Maximum": 100.0,
        "SampleCount": 100.0,
        "p50": 50.5,
        "p90": 90.1,
    }
    queries = [
        query(f"q{n}", "InvocationLatency", "m", 3600, stat) for n, stat in enumerate(expected)
    ]
    answer = read(clients, NOW - timedelta(hours=1), NOW, *queries)
    values = [result["Values"][0] for result in answer["MetricDataResults"]]
    assert values == pytest.approx(list(expected.values()))


@pytest.mark.parametrize(
    ("age_days", "period", "seen"),
    [(14, 60, 1), (16, 60, 0), (16, 300, 1), (64, 300, 0), (64, 3600, 1), (456, 3600, 0)],
)
def test_old_points_are_kept_only_coarsely(
    clients: Clients, sim: SimControl, age_days: int, period: int, seen: int
) -> None:
    at = NOW - timedelta(days=age_days)
    seed(sim, [(at, 10, 1.0)])
    answer = read(
        clients,
        at - timedelta(hours=1),
        at + timedelta(hours=1),
        query("q", "InputTokenCount", "m", period),
    )
    assert len(answer["MetricDataResults"][0]["Values"]) == seen


def test_points_page_and_a_cut_series_is_partial_first(clients: Clients, sim: SimControl) -> None:
    seed(sim, [(NOW - timedelta(hours=h, minutes=30), h, 1.0) for h in range(24)])
    cloudwatch = clients.client("cloudwatch", clients.reader())
    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                query("a", "InputTokenCount", "m"),
                query("b", "Invocations", "m"),
                query("c", "InputTokenCount", "absent"),
            ],
            StartTime=NOW - timedelta(days=1),
            EndTime=NOW,
            MaxDatapoints=10,
        )
    )
    assert len(pages) == 5
    assert pages[0]["MetricDataResults"][0]["StatusCode"] == "PartialData"
    merged: dict[str, list[float]] = {}
    for page in pages:
        assert sum(len(r["Values"]) for r in page["MetricDataResults"]) <= 10
        for result in page["MetricDataResults"]:
            merged.setdefault(result["Id"], []).extend(result["Values"])
    assert merged["a"] == [float(h) for h in range(24)]
    assert merged["b"] == [1.0] * 24
    assert sum(merged.get("c", [])) == 0


def test_foreign_unit_or_missing_dimension_finds_nothing(clients: Clients, sim: SimControl) -> None:
    seed(sim, [(NOW - timedelta(minutes=5), 10, 1.0)])
    wrong_unit, no_dimension = query("a", "InputTokenCount", "m"), query("b", "Invocations", "m")
    wrong_unit["MetricStat"]["Unit"] = "Bytes"
    no_dimension["MetricStat"]["Metric"]["Dimensions"] = []
    answer = read(clients, NOW - timedelta(hours=1), NOW, wrong_unit, no_dimension)
    assert [result["Values"] for result in answer["MetricDataResults"]] == [[], []]


@pytest.mark.parametrize(
    "broken",
    [
        [query(f"q{n}", "Invocations", "m") for n in range(501)],
        [query("same", "Invocations", "m")] * 2,
        [query("Upper", "Invocations", "m")],
        [query("q", "Invocations", "m", period=90)],
        [query("q", "Invocations", "m", stat="Median")],
    ],
)
def test_invalid_queries_are_refused(clients: Clients, sim: SimControl, broken: Any) -> None:
    seed(sim, [(NOW - timedelta(minutes=5), 10, 1.0)])
    with pytest.raises(ClientError) as caught:
        read(clients, NOW - timedelta(hours=1), NOW, *broken)
    assert failure(caught.value) == ("ValidationError", 400)


def test_listing_pages_at_five_hundred_and_forgets_silent_metrics(
    clients: Clients, sim: SimControl
) -> None:
    state = sim.state()
    state.now = NOW
    state.metric_points = [
        MetricPoint(
            account=PAYER,
            region="us-east-1",
            model_id=f"m{n}",
            at=NOW - timedelta(days=1 if n else 20),
            input_tokens=1,
            output_tokens=1,
        )
        for n in range(151)
    ]
    sim.seed_state(state)
    cloudwatch = clients.client("cloudwatch", clients.reader())
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/Bedrock"))
    assert [len(page["Metrics"]) for page in pages] == [500, 100]
    names = {metric["Dimensions"][0]["Value"] for page in pages for metric in page["Metrics"]}
    assert "m0" not in names
    assert not cloudwatch.list_metrics(Namespace="AWS/Bedrock", RecentlyActive="PT3H")["Metrics"]
    only = cloudwatch.list_metrics(
        Namespace="AWS/Bedrock",
        MetricName="Invocations",
        Dimensions=[{"Name": "ModelId", "Value": "m7"}],
    )
    assert len(only["Metrics"]) == 1


def test_denial_names_the_action(clients: Clients, sim: SimControl) -> None:
    sim.preset("cloudwatch_denied", account=PAYER)
    with pytest.raises(ClientError) as caught:
        read(clients, NOW - timedelta(hours=1), NOW, query("q", "Invocations", "m"))
    assert failure(caught.value) == ("AccessDenied", 400)
    assert "cloudwatch:GetMetricData" in caught.value.response["Error"]["Message"]


def test_log_delivery_is_counted_without_a_dimension(clients: Clients) -> None:
    delivered = query("q", "ModelInvocationLogsCloudWatchDeliverySuccess", "m", 86400)
    delivered["MetricStat"]["Metric"]["Dimensions"] = []
    answer = read(clients, NOW - timedelta(days=7), NOW, delivered)
    assert sum(answer["MetricDataResults"][0]["Values"]) > 0
