"""Discovery of bills: BCM Data Exports (CUR 2.0) and legacy report definitions."""

from __future__ import annotations

from typing import Any

from demo.aws.access import Caller
from demo.aws.context import Context, Operations, json_answer, page_of
from demo.aws.errors import AwsError
from demo.aws.http import HttpResponse
from demo.aws.state import Export
from demo.aws.wire import Call

_HOME = "us-east-1"


def _at_home(call: Call) -> None:
    """Both services live in one region; a request signed for another never reaches them."""
    if call.region != _HOME:
        raise AwsError(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not '{call.region}'.",
        )


def _list_exports(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    _at_home(call)
    ctx.require(call, caller, "bcm-data-exports:ListExports")
    listed = [e for e in ctx.state.exports if e.account == caller.account]
    page, token = _page(ctx, call, listed)
    body: dict[str, Any] = {
        "Exports": [
            {"ExportArn": e.arn, "ExportName": e.name, "ExportStatus": _status(e)} for e in page
        ]
    }
    return json_answer(body | ({"NextToken": token} if token else {}))


def _find(ctx: Context, call: Call, caller: Caller) -> Export:
    arn = call.text("ExportArn") or ""
    ctx.note.resource = arn
    for export in ctx.state.exports:
        if export.arn == arn and export.account == caller.account:
            return export
    raise AwsError(
        "ResourceNotFoundException",
        f"The export {arn} was not found.",
        fields={"ResourceId": arn, "ResourceType": "Export"},
    )


def _get_export(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    _at_home(call)
    ctx.require(call, caller, "bcm-data-exports:GetExport", call.text("ExportArn") or "")
    export = _find(ctx, call, caller)
    output = {
        "OutputType": "CUSTOM",
        "Format": "PARQUET" if export.parquet else "TEXT_OR_CSV",
        "Compression": "PARQUET" if export.parquet else "GZIP",
        "Overwrite": "OVERWRITE_REPORT" if export.overwrite else "CREATE_NEW_REPORT",
    }
    table = {
        "TIME_GRANULARITY": export.granularity,
        "INCLUDE_RESOURCES": "TRUE",
        "INCLUDE_SPLIT_COST_ALLOCATION_DATA": "FALSE",
        "INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY": "TRUE",
    }
    body = {
        "ExportArn": export.arn,
        "Name": export.name,
        "DataQuery": {
            "QueryStatement": f"SELECT {', '.join(export.columns)} FROM COST_AND_USAGE_REPORT",
            "TableConfigurations": {"COST_AND_USAGE_REPORT": table},
        },
        "DestinationConfigurations": {
            "S3Destination": {
                "S3Bucket": export.bucket,
                "S3Prefix": export.prefix,
                "S3Region": export.bucket_region,
                "S3OutputConfigurations": output,
            }
        },
        "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
    }
    return json_answer({"Export": body, "ExportStatus": _status(export)})


def _list_executions(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    _at_home(call)
    ctx.require(call, caller, "bcm-data-exports:ListExecutions", call.text("ExportArn") or "")
    export = _find(ctx, call, caller)
    finished = export.refreshed.timestamp()
    status = {
        "StatusCode": "DELIVERY_SUCCESS" if export.status == "HEALTHY" else "DELIVERY_FAILURE",
        "CreatedAt": finished - 600,
        "CompletedAt": finished,
        "LastUpdatedAt": finished,
    }
    return json_answer(
        {"Executions": [{"ExecutionId": export.execution_id, "ExecutionStatus": status}]}
    )


def _status(export: Export) -> dict[str, Any]:
    status: dict[str, Any] = {
        "StatusCode": export.status,
        "CreatedAt": export.created.timestamp(),
        "LastUpdatedAt": export.created.timestamp(),
        "LastRefreshedAt": export.refreshed.timestamp(),
    }
    return status | ({"StatusReason": export.status_reason} if export.status_reason else {})


def _page(ctx: Context, call: Call, listed: list[Export]) -> tuple[list[Export], str | None]:
    size = call.number("MaxResults", 100)
    if not 1 <= size <= 300:
        raise AwsError("ValidationException", "MaxResults must be between 1 and 300")
    return page_of(listed, call.text("NextToken"), ctx.tweaks.page_size or size)


def _describe_reports(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    _at_home(call)
    ctx.require(call, caller, "cur:DescribeReportDefinitions")
    listed = [r for r in ctx.state.reports if r.account == caller.account]
    page, token = page_of(listed, call.text("NextToken"), 5)
    body: dict[str, Any] = {
        "ReportDefinitions": [
            {
                "ReportName": report.name,
                "TimeUnit": "DAILY",
                "Format": "textORcsv",
                "Compression": "GZIP",
                "AdditionalSchemaElements": ["RESOURCES"],
                "S3Bucket": report.bucket,
                "S3Prefix": report.prefix,
                "S3Region": report.bucket_region,
                "RefreshClosedReports": True,
                "ReportVersioning": "OVERWRITE_REPORT",
            }
            for report in page
        ]
    }
    return json_answer(body | ({"NextToken": token} if token else {}))


DATA_EXPORTS: Operations = {
    "ListExports": _list_exports,
    "GetExport": _get_export,
    "ListExecutions": _list_executions,
}
LEGACY: Operations = {"DescribeReportDefinitions": _describe_reports}
