"""The gateway: REST routes, sub-applications and everything around them, as one ASGI app."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tensorcost import __version__
from tensorcost.gateway import docs, errors, health, openapi
from tensorcost.gateway.edge import Edge
from tensorcost.gateway.fast import FastReads, Memo
from tensorcost.gateway.health import Check
from tensorcost.gateway.idempotent import Idempotent
from tensorcost.gateway.legacy import Legacy
from tensorcost.gateway.mounts import SubApplication
from tensorcost.gateway.routes import auth, identity, tenant
from tensorcost.gateway.scoped import ScopedRoute, routes_of
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.services.audit import AuditService
from tensorcost.services.flags import FlagService
from tensorcost.services.idempotency import IdempotencyService
from tensorcost.services.identity.authenticate import Authenticator
from tensorcost.services.identity.sign_in import SignInService
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]
TITLE: Final = "TensorCost API"


@dataclass(frozen=True, slots=True)
class GatewayDeps:
    """Everything the gateway is made of; ``runtime`` composes it."""

    authenticator: Authenticator
    limiter: Limiter
    idempotency: IdempotencyService
    sign_in: SignInService
    tenants: TenantService
    members: MemberService
    flags: FlagService
    audit: AuditService
    routers: Sequence[APIRouter] = ()
    """Other areas: ``routes.cost.router(service)`` and the like."""
    applications: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Sub-applications by path (``{"/graphql": app}``); they read ``caller_of(scope)``."""
    checks: Sequence[Check] = ()
    draining: Callable[[], bool] = lambda: False
    telemetry: bool = True
    """Spans and metrics of requests, where the process has providers for them."""
    settings: GatewaySettings = field(default_factory=GatewaySettings)
    lifespan: Lifespan | None = None


class Gateway(FastAPI):
    """FastAPI inside of two layers of ours: what it wraps around a route costs a short read more
    than reading does."""

    def __init__(
        self, outside: Callable[[ASGIApp], ASGIApp], *, telemetry: bool, **settings: Any
    ) -> None:
        self._outside = outside
        self._has_telemetry = telemetry
        # Its log records would quote what a caller sent; ours (structlog) do not.
        super().__init__(
            telemetry={"tracing": telemetry, "metrics": telemetry, "logs": False}, **settings
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._has_telemetry or self.middleware_stack is None or scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, by the first request; the server's span stays around everything."""
        return self._outside(super().build_middleware_stack())


def build(deps: GatewayDeps) -> FastAPI:
    """The ASGI application."""
    routers = routers_of(deps)

    def outside(app: ASGIApp) -> ASGIApp:
        return Edge(
            FastReads(app, memos=memos_of(routers)),
            authenticator=deps.authenticator,
            limiter=deps.limiter,
            settings=deps.settings,
        )

    app = Gateway(
        outside,
        title=TITLE,
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=deps.telemetry,
        lifespan=deps.lifespan,
    )
    # Sub-applications come first: their paths are compared, not matched by pattern.
    for path, application in deps.applications.items():
        app.router.routes.append(SubApplication(path, application))
    for router in routers:
        # Appended rather than included: an included route costs a look-up on every request.
        app.router.routes.extend(router.routes)
    openapi.install(app)
    errors.install(app)
    app.add_middleware(Idempotent, service=deps.idempotency)
    app.add_middleware(Legacy, aliases=deps.settings.legacy_aliases)
    app.add_middleware(errors.Failures)
    return app


def routers_of(deps: GatewayDeps) -> list[APIRouter]:
    """Every router, the busiest first: routes are tried in order."""
    return [
        *deps.routers,
        tenant.router(deps.tenants, deps.members, deps.flags),
        identity.router(deps.audit),
        auth.router(deps.sign_in),
        health.router(deps.checks, deps.draining),
        docs.router(),
    ]


def memos_of(routers: Sequence[APIRouter]) -> dict[str, Memo]:
    """The short roads by path."""
    return {
        route.path: route.memo
        for route in routes_of(routers)
        if isinstance(route, ScopedRoute) and route.memo.enabled
    }
