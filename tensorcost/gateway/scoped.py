"""Routes that cannot be registered without naming their use case, nor entered without its scope.

The use case checks its scopes itself; the route checks the same declaration before it reads
a body, so that a stranger learns nothing from validation errors.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from tensorcost.domain.identity.caller import caller_of
from tensorcost.domain.identity.principal import Principal, require
from tensorcost.gateway.envelope import Failure
from tensorcost.gateway.fast import Memo, depends_on_query_alone, reading
from tensorcost.services.authorise import Public, served_by

BEARER: Final = "bearer"


class ScopedRoute(APIRoute):
    """A route marked with ``@serves``; TypeError at registration when it is not."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        shown = served_by(endpoint)
        if shown is None:
            raise TypeError(f"{path}: mark the handler with @serves(Service.method)")
        self.scopes = None if isinstance(shown, Public) else shown.scopes
        if self.scopes is not None:
            named = [scope.value for scope in self.scopes]
            extra = dict(options.get("openapi_extra") or {})
            options["openapi_extra"] = {**extra, "security": [{BEARER: []}], "x-scopes": named}
        self.memo = Memo(endpoint, self.scopes or ())
        super().__init__(path, self.memo.noting(), **options)
        self.memo.callers = frozenset(
            below.name
            for below in self.dependant.dependencies
            if below.call is _principal and below.name is not None
        )
        self.memo.enabled = self.has_short_road

    @property
    def has_short_road(self) -> bool:
        """A read of one path whose arguments follow from the query string."""
        return (
            self.scopes is not None
            and self.methods == {"GET"}
            and "{" not in self.path
            and depends_on_query_alone(self.dependant, frozenset({_principal}))
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, behind the scopes."""
        handle = super().get_route_handler()
        scopes = self.scopes
        if scopes is None:
            return handle

        async def guarded(request: Request) -> Response:
            require(caller_of(request.scope).required(), *scopes)
            reading(request.scope["query_string"])
            return await handle(request)

        return guarded


def _operation_id(route: APIRoute) -> str:
    return route.name


def api(prefix: str, tag: str) -> APIRouter:
    """The router of one area. Operation ids are the handlers' names, so name them for SDKs."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=ScopedRoute,
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": Failure, "description": "The documented failure."}},
    )


async def _principal(request: Request) -> Principal:
    return caller_of(request.scope).required()


Caller = Annotated[Principal, Depends(_principal)]
"""A handler's parameter: ``caller: Caller`` is the authenticated principal."""


def routes_of(routers: Sequence[APIRouter]) -> list[APIRoute]:
    """Every route of ``routers``, in order."""
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
