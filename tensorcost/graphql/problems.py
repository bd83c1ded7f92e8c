"""Expected failures of mutations, as members of their result unions.

A mutation that fails as the product foresees answers with a ``Problem``; whoever selects the
interface's fields sees all of them, also those that a later version adds.
"""

from typing import Any, ClassVar

import strawberry
from strawberry.schema.exception_handlers import ExceptionHandler
from strawberry.types.field import StrawberryField

from tensorcost.domain.errors import (
    Conflict,
    DomainError,
    Forbidden,
    NotFound,
    RateLimited,
    Unavailable,
    Unprocessable,
    ValidationFailed,
)
from tensorcost.graphql.context import GraphqlInfo


@strawberry.interface(description="An expected failure. `code` is stable, `message` is for people.")
class Problem:
    code: str
    message: str
    trace_id: str


@strawberry.type(
    description="Input that cannot be accepted; `field` names it where one is at fault."
)
class ValidationProblem(Problem):
    field: str | None


@strawberry.type(description="The caller may not do this.")
class ForbiddenProblem(Problem):
    pass


@strawberry.type(description="Not there, or not in this tenant.")
class NotFoundProblem(Problem):
    pass


@strawberry.type(description="The present state does not allow it.")
class ConflictProblem(Problem):
    pass


@strawberry.type(description="Too much at once; try again later.")
class RateLimitProblem(Problem):
    retry_after_seconds: float


@strawberry.type(
    description="A server behind this one cannot be reached now; trying again may help."
)
class UnavailableProblem(Problem):
    pass


class _Handler(ExceptionHandler):  # type: ignore[type-arg]  # both types are class attributes
    """One handler a problem type: Strawberry matches handlers to unions by their type."""

    exception_type: ClassVar[tuple[type[DomainError], ...]]
    error_type: ClassVar[type[Problem]]

    def handle(self, exception: DomainError, *, field: StrawberryField, info: Any) -> Problem:
        """The problem that ``exception`` is shown as."""
        context_info: GraphqlInfo = info
        more: dict[str, Any] = {}
        if isinstance(exception, ValidationFailed):
            more["field"] = exception.field
        elif isinstance(exception, RateLimited):
            more["retry_after_seconds"] = exception.retry_after_seconds
        elif self.error_type is ValidationProblem:
            more["field"] = None
        return self.error_type(
            code=exception.code.value,
            message=exception.message,
            trace_id=context_info.context.trace_id,
            **more,
        )


class _Invalid(_Handler):
    exception_type = (ValidationFailed, Unprocessable)
    error_type = ValidationProblem


class _Forbidden(_Handler):
    exception_type = (Forbidden,)
    error_type = ForbiddenProblem


class _NotFound(_Handler):
    exception_type = (NotFound,)
    error_type = NotFoundProblem


class _Conflict(_Handler):
    exception_type = (Conflict,)
    error_type = ConflictProblem


class _RateLimited(_Handler):
    exception_type = (RateLimited,)
    error_type = RateLimitProblem


class _Unavailable(_Handler):
    exception_type = (Unavailable,)
    error_type = UnavailableProblem


HANDLERS = (
    _Invalid(),
    _Forbidden(),
    _NotFound(),
    _Conflict(),
    _RateLimited(),
    _Unavailable(),
)
PROBLEMS = (
    ValidationProblem,
    ForbiddenProblem,
    NotFoundProblem,
    ConflictProblem,
    RateLimitProblem,
    UnavailableProblem,
)
