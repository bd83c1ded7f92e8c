"""A whole gateway over a real database, driven through ASGI."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx2
from argon2 import PasswordHasher
from fastapi import APIRouter
from starlette.types import ASGIApp

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.identity.token import TokenVerifier
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.gateway.app import GatewayDeps, build
from tensorcost.gateway.health import Check
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.providers.identity.backend import BackendVerifier, SigningKeys, TokenMinter
from tensorcost.providers.identity.passwords import Passwords
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.services.audit import AccessLog, AuditService
from tensorcost.services.flags import FlagService
from tensorcost.services.idempotency import IdempotencyService
from tensorcost.services.identity.authenticate import Authenticator
from tensorcost.services.identity.sessions import Sessions
from tensorcost.services.identity.sign_in import SignInService
from tensorcost.services.tenancy.create import CreatedTenant, create_tenant
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService
from tensorcost.storage.engine import make_engine
from tensorcost.storage.identity import MembershipStore
from tensorcost.storage.session import Database, PlatformDatabase
from tests.support.clock import MovableClock
from tests.support.databases import Database as TestDatabase

ARTEFACTS = {"bedrock": BedrockArtefacts(ArtefactSettings("999999999999"))}
ISSUER = "https://fake-backend.example"
KEYS = SigningKeys({"k1": b"fake-signing-secret-number-one-0001"}, active="k1")


@dataclass(slots=True)
class World:
    """The gateway's parts, for tests that reach behind it."""

    database: Database
    platform: PlatformDatabase
    clock: MovableClock
    passwords: Passwords
    minter: TokenMinter
    deps: GatewayDeps

    async def tenant(self, plan: Plan = Plan.GROWTH, owner: str | None = None) -> CreatedTenant:
        return await create_tenant(
            self.platform,
            self.passwords,
            self.clock,
            name=f"Fake {secrets.token_hex(6)}",
            plan=plan,
            owner_email=owner or f"owner-{secrets.token_hex(6)}@example.com",
        )

    def token(self, tenant: CreatedTenant) -> str:
        """The owner's access token."""
        return self.minter.user(tenant.owner_id, tenant.tenant_id)

    async def member(self, tenant_id: TenantId, role: Role) -> tuple[UserId, str]:
        """A new active member and their access token."""
        user_id = UserId(uuid4())
        async with self.platform.open(reason="test", actor="test") as tx:
            await tx.run(
                "INSERT INTO app.app_user (user_id, email) VALUES (:user, :email)",
                user=user_id,
                email=f"{user_id}@example.com",
            )
        await self.join(tenant_id, user_id, role)
        return user_id, self.minter.user(user_id, tenant_id)

    async def join(self, tenant_id: TenantId, user_id: UserId, role: Role) -> None:
        async with self.platform.open(reason="test", actor="test") as tx:
            await tx.run(
                "INSERT INTO app.membership (tenant_id, user_id, role) VALUES (:t, :u, :r)",
                t=tenant_id,
                u=user_id,
                r=role.value,
            )

    @asynccontextmanager
    async def client(
        self, token: str | None = None, **changes: Any
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the gateway, ``changes`` replacing parts of ``GatewayDeps``."""
        app = build(replace(self.deps, **changes))
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://gateway.test", headers=headers
        ) as client:
            yield client


def make_deps(
    database: Database,
    clock: MovableClock,
    *,
    verifiers: Sequence[TokenVerifier] = (),
    limiter: Limiter | None = None,
    settings: GatewaySettings | None = None,
    routers: Sequence[APIRouter] = (),
    applications: Mapping[str, ASGIApp] | None = None,
    checks: Sequence[Check] = (),
    killed_flags: frozenset[str] = frozenset(),
) -> GatewayDeps:
    """The gateway's parts over ``database``, with cheap password hashes."""
    limiter = limiter or Limiter()
    passwords = cheap_passwords()
    minter = TokenMinter(ISSUER, KEYS, clock)
    flags = FlagService(database, killed_flags)
    return GatewayDeps(
        authenticator=Authenticator(
            [BackendVerifier(ISSUER, KEYS, clock), *verifiers], MembershipStore(database), clock
        ),
        limiter=limiter,
        idempotency=IdempotencyService(database, clock),
        sign_in=SignInService(
            database, Sessions(database, minter, clock), passwords, limiter, clock
        ),
        tenants=TenantService(database, flags),
        members=MemberService(database, clock),
        flags=flags,
        audit=AuditService(database, AccessLog(clock), clock),
        routers=routers,
        applications=applications or {},
        checks=checks,
        settings=settings or GatewaySettings(sign_ins_per_minute=10_000),
    )


def cheap_passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def open_world(
    database: TestDatabase, clock: MovableClock | None = None, **options: Any
) -> AsyncIterator[World]:
    """A world over a test database; ``options`` are those of ``make_deps``."""
    clock = clock or MovableClock()
    app_engine = make_engine(database.urls.app, application_name="test-gateway")
    platform_engine = make_engine(database.urls.platform, application_name="test-platform")
    try:
        opened = Database(app_engine)
        deps = make_deps(opened, clock, **options)
        yield World(
            database=opened,
            platform=PlatformDatabase(platform_engine),
            clock=clock,
            passwords=cheap_passwords(),
            minter=TokenMinter(ISSUER, KEYS, clock),
            deps=deps,
        )
    finally:
        await app_engine.dispose()
        await platform_engine.dispose()
