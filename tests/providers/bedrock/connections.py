"""Connections as the store would give them, pointed at the tests' small AWS."""

from typing import Any
from uuid import UUID

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.states import ConnectionMode, ConnectionState
from tests.providers.aws.world import CUR_BUCKET, EXTERNAL_ID, HOME, NOW, OTHER, PAYER, ROLE_ARN


def connection(mode: ConnectionMode = ConnectionMode.SINGLE_ACCOUNT, **changes: Any) -> Connection:
    own = {"regions": (HOME, OTHER), "cur_bucket": CUR_BUCKET}
    given: dict[str, Any] = {
        "tenant_id": TenantId(UUID(int=1)),
        "connection_id": ConnectionId(UUID(int=2)),
        "provider": "bedrock",
        "name": "test",
        "state": ConnectionState.PENDING,
        "mode": mode,
        "account_id": PAYER,
        "external_id": EXTERNAL_ID,
        "role_arn": ROLE_ARN,
        "created_at": NOW,
        "updated_at": NOW,
        "settings": ConnectionSettings(**(own | changes.pop("settings", {}))),
    }
    return Connection(**(given | changes))
