"""One declaration of scope per use case, one name of a use case per face (decisions 20).

A service method says ``@requires(Scope.X)`` and takes the principal first. A route, root
field, RPC or tool says ``@serves(Service.method)``. Tests walk the faces, resolve each to its
use case and its scopes, and call it without them.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from tensorcost.domain.identity.principal import Principal, require
from tensorcost.domain.identity.scopes import Scope

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_USE_CASE: Final = "__use_case__"
_SERVES: Final = "__serves__"


@dataclass(frozen=True, slots=True)
class UseCase:
    """A service method and the scopes that it asks for."""

    name: str
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Public:
    """A face without a principal, and why that is right."""

    reason: str


def requires(
    *scopes: Scope,
) -> Callable[
    [Callable[Concatenate[S, Principal, P], Coroutine[Any, Any, R]]],
    Callable[Concatenate[S, Principal, P], Coroutine[Any, Any, R]],
]:
    """Check ``scopes`` before the use case runs; with none, any member of the tenant may."""

    def declare(
        method: Callable[Concatenate[S, Principal, P], Coroutine[Any, Any, R]],
    ) -> Callable[Concatenate[S, Principal, P], Coroutine[Any, Any, R]]:
        @wraps(method)
        async def checked(self: S, principal: Principal, /, *args: P.args, **kwargs: P.kwargs) -> R:
            require(principal, *scopes)
            return await method(self, principal, *args, **kwargs)

        setattr(checked, _USE_CASE, UseCase(method.__qualname__, scopes))
        return checked

    return declare


def any_of(*methods: Callable[..., Any]) -> UseCase:
    """What a face declares that shows one of several use cases, as it is asked: the scopes that
    all of them ask for. Each still checks its own."""
    found = [use_case_of(method) for method in methods]
    shared = set(found[0].scopes).intersection(*(one.scopes for one in found))
    return UseCase(" | ".join(one.name for one in found), tuple(sorted(shared)))


def serves(target: Callable[..., Any] | UseCase | Public) -> Callable[[F], F]:
    """Mark a face's function with the use case that it shows, or as public with a reason."""
    shown = target if isinstance(target, UseCase | Public) else use_case_of(target)

    def mark(face: F) -> F:
        setattr(face, _SERVES, shown)
        return face

    return mark


def use_case_of(method: Callable[..., Any]) -> UseCase:
    """The use case that ``requires`` declared; TypeError when the method declares none."""
    found = getattr(method, _USE_CASE, None)
    if not isinstance(found, UseCase):
        raise TypeError(f"{method!r} declares no scope: decorate it with @requires(...)")
    return found


def served_by(face: Callable[..., Any]) -> UseCase | Public | None:
    """What a face's function was marked with, or None when it was not."""
    found = getattr(face, _SERVES, None)
    return found if isinstance(found, UseCase | Public) else None
