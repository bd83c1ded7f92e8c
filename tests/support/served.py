"""The product's own API process, composed by ``runtime`` and listening on a free port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from pydantic import SecretStr
from temporalio.client import Client

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.providers.identity.backend import TokenMinter
from tensorcost.runtime.api import ApiParts, open_api
from tensorcost.runtime.bedrock import bedrock_artefacts
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.runtime.identity import minter
from tensorcost.runtime.local import Addresses
from tensorcost.runtime.settings import AuthSettings, HttpSettings, Settings
from tensorcost.services.tenancy.create import CreatedTenant, create_tenant
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import PlatformDatabase
from tensorcost.workers.plugin import temporal_plugin
from tests.gateway.world import cheap_passwords
from tests.graphql.world import served
from tests.support.clock import MovableClock
from tests.support.databases import Database

FAKE_KEY = SecretStr("fake-signing-key-of-the-served-api-0001")


@dataclass(frozen=True)
class ServedApi:
    """``address`` is host:port. The clock is the API's own, and stands until it is moved."""

    address: str
    clock: MovableClock
    minter: TokenMinter
    platform: PlatformDatabase

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def tenant(self, name: str, plan: Plan = Plan.ENTERPRISE) -> CreatedTenant:
        """A tenant with an owner who signs in with a password."""
        return await create_tenant(
            self.platform,
            cheap_passwords(),
            self.clock,
            name=name,
            plan=plan,
            owner_email=f"owner@{name}.example",
        )

    def token(self, tenant: CreatedTenant) -> str:
        """The owner's access token."""
        return self.minter.user(tenant.owner_id, tenant.tenant_id)

    def service_token(self, tenant_id: TenantId) -> str:
        """A machine's token with every scope."""
        return self.minter.service("robot", tenant_id, timedelta(minutes=9), frozenset(Scope))

    def client(self, token: str | None = None) -> httpx2.AsyncClient:
        """A client over the socket. Close it."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=60)


@asynccontextmanager
async def served_api(database: Database, temporal: TemporalAddress) -> AsyncIterator[ServedApi]:
    """The whole API over ``database`` and ``temporal``, without Valkey and without workers."""
    clock = MovableClock()
    client = await Client.connect(
        temporal.frontend, namespace=temporal.namespace, plugins=[temporal_plugin(None)]
    )
    with TemporaryDirectory(prefix="tensorcost-served-") as home:
        settings = _settings(Path(home))
        parts = _parts(settings, database, temporal, client, clock)
        engine = make_engine(database.urls.platform, application_name="tests", pool_size=1)
        try:
            async with open_api(parts) as app, served(app) as address:
                platform = PlatformDatabase(engine)
                yield ServedApi(address, clock, minter(settings, clock), platform)
        finally:
            await engine.dispose()


def _settings(home: Path) -> Settings:
    return Settings(
        home=home,
        auth=AuthSettings(signing_keys={"k1": FAKE_KEY}, signing_key_id="k1"),
        http=HttpSettings(),
    )


def _parts(
    settings: Settings,
    database: Database,
    temporal: TemporalAddress,
    client: Client,
    clock: Clock,
) -> ApiParts:
    return ApiParts(
        settings=settings,
        addresses=Addresses(
            database=database.urls,
            temporal=temporal.frontend,
            temporal_namespace=temporal.namespace,
        ),
        temporal=client,
        artefacts={"bedrock": bedrock_artefacts(settings.aws)},
        clock=clock,
    )
