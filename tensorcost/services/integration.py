"""Connections: created with all that the wizard shows, validated, read, steered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from uuid_utils.compat import uuid7

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, ValidationFailed
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import ConnectionId
from tensorcost.domain.integration.contracts import RunReference
from tensorcost.domain.integration.contracts_connection import (
    AccountId,
    Connection,
    ConnectionChanges,
    ConnectionSettings,
    RoleArn,
)
from tensorcost.domain.integration.onboarding import Variant
from tensorcost.domain.integration.states import ConnectionMode, ConnectionState
from tensorcost.services.authorise import requires
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import audit, integration
from tensorcost.storage.session import Database, TenantTx

log = structlog.get_logger(__name__)


class NewConnection(BaseModel):
    """What the wizard's first page asks. ``role_arn`` is given once the stack stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "bedrock"
    name: str = Field(min_length=1, max_length=200)
    account_id: AccountId = Field(min_length=12, examples=["111122223333"])
    mode: ConnectionMode = ConnectionMode.SINGLE_ACCOUNT
    role_arn: RoleArn = ""
    external_id: str = Field(default="", pattern=r"^([\w+=,.@-]{2,39})?$")
    settings: ConnectionSettings = ConnectionSettings()

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "NewConnection":
        """The model, or ValidationFailed naming the first field that is not right."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise _validation_failed(error) from error


def parse_changes(fields: Mapping[str, Any]) -> ConnectionChanges:
    """Changes of a connection, or ValidationFailed naming the first field that is not right."""
    try:
        return ConnectionChanges.model_validate(fields)
    except ValidationError as error:
        raise _validation_failed(error) from error


@dataclass(frozen=True, slots=True)
class ConnectionSetup:
    """A connection and what its owner needs to let us in."""

    connection: Connection
    backend_account_id: str
    launch_url: str
    cli_command: str
    list_accounts_script: str
    """For Organization mode: lists member accounts without the jump role before deployment."""
    variants: tuple[Variant, ...]
    """Ways in which the accounts may be laid out, and what each needs."""


class Artefacts(Protocol):
    """What a provider publishes for a connection. Texts only, no secrets."""

    @property
    def backend_account_id(self) -> str: ...

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Layouts of accounts that need more than the stack as it comes."""
        ...

    def new_external_id(self) -> str:
        """A fresh id, at most 39 characters of ``[\\w+=,.@-]``."""
        ...

    def role_arn(self, connection: Connection) -> str:
        """The ARN that the published stack will give its role."""
        ...

    def launch_url(self, connection: Connection) -> str: ...

    def cli_command(self, connection: Connection) -> str: ...

    def update_command(self, connection: Connection) -> str:
        """The command that makes the stack trust the connection's ExternalIds of today."""
        ...

    def trust_policy(self, connection: Connection) -> str:
        """The trust policy of the role that the stack then writes, as JSON."""
        ...

    def list_accounts_script(self, connection: Connection) -> str: ...

    def template(self) -> str:
        """The CloudFormation template."""
        ...

    def bucket_policy(self, connection: Connection) -> str:
        """The separate policy of the bucket that holds the Cost and Usage Report."""
        ...


@dataclass(frozen=True, slots=True)
class IntegrationService:
    """Use cases of the integration context. Slow work is a workflow's; here are rows."""

    db: Database
    processes: IntegrationProcesses
    artefacts: Mapping[str, Artefacts]
    clock: Clock
    chosen_external_ids: bool = False
    """Whether a caller may bring an ExternalId. It tells one tenant's role from another's: where
    tenants do not trust each other, nobody may name the id that another's role expects."""

    @requires(Scope.INTEGRATION_WRITE)
    async def create(self, principal: Principal, new: NewConnection) -> ConnectionSetup:
        """Store a connection; ValidationFailed for an unknown provider, Conflict for a twin."""
        artefacts = self._artefacts(new.provider)
        self._refuse_chosen(new.external_id)
        now = self.clock()
        connection = Connection(
            tenant_id=principal.tenant_id,
            connection_id=ConnectionId(UUID(str(uuid7()))),
            provider=new.provider,
            name=new.name,
            state=ConnectionState.PENDING,
            mode=new.mode,
            account_id=new.account_id,
            external_id=new.external_id or artefacts.new_external_id(),
            role_arn=new.role_arn,
            settings=new.settings,
            created_at=now,
            updated_at=now,
        )
        if not connection.role_arn:
            role_arn = artefacts.role_arn(connection)
            connection = connection.model_copy(update={"role_arn": role_arn})
        async with self.db.tenant(principal.tenant_id) as tx:
            await integration.insert_connection(tx, connection)
            await _note(tx, principal, "connection.created", connection)
            tx.emit(NewEvent(EventType.CONNECTION_CREATED, _data(connection), audit.trace_id_now()))
        if not await self.processes.tell_created(connection):
            log.warning("onboarding.not_told", connection_id=str(connection.connection_id))
        return self._setup(connection)

    @requires(Scope.INTEGRATION_READ)
    async def list(
        self,
        principal: Principal,
        *,
        limit: int,
        after: tuple[datetime, UUID] | None = None,
    ) -> Sequence[Connection]:
        """At most ``limit`` connections, oldest first, after the keyset (created_at, id)."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await integration.list_connections(tx, limit=limit, after=after)

    @requires(Scope.INTEGRATION_READ)
    async def get(self, principal: Principal, connection_id: UUID) -> Connection:
        """One connection, or NotFound."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await integration.get_connection(tx, connection_id)

    @requires(Scope.INTEGRATION_READ)
    async def by_ids(
        self, principal: Principal, ids: Sequence[UUID]
    ) -> Mapping[ConnectionId, Connection]:
        """Those of ``ids`` that exist, in one query."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return await integration.connections_by_ids(tx, ids)

    @requires(Scope.INTEGRATION_READ)
    async def setup(self, principal: Principal, connection_id: UUID) -> ConnectionSetup:
        """The wizard's page of an existing connection."""
        async with self.db.tenant(principal.tenant_id) as tx:
            return self._setup(await integration.get_connection(tx, connection_id))

    @requires(Scope.INTEGRATION_READ)
    async def template(self, principal: Principal, provider: str) -> str:
        """The provider's CloudFormation template."""
        return self._artefacts(provider).template()

    @requires(Scope.INTEGRATION_READ)
    async def bucket_policy(self, principal: Principal, connection_id: UUID) -> str:
        """The bucket policy for the report's bucket; Conflict while no bucket is named."""
        async with self.db.tenant(principal.tenant_id) as tx:
            connection = await integration.get_connection(tx, connection_id)
        if not connection.settings.cur_bucket:
            raise Conflict("the connection names no bucket of a Cost and Usage Report")
        return self._artefacts(connection.provider).bucket_policy(connection)

    @requires(Scope.INTEGRATION_WRITE)
    async def change(
        self, principal: Principal, connection_id: UUID, changes: ConnectionChanges
    ) -> Connection:
        """Apply the given fields. A validation under way uses them from its next round on."""
        self._refuse_chosen(changes.external_id)
        async with self.db.tenant(principal.tenant_id) as tx:
            if not changes.is_empty:
                await integration.change_connection(tx, connection_id, changes, self.clock())
            connection = await integration.get_connection(tx, connection_id)
            await _note(tx, principal, "connection.changed", connection)
            return connection

    @requires(Scope.INTEGRATION_WRITE)
    async def validate(
        self,
        principal: Principal,
        connection_id: UUID,
        changes: ConnectionChanges | None = None,
        *,
        update_id: str | None = None,
    ) -> RunReference:
        """Start validating, or join the validation under way; where to watch it.

        ``update_id`` makes a repeated request get the first one's answer.
        """
        self._refuse_chosen(changes.external_id if changes else None)
        async with self.db.tenant(principal.tenant_id) as tx:
            if changes is not None and not changes.is_empty:
                await integration.change_connection(tx, connection_id, changes, self.clock())
            connection = await integration.get_connection(tx, connection_id)
            if not connection.role_arn:
                raise ValidationFailed("the role's ARN is missing", field="role_arn")
            await _note(tx, principal, "connection.validate", connection)
        return await self.processes.validate(connection, actor_of(principal), update_id=update_id)

    @requires(Scope.INTEGRATION_WRITE)
    async def retry(
        self,
        principal: Principal,
        connection_id: UUID,
        changes: ConnectionChanges | None = None,
        *,
        update_id: str | None = None,
    ) -> RunReference:
        """A new attempt after a failed one, with changes that apply only if it is accepted."""
        self._refuse_chosen(changes.external_id if changes else None)
        connection = await self._noted(principal, connection_id, "connection.retry")
        return await self.processes.retry(
            connection, actor_of(principal), changes, update_id=update_id
        )

    @requires(Scope.INTEGRATION_WRITE)
    async def cancel(self, principal: Principal, connection_id: UUID, reason: str = "") -> None:
        """Stop the validation under way, or give up a failed one. Conflict when none is open."""
        connection = await self._noted(principal, connection_id, "connection.cancel")
        await self.processes.cancel(connection, actor_of(principal), reason)

    def _refuse_chosen(self, external_id: str | None) -> None:
        if external_id and not self.chosen_external_ids:
            raise ValidationFailed(
                "the ExternalId is generated here and cannot be chosen", field="external_id"
            )

    async def _noted(self, principal: Principal, connection_id: UUID, action: str) -> Connection:
        async with self.db.tenant(principal.tenant_id) as tx:
            connection = await integration.get_connection(tx, connection_id)
            await _note(tx, principal, action, connection)
            return connection

    def _artefacts(self, provider: str) -> Artefacts:
        found = self.artefacts.get(provider)
        if found is None:
            known = ", ".join(sorted(self.artefacts))
            raise ValidationFailed(f"unknown provider; known are: {known}", field="provider")
        return found

    def _setup(self, connection: Connection) -> ConnectionSetup:
        artefacts = self._artefacts(connection.provider)
        return ConnectionSetup(
            connection=connection,
            backend_account_id=artefacts.backend_account_id,
            launch_url=artefacts.launch_url(connection),
            cli_command=artefacts.cli_command(connection),
            list_accounts_script=artefacts.list_accounts_script(connection),
            variants=artefacts.variants,
        )


async def _note(tx: TenantTx, principal: Principal, action: str, connection: Connection) -> None:
    await audit.record(
        tx,
        actor=actor_of(principal),
        action=action,
        resource_type="connection",
        resource_id=str(connection.connection_id),
        detail={"provider": connection.provider, "account_id": connection.account_id},
    )


def _data(connection: Connection) -> dict[str, Any]:
    return {
        "connection_id": str(connection.connection_id),
        "provider": connection.provider,
        "account_id": connection.account_id,
        "mode": connection.mode.value,
        "name": connection.name,
    }


def _validation_failed(error: ValidationError) -> ValidationFailed:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return ValidationFailed(f"{field}: {first['msg']}", field=field)
