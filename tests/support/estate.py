"""The demo's emulated organisation as a connection sees it, and the product's rows beside it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from demo.world.build import build_world
from demo.world.spec import World, WorldSpec
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.states import ConnectionMode, ConnectionState
from tensorcost.domain.spend.facts import Grain
from tensorcost.providers.aws.session import AwsSessions
from tensorcost.providers.aws.settings import AwsSettings
from tensorcost.storage.integration import insert_connection
from tensorcost.storage.session import Database
from tests.support.truths import read_usage

TOLD = ("requests", "input_tokens", "output_tokens", "cached_tokens")
"""What both the rows and the world's answer key say."""


def recent_world(folders: pytest.TempPathFactory, *, days: int, requests: int) -> World:
    """A world whose last request was made just now."""
    spec = WorldSpec.until(datetime.now(UTC), days=days, requests=requests)
    return build_world(folders.mktemp("world"), spec)


@dataclass(frozen=True)
class Estate:
    """How to reach a served world: plain values, so that they travel to another process."""

    endpoint_url: str
    backend_account: str
    access_key: str
    secret_key: str

    @classmethod
    def of(cls, endpoint_url: str, world: World) -> "Estate":
        return cls(
            endpoint_url,
            world.backend_account,
            world.backend_access_key,
            world.backend_secret_key,
        )

    def sessions(self) -> AwsSessions:
        settings = AwsSettings(
            endpoint_url=self.endpoint_url,
            allow_plaintext=True,
            backend_account_id=self.backend_account,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
        )
        return AwsSessions(settings, lambda: datetime.now(UTC))


NOWHERE = Estate("http://127.0.0.1:9", "999999999999", "fake-key", "fake-secret")
"""Of workers that read nothing outside."""


async def connect_world(db: Database, tenant_id: TenantId, world: World) -> Connection:
    """A stored connection to the world's organisation."""
    now = datetime.now(UTC)
    connection = Connection(
        tenant_id=tenant_id,
        connection_id=ConnectionId(uuid4()),
        provider="bedrock",
        name="Emulated organisation",
        state=ConnectionState.PENDING,
        mode=ConnectionMode.ORGANIZATION,
        account_id=world.reader_account,
        external_id=world.external_id,
        role_arn=world.reader_role_arn,
        settings=ConnectionSettings(
            home_region=world.region, organization_role_name=world.jump_role_name
        ),
        created_at=now,
        updated_at=now,
    )
    async with db.tenant(tenant_id) as tx:
        await insert_connection(tx, connection)
    return connection


async def logged_totals(db: Database, tenant_id: TenantId) -> dict[str, int]:
    """Requests and tokens of the request grain; every sum of them agrees with the events."""
    usage = await read_usage(db, tenant_id)
    usage.assert_consistent()
    found = usage.totals.get(Grain.REQUEST, RollupMeasures())
    return {name: getattr(found, name) for name in TOLD}


def truth_of(world: World) -> dict[str, int]:
    """What the world's answer key says the logs hold."""
    total: dict[str, Any] = json.loads(world.truth_file.read_bytes())["logged"]["total"]
    return {name: total[name] for name in TOLD}
