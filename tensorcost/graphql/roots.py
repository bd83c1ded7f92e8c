"""Root fields: none can be written without naming the use case that it shows (decisions 20).

The use case checks its scopes itself. Queries and mutations check the same declaration before
they look at an argument, so that a stranger learns nothing from validation errors.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

import strawberry

from tensorcost.domain.identity.principal import require
from tensorcost.services.authorise import Public, UseCase, served_by, serves

F = TypeVar("F", bound=Callable[..., Any])
Target = Callable[..., Any] | UseCase | Public


def query(target: Target, description: str) -> Callable[[F], F]:
    """A read. Never with side effects: those are mutations."""
    return _root(target, description, strawberry.field)


def mutation(target: Target, description: str) -> Callable[[F], F]:
    """A change; expected failures are members of its result union (``problems``)."""
    return _root(target, description, strawberry.mutation)


def subscription(target: Target, description: str) -> Callable[[F], F]:
    """A stream."""
    return _root(target, description, strawberry.subscription)


def _root(target: Target, description: str, kind: Callable[..., Any]) -> Callable[[F], F]:
    shows = serves(target)

    def mark(resolver: F) -> F:
        guarded = _guarded(shows(resolver))
        return cast("F", kind(resolver=guarded, description=description))

    return mark


def _guarded(resolver: F) -> F:
    shown = served_by(resolver)
    if shown is None or isinstance(shown, Public) or not iscoroutinefunction(resolver):
        return resolver
    scopes = shown.scopes

    @wraps(resolver)
    async def checked(*arguments: Any, info: Any, **named: Any) -> Any:
        require(info.context.principal, *scopes)
        return await resolver(*arguments, info=info, **named)

    return cast("F", checked)
