"""Connections and their accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from tensorcost.domain.errors import Conflict, NotFound
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import (
    Connection,
    ConnectionChanges,
    ConnectionSettings,
)
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import ConnectionMode, ConnectionState, Coverage
from tensorcost.storage.session import TenantTx

_COLUMNS: Final = """tenant_id, connection_id, provider, name, state, mode, account_id,
    external_id, role_arn, settings::text AS settings, created_at, updated_at,
    last_validated_at, last_synced_at, next_external_id, previous_external_id"""

_INSERT = """
    INSERT INTO app.connection (tenant_id, connection_id, provider, name, state, mode,
        account_id, external_id, role_arn, settings, created_at, updated_at)
    VALUES (:tenant, :id, :provider, :name, :state, :mode, :account, :external_id, :role_arn,
        CAST(:settings AS jsonb), :created_at, :created_at)
"""
_CHANGE = """
    UPDATE app.connection SET
        role_arn = COALESCE(:role_arn, role_arn),
        external_id = COALESCE(:external_id, external_id),
        settings = COALESCE(CAST(:settings AS jsonb), settings),
        updated_at = :now
    WHERE tenant_id = :tenant AND connection_id = :id AND state <> 'removed'
"""
_SET_STATE = """
    UPDATE app.connection SET state = :state, updated_at = :now,
        last_validated_at = CASE WHEN :validated THEN CAST(:now AS timestamptz)
            ELSE last_validated_at END
    WHERE tenant_id = :tenant AND connection_id = :id AND state <> 'removed'
"""
_SAVE_ACCOUNT = """
    INSERT INTO app.connection_account AS a (tenant_id, connection_id, account_id, name, state,
        joined_method, coverage, detail, checked_at, covered_at, changed_at)
    VALUES (:tenant, :connection, :account, :name, :state, :joined, :coverage, :detail, :at,
        :covered_at, :changed_at)
    ON CONFLICT (tenant_id, connection_id, account_id) DO UPDATE SET name = excluded.name,
        state = excluded.state, joined_method = excluded.joined_method,
        coverage = excluded.coverage, detail = excluded.detail, checked_at = excluded.checked_at,
        covered_at = excluded.covered_at, changed_at = excluded.changed_at
"""
_ACCOUNTS = """
    SELECT account_id, name, state, joined_method, coverage, detail, checked_at, covered_at,
        changed_at
    FROM app.connection_account
    WHERE tenant_id = :tenant AND connection_id = :connection ORDER BY account_id
"""


async def insert_connection(tx: TenantTx, connection: Connection) -> None:
    """Store a new connection; Conflict when the account is connected already."""
    try:
        await tx.run(
            _INSERT,
            tenant=tx.tenant_id,
            id=connection.connection_id,
            provider=connection.provider,
            name=connection.name,
            state=connection.state.value,
            mode=connection.mode.value,
            account=connection.account_id,
            external_id=connection.external_id,
            role_arn=connection.role_arn,
            settings=connection.settings.model_dump_json(),
            created_at=connection.created_at,
        )
    except IntegrityError as error:
        if "connection_once" not in str(error.orig):
            raise
        raise Conflict(
            f"account {connection.account_id} is connected to {connection.provider} already"
        ) from error


async def find_connection(tx: TenantTx, connection_id: UUID) -> Connection | None:
    row = await tx.first(
        f"SELECT {_COLUMNS} FROM app.connection "
        "WHERE tenant_id = :tenant AND connection_id = :id AND state <> 'removed'",
        tenant=tx.tenant_id,
        id=connection_id,
    )
    return None if row is None else _connection(row)


async def get_connection(tx: TenantTx, connection_id: UUID) -> Connection:
    """The connection, or NotFound."""
    found = await find_connection(tx, connection_id)
    if found is None:
        raise NotFound("connection", connection_id)
    return found


async def lock_connection(tx: TenantTx, connection_id: UUID) -> None:
    """Hold the connection's row until the transaction ends; NotFound when there is none."""
    found = await tx.scalar(
        "SELECT 1 FROM app.connection WHERE tenant_id = :tenant AND connection_id = :id "
        "AND state <> 'removed' FOR UPDATE",
        tenant=tx.tenant_id,
        id=connection_id,
    )
    if found is None:
        raise NotFound("connection", connection_id)


async def list_connections(
    tx: TenantTx, *, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[Connection]:
    """At most ``limit`` connections, oldest first, after the keyset (created_at, id)."""
    since, last = after or (None, UUID(int=0))
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM app.connection WHERE tenant_id = :tenant AND state <> 'removed' "
        "AND (:first OR (created_at, connection_id) > (:since, :last)) "
        "ORDER BY created_at, connection_id LIMIT :limit",
        tenant=tx.tenant_id,
        first=after is None,
        since=since,
        last=last,
        limit=limit,
    )
    return [_connection(row) for row in rows]


async def connections_by_ids(tx: TenantTx, ids: Sequence[UUID]) -> dict[ConnectionId, Connection]:
    """Those of ``ids`` that exist in this tenant."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM app.connection WHERE tenant_id = :tenant "
        "AND connection_id = ANY(:ids) AND state <> 'removed'",
        tenant=tx.tenant_id,
        ids=list(ids),
    )
    return {found.connection_id: found for found in map(_connection, rows)}


async def change_connection(
    tx: TenantTx, connection_id: UUID, changes: ConnectionChanges, now: datetime
) -> None:
    """Apply the given fields; NotFound when there is no such connection."""
    touched = await tx.run(
        _CHANGE,
        tenant=tx.tenant_id,
        id=connection_id,
        role_arn=changes.role_arn,
        external_id=changes.external_id,
        settings=None if changes.settings is None else changes.settings.model_dump_json(),
        now=now,
    )
    if not touched:
        raise NotFound("connection", connection_id)


async def set_connection_state(
    tx: TenantTx,
    connection_id: UUID,
    state: ConnectionState,
    now: datetime,
    *,
    validated: bool = False,
) -> None:
    """Move the connection to ``state``; ``validated`` also stamps the time of success."""
    touched = await tx.run(
        _SET_STATE,
        tenant=tx.tenant_id,
        id=connection_id,
        state=state.value,
        now=now,
        validated=validated,
    )
    if not touched:
        raise NotFound("connection", connection_id)


async def mark_synced(tx: TenantTx, connection_id: UUID, at: datetime) -> None:
    await tx.run(
        "UPDATE app.connection SET last_synced_at = GREATEST(last_synced_at, :at) "
        "WHERE tenant_id = :tenant AND connection_id = :id",
        tenant=tx.tenant_id,
        id=connection_id,
        at=at,
    )


async def save_accounts(
    tx: TenantTx, connection_id: UUID, accounts: Sequence[AccountCoverage]
) -> None:
    """Insert or refresh accounts. One that is no longer named keeps its last row."""
    await tx.run_many(
        _SAVE_ACCOUNT,
        [
            {
                "tenant": tx.tenant_id,
                "connection": connection_id,
                "account": account.account_id,
                "name": account.name,
                "state": account.state,
                "joined": account.joined_method,
                "coverage": account.coverage.value,
                "detail": account.detail,
                "at": account.checked_at,
                "covered_at": account.covered_at,
                "changed_at": account.changed_at,
            }
            for account in accounts
        ],
    )


async def list_accounts(tx: TenantTx, connection_id: UUID) -> list[AccountCoverage]:
    rows = await tx.all(_ACCOUNTS, tenant=tx.tenant_id, connection=connection_id)
    return [
        AccountCoverage(
            row.account_id,
            row.name,
            row.state,
            row.joined_method,
            Coverage(row.coverage),
            row.detail,
            row.checked_at,
            row.covered_at,
            row.changed_at,
        )
        for row in rows
    ]


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        tenant_id=TenantId(row.tenant_id),
        connection_id=ConnectionId(row.connection_id),
        provider=row.provider,
        name=row.name,
        state=ConnectionState(row.state),
        mode=ConnectionMode(row.mode),
        account_id=row.account_id,
        external_id=row.external_id,
        role_arn=row.role_arn,
        settings=ConnectionSettings.model_validate(orjson.loads(row.settings)),
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_validated_at=row.last_validated_at,
        last_synced_at=row.last_synced_at,
        next_external_id=row.next_external_id,
        previous_external_id=row.previous_external_id,
    )
