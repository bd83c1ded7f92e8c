"""Invocation logs in CloudWatch Logs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tensorcost.domain.spend.limits import to_us
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.invocation_log import LogMessage

PAGE_EVENTS: Final = 10_000


def read_log_events(
    session: AccountSession,
    region: str,
    log_group: str,
    start: datetime,
    end: datetime,
    *,
    page_events: int = PAGE_EVENTS,
) -> Iterator[LogMessage]:
    """Events of ``[start, end)`` page by page. Raises ProviderError.

    A page may be empty while more follow: only a missing token is the end.
    """
    given: dict[str, Any] = {
        "logGroupName": group_name(log_group),
        "startTime": to_us(start) // 1000,
        "endTime": to_us(end - timedelta(milliseconds=1)) // 1000,
        "limit": page_events,
    }
    while True:
        page = session.call("logs", "filter_log_events", region, **given)
        for event in page.get("events", []):
            yield LogMessage(event["eventId"], event["message"])
        token = page.get("nextToken")
        if not token:
            return
        given["nextToken"] = token


def group_name(name_or_arn: str) -> str:
    """The name in a log group's ARN, or the name itself."""
    return name_or_arn.split(":log-group:", 1)[-1].removesuffix(":*")


def region_of_group(arn: str) -> str:
    """The region in a log group's ARN, empty for a bare name."""
    parts = arn.split(":")
    return parts[3] if arn.startswith("arn:") and len(parts) > 5 else ""


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group. ``retention_days`` is None where events are kept for ever."""

    name: str
    retention_days: int | None


def group_exists(session: AccountSession, region: str, name: str) -> bool:
    """Whether a log group of exactly this name is there. Raises ProviderError."""
    return find_group(session, region, name) is not None


def find_group(session: AccountSession, region: str, name: str) -> LogGroup | None:
    """The log group of exactly this name. Raises ProviderError."""
    given: dict[str, Any] = {"logGroupNamePrefix": name, "limit": 50}
    while True:
        page = session.call("logs", "describe_log_groups", region, **given)
        for group in page.get("logGroups", []):
            if group.get("logGroupName") == name:
                return LogGroup(name, group.get("retentionInDays"))
        token = page.get("nextToken")
        if not token:
            return None
        given["nextToken"] = token
