"""Connections and work items for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.progress_records import NewRun
from tensorcost.domain.integration.states import (
    ConnectionMode,
    ConnectionState,
    RunKind,
    SourceKind,
)
from tensorcost.storage.integration import insert_connection
from tensorcost.storage.session import Database
from tensorcost.storage.sync_history import open_run

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ACCOUNT = "111122223333"


def connection_of(tenant_id: TenantId, **changes: Any) -> Connection:
    """A pending Bedrock connection of a fake account; ``changes`` override fields."""
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "connection_id": ConnectionId(uuid4()),
        "provider": "bedrock",
        "name": "Main account",
        "state": ConnectionState.PENDING,
        "mode": ConnectionMode.SINGLE_ACCOUNT,
        "account_id": ACCOUNT,
        "external_id": "tc-fake-external-id",
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/TensorCost-BedrockReader-tc-fake-external-id",
        "settings": ConnectionSettings(),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Connection.model_validate(values | changes)


async def make_connection(db: Database, tenant_id: TenantId, **changes: Any) -> Connection:
    """A stored connection."""
    connection = connection_of(tenant_id, **changes)
    async with db.tenant(tenant_id) as tx:
        await insert_connection(tx, connection)
    return connection


async def make_run(db: Database, connection: Connection, **changes: Any) -> NewRun:
    """A stored run that has just begun."""
    values: dict[str, Any] = {
        "tenant_id": connection.tenant_id,
        "run_id": uuid4(),
        "connection_id": connection.connection_id,
        "kind": RunKind.BACKFILL,
        "workflow_id": f"connection/{connection.connection_id}/backfill/1",
        "started_at": NOW,
    }
    run = NewRun(**(values | changes))
    async with db.tenant(connection.tenant_id) as tx:
        await open_run(tx, run)
    return run


def log_item(position: int, day: datetime = NOW, region: str = "us-east-1") -> WorkItem:
    """One day of invocation logs in a bucket."""
    site = Site(SourceKind.LOGS_S3, ACCOUNT, region, {"bucket": "fake-logs"})
    start = day.replace(hour=0) - timedelta(days=position)
    return WorkItem(
        f"{site.key}/{start:%Y%m%dT%H%M}", position, site, start, start + timedelta(days=1)
    )
