"""The contenders of ``graphql_view``: the same rows in memory, answered in four ways."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.asgi import GraphQL

from benchmarks.harness import Servers, make_tenant
from benchmarks.ingest_rows import START, chunks
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.cost.query_listing import ListedEvent
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.identity import scopes
from tensorcost.domain.identity.caller import Caller, put_caller
from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.domain.tenancy.settings import Tenant
from tensorcost.gateway import app as gateway
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.graphql import app as graphql
from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.deps import GraphqlDeps
from tensorcost.graphql.schema import build_schema
from tensorcost.graphql.settings import GraphqlSettings
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.services.flags import FlagService
from tensorcost.services.spend.answers import EventPage, PricedEvent
from tensorcost.services.spend.service import SpendService
from tensorcost.services.tenancy.settings import TenantService
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = f'from: "{START.date()}", to: "{START.date() + timedelta(days=1)}"'
DOCUMENTS = {
    "list": f"{{ aiSpend(first: 100, {DAY}) {{ nodes "
    "{ id ts modelId team inputTokens outputTokens cost region } } }",
    "small": "{ tenant { id name plan timeZone } }",
}
PRINCIPAL = Principal(
    subject="bench",
    tenant_id=TenantId(uuid.UUID(int=1)),
    kind=PrincipalKind.USER,
    roles=frozenset({scopes.Role.VIEWER}),
    scopes=frozenset(scopes.Scope),
    plan=Plan.ENTERPRISE,
    expires_at=NOW.timestamp() + 10**9,
)


def application(contender: str, body: bytes, url: str = "", tenant: str = "") -> ASGIApp:
    """``bare`` answers ``body``, the others run the query; ``postgres`` reads it from ``url``."""
    if contender == "bare":
        return _bare(body)
    if contender == "strawberry":
        return _Strawberry(build_schema())
    if contender == "postgres":
        stored = replace(PRINCIPAL, tenant_id=TenantId(uuid.UUID(tenant)))
        return _behind_gateway(graphql.build(_stored(url)), stored)
    face = graphql.build(deps())
    return _signed_in(face) if contender == "face" else _behind_gateway(face, PRINCIPAL)


def deps() -> GraphqlDeps:
    """The face over rows in memory."""
    services: Any = SimpleNamespace(spend=_Spend(), tenants=_Tenants())

    async def authenticate(_token: str, _tenant: str | None) -> Principal:
        return PRINCIPAL

    return GraphqlDeps(services, authenticate, lambda: NOW, GraphqlSettings())


def _stored(url: str) -> GraphqlDeps:
    """The face over real services, as the app role: each request is a transaction."""
    database = Database(make_engine(url, application_name="bench"))
    services: Any = SimpleNamespace(
        spend=SpendService(database, lambda: NOW),
        tenants=TenantService(database, FlagService(database)),
    )
    return replace(deps(), services=services)


async def store_spend(servers: Servers) -> str:
    """A tenant with the events that the list asks for; its id."""
    tenant = await make_tenant(servers)
    engine = make_engine(servers.urls.app, application_name="bench-load")
    database = Database(engine)
    ingest = SpendIngest(database, PriceBooks(database))
    (rows,) = chunks(1_000, 1_000, seed=1)
    await ingest.load_object(tenant, Origin("bench"), ObjectRef("one", "1"), [rows].copy)
    await engine.dispose()
    return str(tenant)


async def body_of(shape: str) -> bytes:
    """What the face answers."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps({"query": DOCUMENTS[shape]})}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers}
    await application("face", b"")(scope, receive, send)
    found: bytes = sent[1]["body"]
    assert b'"errors"' not in found, found
    return found


class _Spend:
    def __init__(self) -> None:
        rows = tuple(PricedEvent(_event(n), None) for n in range(100))
        self._page = EventPage(Window(NOW - timedelta(days=1), NOW), rows, False)

    async def events(self, *_: Any) -> EventPage:
        return self._page


class _Tenants:
    async def read(self, _principal: Principal) -> Tenant:
        return Tenant(
            id=PRINCIPAL.tenant_id,
            slug="bench",
            name="Bench",
            plan=Plan.ENTERPRISE,
            status="active",
            time_zone="UTC",
            created_at=NOW,
            updated_at=NOW,
        )


class _Strawberry(GraphQL[GraphqlContext, None]):
    """Strawberry's own view, as it comes."""

    async def get_context(self, request: Any, response: Any) -> GraphqlContext:
        return GraphqlContext(PRINCIPAL, SERVICES, "0" * 32)

    def encode_json(self, data: object) -> str:
        return json.dumps(data, separators=(",", ":"), default=_rfc_3339)


def _rfc_3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _event(number: int) -> ListedEvent:
    texts = {name: f"{name}-{number % 7}" for name in _TEXTS}
    return ListedEvent(
        event_id=uuid.UUID(int=number),
        ts=NOW - timedelta(seconds=number),
        grain=Grain.REQUEST,
        source=Source.BEDROCK,
        **texts,
        tags={},
        requests=1,
        input_tokens=1_000 + number,
        cached_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=100 + number,
        quantity_micro=None,
        unit=None,
        cost_nano=1_234_567 * (number + 1),
        price_version=1,
        recorded_cost_nano=None,
        recorded_currency=None,
        latency_ms=250,
        error_code=None,
        request_id=None,
        conversation_id=None,
        session_id=None,
    )


_TEXTS = (
    *("provider", "account_id", "usage_account_id", "region", "routing_scope", "model_id"),
    *("model_family", "model_tier", "service_tier", "modality", "context_bucket", "operation"),
    *("application", "team", "environment", "owner", "user", "agent", "workflow"),
)
SERVICES = deps().services


def _bare(body: bytes) -> ASGIApp:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app


def _signed_in(face: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put_caller(scope, Caller("0" * 32, PRINCIPAL))
        await face(scope, receive, send)

    return app


def _behind_gateway(face: ASGIApp, principal: Principal) -> ASGIApp:
    class Authenticator:
        async def authenticate(self, _token: str, _tenant: str | None = None) -> Principal:
            return principal

    nothing: Any = None
    authenticator: Any = Authenticator()
    settings = GatewaySettings(requests_per_minute=dict.fromkeys(Plan, 10**9))
    return gateway.build(
        gateway.GatewayDeps(
            authenticator=authenticator,
            limiter=Limiter(),
            idempotency=nothing,
            sign_in=nothing,
            tenants=nothing,
            members=nothing,
            flags=nothing,
            audit=nothing,
            applications={"/graphql": face},
            settings=settings,
        )
    )
