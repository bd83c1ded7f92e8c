"""The GraphQL face behind the real gateway, over a real database, asked over HTTP and sockets."""

import socket
from asyncio import create_task
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx2
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tensorcost.domain.cost.contracts import ReconcileRequest, reconcile_workflow_id
from tensorcost.domain.errors import Conflict, Unauthenticated, Unavailable
from tensorcost.domain.identity.caller import Caller, put_caller
from tensorcost.domain.identity.principal import Plan, Principal
from tensorcost.domain.integration.contracts import RunReference
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_rotation import SecretRotation
from tensorcost.domain.tenancy.secret_rotation import StoredRotation
from tensorcost.events.source import PostgresEventSource
from tensorcost.gateway import app as gateway
from tensorcost.graphql import app as graphql
from tensorcost.graphql.deps import GraphqlDeps, GraphqlServices
from tensorcost.graphql.settings import GraphqlSettings
from tensorcost.providers.limits.gcra import Limiter
from tensorcost.services.cost.service import CostService
from tensorcost.services.events import EventService
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.prices import PriceService
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.services.rerating import ReratingService
from tensorcost.services.secret_rotation import SecretRotationService
from tensorcost.services.spend.service import SpendService
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tests.events.world import FAST
from tests.gateway.world import World, open_world
from tests.support.databases import Database as TestDatabase
from tests.support.rerated import NoDecisions

TRACE = "0" * 31 + "1"


class NoWorkflows:
    """Stands in for the workflow server: remembers what it was asked to start."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Connection]] = []
        self.reconciled: list[ReconcileRequest] = []

    async def validate(self, connection: Connection, *_: Any, **__: Any) -> RunReference:
        self.asked.append(("validate", connection))
        return RunReference(run_id=uuid4(), workflow_id="connection/x/onboarding")

    async def retry(self, *_: Any, **__: Any) -> RunReference:
        raise Conflict("no validation of this connection is open")

    async def cancel(self, connection: Connection, *_: Any) -> None:
        self.asked.append(("cancel", connection))

    async def cancel_run(self, *_: Any) -> None:
        raise Conflict("the run has ended")

    async def ask(self, request: ReconcileRequest) -> str:
        self.reconciled.append(request)
        return reconcile_workflow_id(request.tenant_id)

    async def tell_created(self, connection: Connection) -> bool:
        self.asked.append(("created", connection))
        return True


class NoRotations:
    """Stands in for the workflow server where secrets are rotated."""

    async def begin(self, rotation: SecretRotation) -> None:
        assert rotation.is_open

    async def verify(self, *_: Any) -> None:
        raise Conflict("no rotation of this connection is open")

    async def roll_back(self, *_: Any) -> None:
        raise Conflict("the old ExternalId is not accepted: there is nothing to go back to")


class NoStoredRotations:
    """Stands in for the workflow server where stored secrets are rotated."""

    async def begin(self, rotation: StoredRotation) -> None:
        assert rotation.is_open

    async def finish(self, *_: Any) -> None:
        raise Unavailable("the workflow server cannot be reached")

    async def roll_back(self, *_: Any) -> None:
        raise Conflict("the rotation has ended: rotated")


class FakeArtefacts:
    backend_account_id = "999900001111"
    variants = ()

    def new_external_id(self) -> str:
        return f"tc-fake-{uuid4().hex[:12]}"

    def role_arn(self, connection: Connection) -> str:
        return f"arn:aws:iam::{connection.account_id}:role/TensorCost-Fake"

    def launch_url(self, connection: Connection) -> str:
        return "https://console.example/launch"

    def cli_command(self, connection: Connection) -> str:
        return "aws cloudformation create-stack"

    def update_command(self, connection: Connection) -> str:
        return f"aws cloudformation update-stack {connection.next_external_id}"

    def trust_policy(self, connection: Connection) -> str:
        return "{}"

    def list_accounts_script(self, connection: Connection) -> str:
        return "#!/bin/sh\n"

    def template(self) -> str:
        return "AWSTemplateFormatVersion: '2010-09-09'\n"

    def bucket_policy(self, connection: Connection) -> str:
        return "{}"


@dataclass(slots=True)
class GraphqlWorld:
    """The face, the gateway around it, and shortcuts past the sign-in."""

    world: World
    deps: GraphqlDeps
    source: PostgresEventSource
    workflows: NoWorkflows
    principals: dict[str, Principal]
    """Fake tokens by which sockets of tests sign in."""

    def face(self, **settings: Any) -> ASGIApp:
        """The face alone; ``settings`` replace its own."""
        return graphql.build(replace(self.deps, settings=replace(self.deps.settings, **settings)))

    def gateway(self, quota: dict[Plan, int] | None = None, **settings: Any) -> ASGIApp:
        """The face behind the gateway; ``quota`` replaces the requests a minute."""
        deps = replace(self.world.deps, applications={"/graphql": self.face(**settings)})
        if quota is not None:
            limits = replace(deps.settings, requests_per_minute=quota)
            deps = replace(deps, settings=limits, limiter=Limiter())
        return gateway.build(deps)

    async def ask(
        self, principal: Principal, query: str, app: ASGIApp | None = None, **variables: Any
    ) -> dict[str, Any]:
        """The answer to ``query`` as ``principal``, past the gateway's sign-in."""
        async with client_of(as_caller(app or self.face(), principal)) as client:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def data(self, principal: Principal, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.ask(principal, query, **variables)
        assert "errors" not in answer, answer["errors"]
        found: dict[str, Any] = answer["data"]
        return found


@asynccontextmanager
async def open_graphql(
    database: TestDatabase, settings: GraphqlSettings | None = None
) -> AsyncIterator[GraphqlWorld]:
    async with open_world(database) as world:
        source = PostgresEventSource(world.database, database.urls.app, FAST)
        workflows = NoWorkflows()
        principals: dict[str, Principal] = {}

        async def authenticate(token: str, tenant: str | None) -> Principal:
            if token in principals:
                return principals[token]
            if token.startswith("fake-"):
                raise Unauthenticated("the membership that this token was issued for has ended")
            return await world.deps.authenticator.authenticate(token, tenant)

        db, clock, parts = world.database, world.clock, world.deps
        integration: Any = workflows
        rotations: Any = NoRotations()
        stored_rotations: Any = NoStoredRotations()
        decisions: Any = NoDecisions()
        artefacts = {"bedrock": FakeArtefacts()}
        deps = GraphqlDeps(
            services=GraphqlServices(
                audit=parts.audit,
                cost=CostService(db, clock),
                coverage=CoverageService(db, clock),
                events=EventService(source),
                flags=parts.flags,
                history=IntegrationHistory(db, integration),
                integration=IntegrationService(db, integration, artefacts, clock),
                members=parts.members,
                prices=PriceService(db, clock),
                reratings=ReratingService(db, decisions, clock),
                rotations=SecretRotationService(db, rotations, artefacts, clock),
                reconciliation=ReconciliationService(db, integration, clock),
                spend=SpendService(db, clock),
                stored_secrets=StoredSecretService(db, stored_rotations, clock),
                tenants=parts.tenants,
            ),
            authenticate=authenticate,
            clock=clock,
            settings=settings or GraphqlSettings(recheck_seconds=0.05, explorer=True),
        )
        async with source.running():
            yield GraphqlWorld(world, deps, source, workflows, principals)


def as_caller(app: ASGIApp, principal: Principal) -> ASGIApp:
    """``app`` as if the gateway had signed ``principal`` in."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        put_caller(scope, Caller(TRACE, principal))
        await app(scope, receive, send)

    return wrapped


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://face.test") as client:
        yield client


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """``app`` on a free port of this machine; the address without a scheme."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    task = create_task(server.serve(sockets=[listening]))
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()
