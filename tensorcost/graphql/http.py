"""Queries and mutations over HTTP: POST with a JSON body, answered with JSON bytes.

A request that is a GraphQL request is answered 200, whatever became of its fields: clients
look at ``errors``. Only what never was one (no JSON, too large, no caller), or is not run because
it would take more than is left of the tenant's quota, has another status.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.types import Receive, Scope, Send

from tensorcost.domain.errors import (
    HTTP_STATUS,
    DomainError,
    PayloadTooLarge,
    RateLimited,
    ValidationFailed,
)
from tensorcost.domain.identity.caller import Caller, caller_of
from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.deps import GraphqlDeps
from tensorcost.graphql.execution.engine import Engine
from tensorcost.graphql.execution.errors import located

Header = tuple[bytes, bytes]
_JSON: tuple[Header, ...] = ((b"content-type", b"application/json"),)


@dataclass(frozen=True, slots=True)
class Request:
    """What a body asks for."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]


class GraphqlHttp:
    """The POST half of the face. The gateway has put the caller into the scope."""

    def __init__(self, engine: Engine, deps: GraphqlDeps) -> None:
        self._engine = engine
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope)
        try:
            principal = caller.required()
            _check_type(scope)
            body = await read_body(receive, self._deps.settings.max_body_bytes)
            request = request_in(body)
            context = GraphqlContext(principal, self._deps.services, caller.trace_id)
            answer = await self._answer(request, context, caller)
        except DomainError as error:
            refused = ExecutionResult(None, [located(error)])
            answer = self._engine.encode(refused, caller.trace_id)
            return await respond(send, HTTP_STATUS[error.code], answer, _headers_of(error))
        return await respond(send, 200, answer)

    async def _answer(self, request: Request, context: GraphqlContext, caller: Caller) -> bytes:
        """The bytes that answer ``request``; RateLimited where the quota does not allow it."""
        engine = self._engine
        admitted = engine.admit(request.query, request.operation_name, request.variables)
        if isinstance(admitted, list):
            return engine.encode(ExecutionResult(None, admitted), context.trace_id)
        if admitted.operation.operation is OperationType.SUBSCRIPTION:
            error = GraphQLError("subscriptions are served over a websocket (graphql-transport-ws)")
            return engine.encode(ExecutionResult(None, [error]), context.trace_id)
        if admitted.requests > 1:  # the gateway has counted one
            await caller.charge(context.principal, admitted.requests - 1)
        result = await engine.run(admitted, context)
        return engine.encode(result, context.trace_id, cost=admitted.cost)


def request_in(body: bytes) -> Request:
    """The request in a JSON body; ValidationFailed when it is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValidationFailed("the body is not JSON") from error
    return request_of(found)


def request_of(found: object) -> Request:
    """The request in a decoded body or a websocket's payload; ValidationFailed when it is none."""
    if not isinstance(found, dict):
        raise ValidationFailed("send one object with query, variables and operationName")
    query = found.get("query")
    name = found.get("operationName")
    variables = found.get("variables")
    if not isinstance(query, str) or not query:
        raise ValidationFailed("'query' is missing", field="query")
    if name is not None and not isinstance(name, str):
        raise ValidationFailed("'operationName' is not a string", field="operationName")
    if variables is not None and not isinstance(variables, dict):
        raise ValidationFailed("'variables' is not an object", field="variables")
    return Request(query, name, variables or {})


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body; PayloadTooLarge as soon as it is longer than ``limit`` bytes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body") and len(body) <= limit:
        return body
    parts, size = [body], len(body)
    while message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise PayloadTooLarge(f"a GraphQL request has at most {limit} bytes")
    return b"".join(parts)


async def respond(
    send: Send, status: int, body: bytes, headers: tuple[Header, ...] = _JSON
) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode("latin-1"))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _headers_of(error: DomainError) -> tuple[Header, ...]:
    if not isinstance(error, RateLimited):
        return _JSON
    return (*_JSON, (b"retry-after", b"%d" % max(1, ceil(error.retry_after_seconds))))


def _check_type(scope: Scope) -> None:
    """Only what says it is JSON: a form that another site posts cannot say so unasked."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            if value.split(b";", 1)[0].strip().lower() == b"application/json":
                return
            break
    raise ValidationFailed("send application/json", field="Content-Type")
