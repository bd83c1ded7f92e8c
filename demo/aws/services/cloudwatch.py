"""CloudWatch: ListMetrics and GetMetricData, with the limits that a backfill runs into."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np

from demo.aws.access import Caller
from demo.aws.context import Context, Operations, json_answer, page_of, seal, unseal
from demo.aws.errors import AwsError
from demo.aws.http import HttpResponse
from demo.aws.metrics import METRICS, Samples, UnknownStatistic, binned
from demo.aws.wire import Call

NAMESPACE = "AWS/Bedrock"
_MAX_QUERIES = 500
_MAX_POINTS = 100_800
_LISTED_PER_PAGE = 500
_QUERY_ID = re.compile(r"^[a-z][a-zA-Z0-9_]*$")
_UNITS = {"InvocationLatency": "Milliseconds", "TimeToFirstToken": "Milliseconds"}
_DELIVERY = {
    "ModelInvocationLogsS3DeliverySuccess": "bucket",
    "ModelInvocationLogsCloudWatchDeliverySuccess": "log_group",
}

Point = tuple[int, float]


def _samples(
    ctx: Context, call: Call, caller: Caller, metric: str, dimensions: dict[str, str]
) -> Samples | None:
    """The samples of one metric; None when nothing was ever published under these names."""
    if _is_idle(ctx, call, caller):
        return None
    if metric in _DELIVERY and not dimensions:
        here = (caller.account, call.region)
        config = next((c for c in ctx.state.logging if (c.account, c.region) == here), None)
        if config is None or getattr(config, _DELIVERY[metric]) is None:
            return None
        return ctx.metrics.samples(*here, "Invocations", None)
    if metric not in METRICS or set(dimensions) != {"ModelId"}:
        return None
    model = dimensions["ModelId"]
    return ctx.metrics.samples(caller.account, call.region, metric, model)


def _is_idle(ctx: Context, call: Call, caller: Caller) -> bool:
    account = ctx.state.account(caller.account)
    return account is not None and bool({call.region, "*"} & set(account.idle_regions))


def _list_metrics(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "cloudwatch:ListMetrics")
    now = int(ctx.now.timestamp())
    recent = timedelta(hours=3) if call.text("RecentlyActive") else timedelta(days=14)
    oldest = now - int(recent.total_seconds())
    wanted = {d["Name"]: d.get("Value") for d in call.params.get("Dimensions") or []}
    found: list[dict[str, Any]] = []
    idle = _is_idle(ctx, call, caller)
    for model in () if idle else ctx.metrics.models(caller.account, call.region):
        for metric in METRICS:
            samples = ctx.metrics.samples(caller.account, call.region, metric, model)
            if bool(np.any((samples.ts >= oldest) & (samples.ts < now))):
                dimensions = [{"Name": "ModelId", "Value": model}]
                found.append(
                    {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
                )
    if call.text("Namespace") not in (None, NAMESPACE):
        found = []
    if name := call.text("MetricName"):
        found = [m for m in found if m["MetricName"] == name]
    if wanted:
        found = [m for m in found if _has(m["Dimensions"][0], wanted)]
    size = ctx.tweaks.page_size or _LISTED_PER_PAGE
    page, token = page_of(found, call.text("NextToken"), size, "InvalidParameterValue")
    body: dict[str, Any] = {"Metrics": page}
    return json_answer(body | ({"NextToken": token} if token else {}), "1.0")


def _has(dimension: dict[str, str], wanted: dict[str, str | None]) -> bool:
    return set(wanted) == {"ModelId"} and wanted["ModelId"] in (None, dimension["Value"])


def _get_metric_data(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    queries = call.params.get("MetricDataQueries") or []
    ctx.note.metrics = len(queries)
    ctx.require(call, caller, "cloudwatch:GetMetricData")
    start, end = _window(call)
    _check_queries(queries)
    newest_first = (call.text("ScanBy") or "TimestampDescending") == "TimestampDescending"
    now = int(ctx.now.timestamp())
    series: list[tuple[dict[str, Any], list[Point]]] = []
    for query in queries:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or []}
        points: list[Point] = []
        samples = _samples(ctx, call, caller, metric["MetricName"], dimensions)
        unit = _UNITS.get(metric["MetricName"], "Count")
        asked = (metric["Namespace"], stat.get("Unit", unit))
        if samples is not None and asked == (NAMESPACE, unit):
            points = _points(samples, start, end, stat, now)
        series.append((query, points[::-1] if newest_first else points))
    limit = min(call.number("MaxDatapoints", _MAX_POINTS), _MAX_POINTS)
    return _page(series, call.text("NextToken"), ctx.tweaks.page_size or limit)


def _points(samples: Samples, start: int, end: int, stat: dict[str, Any], now: int) -> list[Point]:
    try:
        return binned(samples, start, end, int(stat["Period"]), stat["Stat"], now)
    except UnknownStatistic as error:
        raise AwsError(
            "ValidationError", f"The value {stat['Stat']} for parameter Stat is not supported."
        ) from error


def _window(call: Call) -> tuple[int, int]:
    start, end = call.params.get("StartTime"), call.params.get("EndTime")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        raise AwsError("ValidationError", "StartTime and EndTime are required.")
    if start >= end:
        raise AwsError(
            "ValidationError", "The parameter StartTime must be less than the parameter EndTime."
        )
    return int(start), int(end)


def _check_queries(queries: list[dict[str, Any]]) -> None:
    if not queries:
        raise AwsError("ValidationError", "The parameter MetricDataQueries is required.")
    if len(queries) > _MAX_QUERIES:
        raise AwsError(
            "ValidationError",
            f"The collection MetricDataQueries must not have a size greater than {_MAX_QUERIES}.",
        )
    ids = [str(query.get("Id", "")) for query in queries]
    if len(set(ids)) != len(ids):
        raise AwsError(
            "ValidationError", "The values for parameter id in MetricDataQueries are not unique."
        )
    for query in queries:
        if not _QUERY_ID.match(str(query.get("Id", ""))):
            raise AwsError(
                "ValidationError", f"The value {query.get('Id')} for parameter Id is invalid."
            )
        if "MetricStat" not in query:
            raise AwsError("ValidationError", "cloud-sim knows MetricStat queries only.")
        period = int(query["MetricStat"]["Period"])
        if period < 1 or (period % 60 and period not in (1, 5, 10, 20, 30)):
            raise AwsError(
                "ValidationError", f"The value {period} for parameter Period is invalid."
            )


def _page(
    series: list[tuple[dict[str, Any], list[Point]]], token: str | None, limit: int
) -> HttpResponse:
    """Cut the concatenated points at ``limit``; a series cut in two is PartialData first."""
    if limit < 1:
        raise AwsError("ValidationError", "MaxDatapoints must be at least 1.")
    offset = int(unseal(token, "InvalidNextToken").get("at", 0)) if token else 0
    stop = offset + limit
    results: list[dict[str, Any]] = []
    at = 0
    for query, points in series:
        first, last = at, at + len(points)
        at = last
        shown = points[max(offset - first, 0) : max(stop - first, 0)]
        is_empty_series = not points and offset <= first < stop
        if not shown and not is_empty_series:
            continue
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or query["MetricStat"]["Metric"]["MetricName"],
                "Timestamps": [ts for ts, _ in shown],
                "Values": [value for _, value in shown],
                "StatusCode": "Complete" if last <= stop else "PartialData",
            }
        )
    body: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
    if at > stop:
        body["NextToken"] = seal(at=stop)
    return json_answer(body, "1.0")


OPERATIONS: Operations = {"ListMetrics": _list_metrics, "GetMetricData": _get_metric_data}
