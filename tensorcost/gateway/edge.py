"""What happens to every request before a route sees it, in one plain ASGI layer.

Trace id, credential and tenant, rate limit, body size; on the way back rate-limit, security
and CORS headers, and the envelope for whatever went wrong. Websockets pass: they bring their
token in their own protocol.
"""

from datetime import timedelta
from functools import partial
from random import getrandbits
from time import time
from typing import Final

from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tensorcost.domain.audit.trace import current_trace
from tensorcost.domain.errors import (
    DomainError,
    PayloadTooLarge,
    RateLimited,
    Unauthenticated,
    ValidationFailed,
)
from tensorcost.domain.identity.caller import Caller, put_caller
from tensorcost.domain.identity.membership import ACTIVE_TENANT_HEADER
from tensorcost.domain.identity.principal import Principal
from tensorcost.gateway.cors import Cors
from tensorcost.gateway.errors import Headers, failure_of
from tensorcost.gateway.request import Sent, sent_with
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.providers.limits.gcra import Decision, Limiter, Quota
from tensorcost.services.identity.authenticate import Authenticator

UNLIMITED: Final = frozenset({"/livez", "/readyz", "/healthz"})
SIGN_INS: Final = frozenset({"/v1/auth/login", "/v1/auth/accept-invitation"})
_SECURITY: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
_TOLD: Final = frozenset(
    {
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    }
)
"""What ``limit_headers`` makes."""
_HSTS: Final = (
    b"strict-transport-security",
    f"max-age={int(timedelta(days=365).total_seconds())}; includeSubDomains".encode(),
)


class Edge:
    """The outermost layer of the gateway."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        limiter: Limiter,
        settings: GatewaySettings,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limiter = limiter
        self._quotas = settings.tenant_quotas()
        self._anonymous = settings.anonymous_quota()
        self._sign_ins = settings.sign_in_quota()
        self._max_body = settings.max_body_bytes
        self._cors = Cors(settings.cors_origins)
        self._static = [*_SECURITY, *([_HSTS] if settings.https_only else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        caller = _caller()
        put_caller(scope, caller)
        reset = current_trace.set(caller.trace_id)
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send, caller)
            else:
                caller.charge = partial(self._charge, [])
                await self._app(scope, receive, send)
        finally:
            current_trace.reset(reset)

    async def _http(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        sent = sent_with(scope["headers"])
        if self._cors.is_preflight(scope["method"], sent):
            await self._cors.preflight(sent)(scope, receive, send)
            return
        headers = self._cors.headers(sent)
        headers.append((b"x-request-id", sent.request_id or caller.trace_id.encode()))
        caller.charge = partial(self._charge, headers)
        out = _Outgoing(send, headers, self._static)
        try:
            await self._identify(sent, caller)
            if scope["path"] not in UNLIMITED:
                await self._count(scope, caller, headers)
            await self._app(scope, self._bounded(scope, sent, receive), out)
        except Exception as error:
            if out.started:
                raise
            await failure_of(scope, error)(scope, receive, out)

    async def _identify(self, sent: Sent, caller: Caller) -> None:
        """Bind the caller, or keep why not for the routes that need one."""
        if not sent.authorization:
            return
        try:
            caller.principal = await self._authenticator.authenticate(
                _bearer(sent.authorization), _active_tenant(sent.active_tenant)
            )
        except DomainError as error:
            caller.refusal = error

    async def _count(self, scope: Scope, caller: Caller, headers: Headers) -> None:
        """Take one request off the caller's quota and tell so in ``headers``; RateLimited when
        none is left."""
        quota, key = self._quota(scope, caller)
        await self._take(quota, key, 1, headers)

    async def _charge(self, headers: Headers, principal: Principal, requests: int) -> None:
        """``Caller.charge``: take more off, and tell what is left after that."""
        headers[:] = [header for header in headers if header[0] not in _TOLD]
        key = f"t:{principal.tenant_id}"
        await self._take(self._quotas[principal.plan], key, requests, headers)

    async def _take(self, quota: Quota, key: str, requests: int, headers: Headers) -> None:
        decision = await self._limiter.hit(key, quota, requests)
        headers += limit_headers(decision)
        if decision.limited:
            raise RateLimited(
                "too many requests; slow down", retry_after_seconds=decision.retry_after
            )

    def _quota(self, scope: Scope, caller: Caller) -> tuple[Quota, str]:
        """A tenant's, or the address's of a stranger. Signing in has one of its own: each try
        costs a password hash."""
        signing_in = scope["path"] in SIGN_INS
        if caller.principal is not None and not signing_in:
            return self._quotas[caller.principal.plan], f"t:{caller.principal.tenant_id}"
        client = scope.get("client")
        address = f"a:{client[0] if client else 'unknown'}"
        return self._sign_ins if signing_in else self._anonymous, address

    def _bounded(self, scope: Scope, sent: Sent, receive: Receive) -> Receive:
        """``receive`` that refuses a body over the limit, announced or not."""
        limit = self._max_body
        if sent.content_length is not None and sent.content_length > limit:
            raise PayloadTooLarge(f"a body has at most {limit} bytes")
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    # The framework passes its own exceptions on from inside of a body read.
                    raise HTTPException(413, f"a body has at most {limit} bytes")
            return message

        return counted


class _Outgoing:
    """``send`` that adds headers to the start of the response."""

    __slots__ = ("_headers", "_send", "_static", "started")

    def __init__(self, send: Send, headers: Headers, static: Headers) -> None:
        self._send = send
        self._headers = headers
        self._static = static
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            own = message.get("headers") or []
            named = dict(own)
            static = [pair for pair in self._static if pair[0] not in named]
            message["headers"] = [*own, *self._headers, *static]
        await self._send(message)


def limit_headers(decision: Decision) -> Headers:
    """The documented trio; reset in epoch seconds."""
    seconds = int(-(-decision.reset_after // 1))
    return [
        (b"x-ratelimit-limit", b"%d" % decision.limit),
        (b"x-ratelimit-remaining", b"%d" % decision.remaining),
        (b"x-ratelimit-reset", b"%d" % (int(time()) + seconds)),
    ]


def _caller() -> Caller:
    """Nobody yet, under the request's trace or an id like one (no secret: it is told)."""
    span = trace.get_current_span()
    context = span.get_span_context()
    trace_id = context.trace_id if context.is_valid else getrandbits(128)
    return Caller(f"{trace_id:032x}", is_traced=span.is_recording())


def _bearer(values: tuple[bytes, ...]) -> str:
    if len(values) > 1:
        raise Unauthenticated("more than one Authorization header")
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("the Authorization header is not a Bearer token")
    return token.strip()


def _active_tenant(values: tuple[bytes, ...]) -> str | None:
    if len(values) > 1:
        raise ValidationFailed(
            f"more than one {ACTIVE_TENANT_HEADER} header", field=ACTIVE_TENANT_HEADER
        )
    return values[0].decode("latin-1") if values else None
