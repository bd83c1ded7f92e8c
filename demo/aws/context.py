"""What a service's handler may use: the state, the stores, the clock and the fault's wishes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from demo.aws.access import Caller, denial_text, refusal
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import HttpResponse
from demo.aws.logstore import LogStore
from demo.aws.metrics import MetricStore
from demo.aws.objects import ObjectStore
from demo.aws.sessions import Sessions
from demo.aws.state import SimState
from demo.aws.wire import Call


@dataclass(frozen=True, slots=True)
class Tweaks:
    """Changes that a fault asks of a handler rather than of the transport."""

    page_size: int | None = None
    empty_page: bool = False
    cut: float | None = None
    corrupt: bool = False
    replace: bool = False
    rewritten: bool = False


@dataclass(slots=True)
class Note:
    """What the ledger should remember of a call beyond its envelope."""

    role: str | None = None
    external_id: str | None = None
    session_policy: bool = False
    resource: str | None = None
    metrics: int | None = None


@dataclass(slots=True)
class Context:
    state: SimState
    sessions: Sessions
    objects: ObjectStore
    metrics: MetricStore
    logs: LogStore
    tweaks: Tweaks = field(default_factory=Tweaks)
    note: Note = field(default_factory=Note)

    @property
    def now(self) -> datetime:
        return self.state.now or datetime.now(UTC)

    def require(self, call: Call, caller: Caller, action: str, resource: str = "*") -> None:
        """Raise the service's own denial unless ``caller`` may do ``action``."""
        why = refusal(self.state, caller, action, resource, call.region)
        if why is not None:
            text = denial_text(caller, action, resource, why)
            raise of_kind(call.service, Kind.DENIED, text)


T = TypeVar("T")

Handler = Callable[[Context, Call, Caller], HttpResponse]
Operations = Mapping[str, Handler]


def json_answer(body: Mapping[str, Any], version: str = "1.1") -> HttpResponse:
    content_type = f"application/x-amz-json-{version}"
    return HttpResponse(200, orjson.dumps(body), {"content-type": content_type})


def rest_answer(body: Mapping[str, Any]) -> HttpResponse:
    return HttpResponse(200, orjson.dumps(body), {"content-type": "application/json"})


def seal(**members: int | str | bool) -> str:
    """An opaque paging token."""
    return base64.urlsafe_b64encode(orjson.dumps(members)).decode()


def unseal(token: str, code: str = "ValidationException") -> dict[str, Any]:
    """Open a token made by ``seal``; raises AwsError for anything else."""
    try:
        opened = orjson.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise AwsError(code, "The specified nextToken is invalid.") from error
    if not isinstance(opened, dict):
        raise AwsError(code, "The specified nextToken is invalid.")
    return opened


def page_of(
    items: list[T], token: str | None, size: int, code: str = "ValidationException"
) -> tuple[list[T], str | None]:
    """One page of ``items`` and the token of the next."""
    at = int(unseal(token, code).get("at", 0)) if token else 0
    following = at + size
    return items[at:following], seal(at=following) if following < len(items) else None
