"""Composes the API process: every service, the REST gateway and the GraphQL face."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy import text
from starlette.types import ASGIApp
from temporalio.client import Client

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.processes import Processes
from tensorcost.activities.reconciliation.ask import ReconcileProcess
from tensorcost.domain.clock import Clock
from tensorcost.events.settings import EventSettings
from tensorcost.events.source import PostgresEventSource
from tensorcost.gateway import app as gateway
from tensorcost.gateway.health import Check
from tensorcost.gateway.routes import (
    ai,
    cost,
    integration,
    reconciliation,
    rerating,
    rotation,
    tenant_secrets,
)
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.graphql import app as graphql
from tensorcost.graphql.deps import GraphqlDeps, GraphqlServices
from tensorcost.graphql.settings import GraphqlSettings
from tensorcost.providers.identity.passwords import Passwords
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.runtime.identity import minter, verifiers
from tensorcost.runtime.local import Addresses
from tensorcost.runtime.settings import Settings
from tensorcost.services.audit import AccessLog, AuditService
from tensorcost.services.cost.service import CostService
from tensorcost.services.events import EventService
from tensorcost.services.flags import FlagService
from tensorcost.services.idempotency import IdempotencyService
from tensorcost.services.identity.authenticate import Authenticator
from tensorcost.services.identity.sessions import Sessions
from tensorcost.services.identity.sign_in import SignInService
from tensorcost.services.integration import Artefacts, IntegrationService
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.prices import PriceService
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.services.rerating import ReratingService
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.services.rotation_processes import RotationProcesses
from tensorcost.services.secret_rotation import SecretRotationService
from tensorcost.services.spend.late import LateUsage
from tensorcost.services.spend.push import PushService
from tensorcost.services.spend.service import SpendService
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tensorcost.services.tenancy.settings import TenantService
from tensorcost.storage.engine import make_engine
from tensorcost.storage.identity import MembershipStore
from tensorcost.storage.safety import refuse_unsafe_role
from tensorcost.storage.session import Database


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the API process gets from outside itself."""

    settings: Settings
    addresses: Addresses
    temporal: Client
    artefacts: Mapping[str, Artefacts]
    clock: Clock
    draining: Callable[[], bool] = lambda: False
    telemetry: bool = True
    """Whether this process makes spans and metrics."""


@asynccontextmanager
async def open_api(parts: ApiParts) -> AsyncIterator[ASGIApp]:
    """The ASGI application over open resources; closed in reverse order.

    Raises UnsafeRole when row security would not bind the database role.
    """
    async with AsyncExitStack() as stack:
        engine = make_engine(parts.addresses.database.app, application_name="tensorcost-api")
        stack.push_async_callback(engine.dispose)
        await refuse_unsafe_role(engine)
        db = Database(engine)
        limiter = Limiter(parts.addresses.redis_url or None)
        stack.push_async_callback(limiter.close)
        source = PostgresEventSource(db, parts.addresses.database.app, EventSettings())
        await stack.enter_async_context(source.running())
        known = await stack.enter_async_context(verifiers(parts.settings, parts.clock))
        authenticator = Authenticator(known, MembershipStore(db), parts.clock)
        yield _application(parts, db, limiter, authenticator, EventService(source))


def _application(
    parts: ApiParts,
    db: Database,
    limiter: Limiter,
    authenticator: Authenticator,
    events: EventService,
) -> ASGIApp:
    clock, http = parts.clock, parts.settings.http
    processes = Processes(parts.temporal)
    services = _services(parts, db, processes, events)
    sessions = Sessions(db, minter(parts.settings, clock), clock)
    return gateway.build(
        gateway.GatewayDeps(
            authenticator=authenticator,
            limiter=limiter,
            idempotency=IdempotencyService(db, clock),
            sign_in=SignInService(db, sessions, Passwords(), limiter, clock),
            tenants=services.tenants,
            members=services.members,
            flags=services.flags,
            audit=services.audit,
            routers=_routers(services, _push(parts, db, processes)),
            applications={"/graphql": _graphql(parts, services, authenticator)},
            checks=_checks(parts, db),
            draining=parts.draining,
            telemetry=parts.telemetry,
            settings=GatewaySettings(
                cors_origins=frozenset(http.cors_origins), legacy_aliases=http.legacy_api_aliases
            ),
        )
    )


def _services(
    parts: ApiParts, db: Database, processes: Processes, events: EventService
) -> GraphqlServices:
    """The use cases that the dashboard shows; the routes show the same ones."""
    clock, artefacts = parts.clock, parts.artefacts
    flags, integrating = FlagService(db), IntegrationProcesses(processes)
    deciding = ReratingProcesses(processes, parts.settings.approval_warning)
    return GraphqlServices(
        audit=AuditService(db, AccessLog(clock), clock),
        cost=CostService(db, clock),
        coverage=CoverageService(db, clock),
        events=events,
        flags=flags,
        history=IntegrationHistory(db, integrating),
        integration=IntegrationService(
            db,
            integrating,
            artefacts,
            clock,
            chosen_external_ids=parts.settings.aws.chosen_external_ids,
        ),
        members=MemberService(db, clock),
        prices=PriceService(db, clock),
        reconciliation=ReconciliationService(db, ReconcileProcess(processes), clock),
        reratings=ReratingService(db, deciding, clock),
        rotations=SecretRotationService(db, RotationProcesses(processes), artefacts, clock),
        spend=SpendService(db, clock),
        stored_secrets=StoredSecretService(db, StoredRotationProcesses(processes), clock),
        tenants=TenantService(db, flags),
    )


def _push(parts: ApiParts, db: Database, processes: Processes) -> PushService:
    late = LateUsage(db, ReconcileProcess(processes), parts.clock)
    return PushService(SpendIngest(db, PriceBooks(db)), late, parts.clock)


def _graphql(parts: ApiParts, services: GraphqlServices, authenticator: Authenticator) -> ASGIApp:
    http = parts.settings.http
    return graphql.build(
        GraphqlDeps(
            services=services,
            authenticate=authenticator.authenticate,
            clock=parts.clock,
            settings=GraphqlSettings(
                introspection=http.introspection,
                explorer=http.graphiql,
                allowed_origins=frozenset(http.cors_origins),
            ),
        )
    )


def _routers(services: GraphqlServices, push: PushService) -> list[APIRouter]:
    """The routes beside those that the gateway has of itself."""
    return [
        cost.router(services.cost, services.prices),
        ai.router(services.spend, push),
        integration.router(services.integration, services.history),
        reconciliation.router(services.reconciliation, services.coverage),
        rerating.router(services.reratings),
        rotation.router(services.rotations),
        tenant_secrets.router(services.stored_secrets),
    ]


def _checks(parts: ApiParts, db: Database) -> list[Check]:
    async def postgres() -> None:
        async with db.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def temporal() -> None:
        await parts.temporal.service_client.check_health()

    return [Check("postgres", postgres), Check("temporal", temporal)]
