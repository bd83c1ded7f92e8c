"""What clients are told when something fails, and what they are not.

Expected failures keep their message and carry their code; a request that does not fit the
schema is answered with graphql-core's own words; anything else becomes one fixed sentence
and the id of the trace in which operators find the rest.
"""

from typing import Any, Final

import structlog
from graphql import GraphQLError

from tensorcost.domain.errors import DomainError, ErrorCode, RateLimited, ValidationFailed
from tensorcost.events.errors import CursorGone, StreamInterrupted

log = structlog.get_logger(__name__)

UNEXPECTED: Final = "something went wrong on our side; quote the traceId to support"
BAD_REQUEST: Final = "BAD_REQUEST"
"""The document, its variables or the operation's name do not fit the schema or the limits."""
TOO_COSTLY: Final = "TOO_COSTLY"


def format_error(error: GraphQLError, trace_id: str) -> dict[str, Any]:
    """The error as it is sent: message, place, and ``extensions`` with code and traceId."""
    cause = error.original_error
    extensions: dict[str, Any] = {"code": BAD_REQUEST, **(error.extensions or {})}
    message = error.message
    if isinstance(cause, DomainError):
        message = cause.message
        extensions = {"code": cause.code.value, **details_of(cause)}
    elif error.path is not None:
        # An error at a field that is none of ours: a defect, not the client's doing.
        log.error("graphql.failed", trace_id=trace_id, path=error.path, exc_info=cause or error)
        message = UNEXPECTED
        extensions = {"code": ErrorCode.INTERNAL.value}
    formatted: dict[str, Any] = {"message": message}
    if error.locations is not None:
        formatted["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        formatted["path"] = error.path
    formatted["extensions"] = {**extensions, "traceId": trace_id}
    return formatted


def details_of(error: DomainError) -> dict[str, Any]:
    """What a client can act on besides the code."""
    if isinstance(error, ValidationFailed) and error.field is not None:
        return {"field": error.field}
    if isinstance(error, RateLimited):
        return {"retryAfterSeconds": error.retry_after_seconds}
    if isinstance(error, StreamInterrupted):
        return {"cursor": str(error.cursor)}
    if isinstance(error, CursorGone):
        return {"firstCursor": str(error.first), "lastCursor": str(error.last)}
    return {}


def located(error: DomainError) -> GraphQLError:
    """A domain error outside of any field, ready for ``format_error``."""
    return GraphQLError(error.message, original_error=error)
