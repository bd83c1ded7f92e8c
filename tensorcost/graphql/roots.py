"""Root fields: none can be written without naming the use case that it shows (decisions 20)."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry

from tensorcost.services.authorise import Public, serves

F = TypeVar("F", bound=Callable[..., Any])
Target = Callable[..., Any] | Public


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
    def mark(resolver: F) -> F:
        return cast("F", kind(resolver=serves(target)(resolver), description=description))

    return mark
