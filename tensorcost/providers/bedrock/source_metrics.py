"""CloudWatch's Bedrock metrics: which models, and their hourly sums."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind
from tensorcost.providers.aws.errors import MAX_MESSAGE, ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.metrics import HOUR, Metric, MetricSeries

NAMESPACE: Final = "AWS/Bedrock"
MAX_QUERIES: Final = 500
MAX_POINTS: Final = 100_800


def list_models(session: AccountSession, region: str) -> set[str]:
    """Models (as they were called) with metrics in the last two weeks. Raises ProviderError.

    CloudWatch lists nothing that was silent for longer: for older windows the caller adds the
    models it knows.
    """
    models: set[str] = set()
    given: dict[str, Any] = {"Namespace": NAMESPACE}
    while True:
        page = session.call("cloudwatch", "list_metrics", region, **given)
        for metric in page.get("Metrics", []):
            dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
            if set(dimensions) == {"ModelId"}:
                models.add(dimensions["ModelId"])
        token = page.get("NextToken")
        if not token:
            return models
        given["NextToken"] = token


def read_metrics(
    session: AccountSession,
    region: str,
    models: Iterable[str],
    start: datetime,
    end: datetime,
    *,
    metrics: Sequence[Metric] = tuple(Metric),
    period_seconds: int = HOUR,
) -> Iterator[MetricSeries]:
    """Sums of ``[start, end)`` for each model and metric, widened to whole periods.

    Raises ProviderError, also when CloudWatch could not give all of a metric's points.
    """
    wanted = iter([(model, metric) for model in sorted(set(models)) for metric in metrics])
    window = _aligned(start, end, period_seconds)
    while batch := list(islice(wanted, MAX_QUERIES)):
        yield from _read_batch(session, region, batch, window, period_seconds)


def sum_invocations(
    session: AccountSession, region: str, models: Iterable[str], start: datetime, end: datetime
) -> int:
    """Accepted calls of all models over the window. Raises ProviderError."""
    series = read_metrics(session, region, models, start, end, metrics=(Metric.INVOCATIONS,))
    return round(sum(value for one in series for _, value in one.points))


@dataclass(slots=True)
class _Answer:
    """What one query has been answered so far; its points may come on several pages."""

    points: dict[int, float] = field(default_factory=dict)
    status: str = "Complete"


def _read_batch(
    session: AccountSession,
    region: str,
    batch: Sequence[tuple[str, Metric]],
    window: tuple[datetime, datetime],
    period: int,
) -> Iterator[MetricSeries]:
    queries = [_query(f"q{n}", *wanted, period) for n, wanted in enumerate(batch)]
    given: dict[str, Any] = {
        "MetricDataQueries": queries,
        "StartTime": window[0],
        "EndTime": window[1],
        "ScanBy": "TimestampAscending",
        "MaxDatapoints": MAX_POINTS,
    }
    answers = {f"q{n}": _Answer() for n in range(len(batch))}
    while True:
        page = session.call("cloudwatch", "get_metric_data", region, **given)
        for result in page.get("MetricDataResults", []):
            _merge(answers[result["Id"]], result)
        token = page.get("NextToken")
        if not token:
            break
        given["NextToken"] = token
    for n, (model, metric) in enumerate(batch):
        answer = answers[f"q{n}"]
        if answer.status != "Complete":
            raise _incomplete(session, region, model, metric, answer.status)
        if answer.points:
            yield MetricSeries(model, metric, tuple(sorted(answer.points.items())))


def _query(query_id: str, model: str, metric: Metric, period: int) -> dict[str, Any]:
    """No ``Unit``: one that does not match gives an empty answer without an error."""
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric.value,
                "Dimensions": [{"Name": "ModelId", "Value": model}],
            },
            "Period": period,
            "Stat": "Sum",
        },
        "ReturnData": True,
    }


def _merge(answer: _Answer, result: Mapping[str, Any]) -> None:
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        answer.points[int(at.timestamp())] = float(value)
    answer.status = str(result.get("StatusCode", "Complete"))


def _aligned(start: datetime, end: datetime, period: int) -> tuple[datetime, datetime]:
    def floor(moment: datetime) -> datetime:
        seconds = int(moment.timestamp())
        return datetime.fromtimestamp(seconds - seconds % period, UTC)

    first, last = floor(start), floor(end)
    return first, last if last == end else last + timedelta(seconds=period)


def _incomplete(
    session: AccountSession, region: str, model: str, metric: Metric, status: str
) -> ProviderError:
    kind = ErrorKind.DENIED if status == "Forbidden" else ErrorKind.SERVER
    return ProviderError(
        CallFailure(
            kind=kind,
            service="cloudwatch",
            operation="GetMetricData",
            code=status,
            account=session.account_id,
            region=region,
            message=f"{metric.value} of {model}: {status}"[:MAX_MESSAGE],
        )
    )
