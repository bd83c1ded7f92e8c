"""The contenders of ``rest``: the same answers from a bare app, from memory, from Postgres."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pgproto import pgproto
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.graphql_world import deps as graphql_deps
from benchmarks.harness import Servers, make_tenant
from tensorcost.domain.audit.chain import Entry
from tensorcost.domain.identity.membership import Membership
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.identity.token import Subject
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.domain.tenancy.members import Member, MemberStatus
from tensorcost.gateway.app import GatewayDeps, build
from tensorcost.gateway.routes import ai
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.providers.identity.backend import BackendVerifier, SigningKeys, TokenMinter
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.services.flags import FlagService
from tensorcost.services.identity.authenticate import Authenticator
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService
from tensorcost.storage.engine import make_engine
from tensorcost.storage.identity import MembershipStore
from tensorcost.storage.session import Database

ISSUER: Final = "https://fake-backend.example"
KEYS: Final = SigningKeys({"k1": b"fake-signing-secret-number-one-0001"}, active="k1")
OWNER: Final = UserId(UUID(int=7))
NOW: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
ROWS: Final = 100
PATHS: Final = {
    "small": "/v1/tenant",
    "list": f"/v1/identity/audit?limit={ROWS}",
    "members": f"/v1/tenant/members?limit={ROWS}",
    "events": f"/v1/ai/spend?limit={ROWS}",
}
_MEMORY: Final = TenantId(UUID(int=1))


def token(tenant: TenantId | None) -> str:
    """An access token of the owner; of the tenant in memory without ``tenant``."""
    return TokenMinter(ISSUER, KEYS, _now).user(OWNER, tenant or _MEMORY)


def application(contender: str, body: bytes, url: str) -> ASGIApp:
    """``bare`` sends ``body``, ``orjson`` encodes it anew; ``memory`` and ``full`` are ours."""
    if contender == "bare":
        return _Bare(body)
    if contender == "orjson":
        return _Encoding(orjson.loads(body))
    return from_memory() if contender == "memory" else from_postgres(url)


def from_memory() -> ASGIApp:
    """The gateway with services that hold their rows ready."""
    services: Any = graphql_deps().services
    members: Any = _Members()
    audit: Any = _Audit()
    nothing: Any = None
    return build(
        GatewayDeps(
            authenticator=Authenticator([BackendVerifier(ISSUER, KEYS, _now)], _Owners(), _now),
            tenants=services.tenants,
            members=members,
            audit=audit,
            flags=nothing,
            sign_in=nothing,
            limiter=Limiter(),
            idempotency=nothing,
            routers=[ai.router(services.spend, nothing)],
            telemetry=False,
            settings=_unlimited(),
        )
    )


def from_postgres(url: str) -> ASGIApp:
    """The gateway over real services as the app role: each request is a transaction."""
    engine = make_engine(url, application_name="bench")
    db = Database(engine)
    flags = FlagService(db, frozenset())
    nothing: Any = None

    @asynccontextmanager
    async def lifespan(_app: object) -> Any:
        yield
        await engine.dispose()

    return build(
        GatewayDeps(
            authenticator=Authenticator(
                [BackendVerifier(ISSUER, KEYS, _now)], MembershipStore(db), _now
            ),
            tenants=TenantService(db, flags),
            members=MemberService(db, _now),
            audit=nothing,
            flags=flags,
            sign_in=nothing,
            limiter=Limiter(),
            idempotency=nothing,
            telemetry=False,
            settings=_unlimited(),
            lifespan=lifespan,
        )
    )


async def store_members(servers: Servers) -> TenantId:
    """A tenant of ``ROWS`` members, the owner among them."""
    tenant = await make_tenant(servers)
    platform = await asyncpg.connect(servers.urls.platform)
    users = [OWNER, *(UUID(int=1_000 + n) for n in range(ROWS - 1))]
    await platform.executemany(
        "INSERT INTO app.app_user (user_id, email) VALUES ($1, $2)",
        [(user, f"{user}@example.com") for user in users],
    )
    await platform.executemany(
        "INSERT INTO app.membership (tenant_id, user_id, role) VALUES ($1, $2, 'owner')",
        [(tenant, user) for user in users],
    )
    await platform.close()
    return tenant


async def body_of(path: str) -> bytes:
    """What the gateway answers from memory."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": [(b"authorization", b"Bearer " + token(None).encode())],
    }
    await from_memory()(scope, receive, send)
    if sent[0]["status"] != 200:
        raise SystemExit(f"{path}: {sent[1]['body'][:500]!r}")
    found: bytes = sent[1]["body"]
    return found


class _Bare:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(send, self._body)


class _Encoding:
    def __init__(self, value: object) -> None:
        self._value = value

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(send, orjson.dumps(self._value))


async def _answer(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class _Owners:
    async def of_subject(self, _subject: Subject) -> Sequence[Membership]:
        return [Membership(_MEMORY, OWNER, Role.OWNER, Plan.ENTERPRISE)]

    async def link_email(self, subject: str, email: str) -> bool:
        return False

    async def plan_of(self, _tenant_id: TenantId) -> Plan | None:
        return Plan.ENTERPRISE


class _Members:
    def __init__(self) -> None:
        self._rows = [
            Member(
                user_id=UserId(UUID(int=number)),
                email=f"member-{number}@example.com",
                display_name=f"Member {number}",
                role=Role.ENGINEER,
                status=MemberStatus.ACTIVE,
                joined_at=NOW + timedelta(minutes=number),
            )
            for number in range(ROWS)
        ]

    async def list(self, *_: Any, **__: Any) -> Sequence[Member]:
        return self._rows


class _Audit:
    def __init__(self) -> None:
        self._rows = [
            Entry(
                tenant_id=_MEMORY,
                entry_id=pgproto.UUID(UUID(int=number).bytes),
                at=NOW - timedelta(minutes=number),
                actor=f"user:{OWNER}",
                action="member.role_changed",
                resource_type="member",
                resource_id=str(UUID(int=number)),
                detail={"role": "viewer"},
                trace_id=f"{number:032x}",
            )
            for number in range(ROWS)
        ]

    async def list(self, *_: Any, **__: Any) -> Sequence[Entry]:
        return self._rows


def _unlimited() -> GatewaySettings:
    return GatewaySettings(requests_per_minute=dict.fromkeys(Plan, 10**9))


def _now() -> datetime:
    return datetime.now(UTC)
