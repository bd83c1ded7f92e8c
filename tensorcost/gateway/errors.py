"""Every failure leaves as the documented envelope, and nothing unexpected keeps its own text."""

from math import ceil
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tensorcost.domain.errors import (
    HTTP_STATUS,
    DomainError,
    ErrorCode,
    RateLimited,
    ValidationFailed,
)
from tensorcost.domain.identity.caller import caller_of
from tensorcost.gateway.envelope import JSON, Bytes, encode
from tensorcost.storage.failures import as_domain_error

Headers = list[tuple[bytes, bytes]]
log = structlog.get_logger(__name__)

INTERNAL_TEXT: Final = "something went wrong on our side; quote the trace_id to support"
NOT_SERVED: Final = "there is nothing at this path"
_PROBLEM: Final = b"application/problem+json"
_CODE_OF_STATUS: Final[dict[int, ErrorCode]] = {
    400: ErrorCode.VALIDATION_FAILED,
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    409: ErrorCode.CONFLICT,
    410: ErrorCode.GONE,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.VALIDATION_FAILED,
    422: ErrorCode.UNPROCESSABLE,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.UNAVAILABLE,
}


def failure(
    scope: Scope,
    status: int,
    code: ErrorCode,
    message: str,
    *,
    details: list[dict[str, str]] | None = None,
    headers: Headers | None = None,
) -> Bytes:
    """The failure envelope, or RFC 9457 for a client that asks for it in ``Accept``."""
    trace_id = caller_of(scope).trace_id
    if _wants_problem(scope):
        body: dict[str, Any] = {
            "type": f"urn:tensorcost:problem:{code.value.lower().replace('_', '-')}",
            "title": message,
            "status": status,
            "code": code.value,
            "trace_id": trace_id,
        }
        media = _PROBLEM
    else:
        body = {"success": False, "error": message, "code": code.value, "trace_id": trace_id}
        media = JSON
    if details:
        body["details"] = details
    return Bytes(encode(body), status, headers or [], media=media)


def failure_of(scope: Scope, error: Exception) -> Bytes:
    """The answer to any exception. Unexpected ones are logged and answered with a fixed text."""
    if isinstance(error, DomainError):
        return _domain(scope, error)
    if isinstance(error, HTTPException):
        return _http(scope, error)
    if isinstance(error, RequestValidationError):
        return _validation(scope, error)
    if (meant := as_domain_error(error)) is not None:
        return _domain(scope, meant)
    log.error("request.failed", trace_id=caller_of(scope).trace_id, exc_info=error)
    return failure(scope, 500, ErrorCode.INTERNAL, INTERNAL_TEXT)


def install(app: FastAPI) -> None:
    """Send the framework's own exceptions through ``failure_of``."""

    async def answer(request: Request, error: Exception) -> Response:
        return failure_of(request.scope, error)

    for kind in (DomainError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


class Failures:
    """Answers what layers and routes below it raise, before the framework's own page does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if started:
                raise
            await failure_of(scope, error)(scope, receive, send)


def _domain(scope: Scope, error: DomainError) -> Bytes:
    status = HTTP_STATUS[error.code]
    headers: Headers = []
    details = None
    if isinstance(error, RateLimited):
        headers.append((b"retry-after", str(max(1, ceil(error.retry_after_seconds))).encode()))
    elif status == 401:
        headers.append((b"www-authenticate", b'Bearer error="invalid_token"'))
    elif isinstance(error, ValidationFailed) and error.field is not None:
        details = [{"field": error.field, "message": error.message}]
    if status >= 500:
        trace_id = caller_of(scope).trace_id
        log.warning("request.refused", code=error.code.value, trace_id=trace_id, exc_info=error)
    return failure(scope, status, error.code, error.message, details=details, headers=headers)


def _http(scope: Scope, error: HTTPException) -> Bytes:
    code = _CODE_OF_STATUS.get(error.status_code, ErrorCode.INTERNAL)
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in (error.headers or {}).items()
    ]
    unmatched = error.status_code == 404 and error.detail == "Not Found"
    message = NOT_SERVED if unmatched else str(error.detail)
    return failure(scope, error.status_code, code, message, headers=headers)


def _validation(scope: Scope, error: RequestValidationError) -> Bytes:
    """400 with one entry a problem; the refused input itself is never echoed."""
    details = [
        {"field": ".".join(str(part) for part in found["loc"]), "message": str(found["msg"])}
        for found in error.errors()[:20]
    ]
    first = details[0] if details else {"field": "body", "message": "not valid"}
    message = f"{first['field']}: {first['message']}"
    return failure(scope, 400, ErrorCode.VALIDATION_FAILED, message, details=details)


def _wants_problem(scope: Scope) -> bool:
    return any(name == b"accept" and _PROBLEM in value for name, value in scope.get("headers", ()))
