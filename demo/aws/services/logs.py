"""CloudWatch Logs: DescribeLogGroups and FilterLogEvents with their page limits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson

from demo.aws.access import Caller
from demo.aws.context import Context, Operations, json_answer, page_of, seal, unseal
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import HttpResponse
from demo.aws.logstore import StoredEvent
from demo.aws.state import LogGroup
from demo.aws.wire import Call

_MAX_EVENTS = 10_000
_MAX_BYTES = 1_048_576
_EVENT_OVERHEAD = 26
_TOKEN_LIFE = 24 * 3600
_JSON_TERM = re.compile(r"""^\s*\$((?:\.[\w-]+)+)\s*(=|!=)\s*"?([^"]*?)"?\s*$""")


def _describe_groups(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "logs:DescribeLogGroups")
    limit = call.number("limit", 50)
    if not 1 <= limit <= 50:
        raise AwsError("InvalidParameterException", "limit must be between 1 and 50")
    prefix, part = call.text("logGroupNamePrefix") or "", call.text("logGroupNamePattern") or ""
    here = (caller.account, call.region)
    listed = sorted(
        (g for g in ctx.state.log_groups if (g.account, g.region) == here), key=lambda g: g.name
    )
    matching = [g for g in listed if g.name.startswith(prefix) and part.lower() in g.name.lower()]
    size = ctx.tweaks.page_size or limit
    page, token = page_of(matching, call.text("nextToken"), size, "InvalidParameterException")
    body: dict[str, Any] = {"logGroups": [_group(g) for g in page]}
    return json_answer(body | ({"nextToken": token} if token else {}))


def _group(group: LogGroup) -> dict[str, Any]:
    body: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": 1_735_689_600_000,
        "metricFilterCount": 0,
        "arn": f"{group.arn}:*",
        "logGroupArn": group.arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    }
    if group.retention_days:
        body["retentionInDays"] = group.retention_days
    return body | ({"kmsKeyId": group.kms_key} if group.kms_key else {})


def _filter_events(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    name = _group_name(call)
    ctx.note.resource = name
    arn = f"arn:aws:logs:{call.region}:{caller.account}:log-group:{name}"
    ctx.require(call, caller, "logs:FilterLogEvents", arn)
    here = (caller.account, call.region, name)
    group = next((g for g in ctx.state.log_groups if (g.account, g.region, g.name) == here), None)
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    if group.kms_refused:
        key = group.kms_key or "arn:aws:kms:us-east-1:000000000000:key/unknown"
        text = f"User: {caller.arn} is not authorized to perform: kms:Decrypt on resource: {key}"
        raise of_kind("logs", Kind.DENIED, text)
    limit = call.number("limit", _MAX_EVENTS)
    if not 1 <= limit <= _MAX_EVENTS:
        raise AwsError("InvalidParameterException", f"limit must be between 1 and {_MAX_EVENTS}")
    now = int(ctx.now.timestamp() * 1000)
    first, last = call.number("startTime", 0), call.number("endTime", now)
    if group.retention_days:
        kept = timedelta(days=group.retention_days)
        first = max(first, now - int(kept.total_seconds() * 1000))
    place = (caller.account, group.written_in or call.region, name)
    found = [] if group.silent else ctx.logs.between(place, first, last)
    return _page(ctx, call, found, min(limit, ctx.tweaks.page_size or limit))


def _page(ctx: Context, call: Call, found: list[StoredEvent], limit: int) -> HttpResponse:
    token = call.text("nextToken")
    at, was_empty = _resume(token) if token else (0, False)
    if ctx.tweaks.empty_page and not token:
        return _answer([], seal(at=0, t=int(time.time()), e=True))
    keep = _matcher(call.text("filterPattern") or "")
    streams, stream_prefix = call.params.get("logStreamNames"), call.text("logStreamNamePrefix")
    events: list[StoredEvent] = []
    size = 0
    if token and not was_empty:
        # AWS may answer an empty page while more is to come; readers that stop there lose data.
        return _answer([], seal(at=at, t=int(time.time()), e=True))
    while at < len(found) and len(events) < limit:
        event = found[at]
        weight = len(event.message.encode()) + _EVENT_OVERHEAD
        if events and size + weight > _MAX_BYTES:
            break
        at += 1
        if streams and event.stream not in streams:
            continue
        if stream_prefix and not event.stream.startswith(stream_prefix):
            continue
        if keep(event.message):
            events.append(event)
            size += weight
    following = seal(at=at, t=int(time.time()), e=was_empty) if at < len(found) else None
    return _answer(events, following)


def _resume(token: str) -> tuple[int, bool]:
    opened = unseal(token, "InvalidParameterException")
    if time.time() - int(opened.get("t", 0)) > _TOKEN_LIFE:
        raise AwsError("InvalidParameterException", "The specified nextToken is expired.")
    return int(opened.get("at", 0)), bool(opened.get("e"))


def _answer(events: list[StoredEvent], token: str | None) -> HttpResponse:
    listed = [
        {
            "logStreamName": event.stream,
            "timestamp": event.at_ms,
            "message": event.message,
            "ingestionTime": event.at_ms + 1500,
            "eventId": f"{event.at_ms:020d}{event.number:036d}",
        }
        for event in events
    ]
    body: dict[str, Any] = {"events": listed, "searchedLogStreams": []}
    return json_answer(body | ({"nextToken": token} if token else {}))


def _group_name(call: Call) -> str:
    name, identifier = call.text("logGroupName"), call.text("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise AwsError(
            "InvalidParameterException",
            "Exactly one of logGroupName and logGroupIdentifier must be given.",
        )
    text = name or identifier or ""
    return text.split(":log-group:", 1)[-1].removesuffix(":*")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Compile the part of the filter language that readers of invocation logs use."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("{"):
        terms = [_json_term(term) for term in text.strip("{} ").split("&&")]
        return lambda message: _matches_json(message, terms)
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', text)]
    return lambda message: all(word in message for word in words)


def _json_term(term: str) -> tuple[list[str], bool, str]:
    found = _JSON_TERM.match(term.strip("() "))
    if found is None:
        raise AwsError("InvalidParameterException", f"Invalid filter pattern: {term}")
    return found.group(1).lstrip(".").split("."), found.group(2) == "=", found.group(3)


def _matches_json(message: str, terms: list[tuple[list[str], bool, str]]) -> bool:
    try:
        record = orjson.loads(message)
    except orjson.JSONDecodeError:
        return False
    for path, equal, wanted in terms:
        value: Any = record
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        actual = value if isinstance(value, str) else orjson.dumps(value).decode()
        if (value is not None and actual == wanted) is not equal:
            return False
    return True


OPERATIONS: Operations = {
    "DescribeLogGroups": _describe_groups,
    "FilterLogEvents": _filter_events,
}
