"""A short road for reads that were asked before with the same query string.

Reading and validating a query costs the framework more than the rest of a request. For routes
whose parameters depend on nothing but the query string, the validated values are remembered and
the handler is called with them directly. Authentication, scopes, limits and the handler itself
run as always; only the parsing is not repeated.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import wraps
from typing import Any, Final
from uuid import UUID

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tensorcost.domain.identity.caller import caller_of
from tensorcost.domain.identity.principal import require
from tensorcost.domain.identity.scopes import Scope as PermissionScope
from tensorcost.gateway.paging import Page

Handler = Callable[..., Awaitable[Response]]

MAX_QUERIES: Final = 256
MAX_QUERY_BYTES: Final = 512
_FIXED: Final = (str, int, float, bool, bytes, Decimal, date, UUID, Enum, Page, type(None))
_query: Final[ContextVar[bytes | None]] = ContextVar("tensorcost_query", default=None)


@dataclass(slots=True)
class Memo:
    """Validated arguments by query string, of one handler."""

    handler: Handler
    scopes: tuple[PermissionScope, ...]
    callers: frozenset[str] = frozenset()
    """Parameters that take the principal; never remembered."""
    enabled: bool = False
    _known: OrderedDict[bytes, dict[str, Any]] = field(default_factory=OrderedDict)

    def noting(self) -> Handler:
        """The handler, remembering the arguments that the framework worked out."""

        @wraps(self.handler)
        async def noted(**arguments: Any) -> Response:
            query = _query.get()
            if self.enabled and query is not None and len(query) <= MAX_QUERY_BYTES:
                self._remember(query, arguments)
            return await self.handler(**arguments)

        return noted

    def find(self, query: bytes) -> dict[str, Any] | None:
        """What an equal query was understood as; not to be changed."""
        return self._known.get(query)

    def _remember(self, query: bytes, arguments: dict[str, Any]) -> None:
        kept = {name: value for name, value in arguments.items() if name not in self.callers}
        if all(_is_fixed(value) for value in kept.values()):
            self._known[query] = kept
            while len(self._known) > MAX_QUERIES:
                self._known.popitem(last=False)


def _is_fixed(value: object) -> bool:
    """True for what no handler can change: the next request gets the same object."""
    if isinstance(value, BaseModel):
        frozen = value.model_config.get("frozen", False)
        return frozen and all(_is_fixed(part) for _, part in value)
    return isinstance(value, _FIXED)


def reading(query: bytes) -> None:
    """Tell the handler about to run which query string its arguments come from."""
    _query.set(query)


def depends_on_query_alone(dependant: Dependant, known: frozenset[Callable[..., Any]]) -> bool:
    """True when equal query strings always give equal arguments."""
    outside = (
        dependant.path_params,
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.request_param_name,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
    )
    if any(outside):
        return False
    if any(_makes_anew(param.field_info) for param in dependant.query_params):
        return False
    return all(
        below.call in known or depends_on_query_alone(below, known)
        for below in dependant.dependencies
    )


def _makes_anew(field: FieldInfo) -> bool:
    """True where a default is made for each request, in the field or in its parameter model."""
    if field.default_factory is not None:
        return True
    kind = field.annotation
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    return any(_makes_anew(part) for part in kind.model_fields.values())


class FastReads:
    """Takes the short road where there is one and no telemetry is on; else passes on."""

    def __init__(self, app: ASGIApp, *, memos: dict[str, Memo]) -> None:
        self._app = app
        self._memos = memos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        memo = self._memos.get(scope.get("path", ""))
        if (
            memo is None
            or scope["type"] != "http"
            or scope["method"] != "GET"
            or (arguments := memo.find(scope["query_string"])) is None
            or (caller := caller_of(scope)).is_traced
        ):
            await self._app(scope, receive, send)
            return
        principal = caller.required()
        require(principal, *memo.scopes)
        given = dict.fromkeys(memo.callers, principal)
        response = await memo.handler(**arguments, **given)
        await response(scope, receive, send)
