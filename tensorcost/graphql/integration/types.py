"""Connections, what the wizard shows for them, and the tenant's onboarding."""

from datetime import datetime
from uuid import UUID

import strawberry

from tensorcost.domain.integration import contracts_connection as domain
from tensorcost.domain.integration import progress_records as records
from tensorcost.domain.integration.states import (
    ConnectionMode,
    ConnectionState,
    Coverage,
    FindingState,
    RunKind,
)
from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.domain.tenancy.onboarding_contracts import OnboardingProgress
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.integration.findings import Finding
from tensorcost.graphql.integration.runs import CONNECTION, SyncRun
from tensorcost.graphql.paging import Connection, connection, page_of, time_key
from tensorcost.services import integration as service

strawberry.enum(OnboardingState, name="OnboardingState")


@strawberry.type(description="Empty means: find out, or do without.")
class ConnectionSettings:
    role_path_prefix: str
    organization_role_name: str
    home_region: str
    regions: list[str]
    allowed_accounts: list[str]
    log_group_arn: str
    log_bucket: str
    log_prefix: str
    cur_bucket: str
    cur_prefix: str
    cur_export: str
    cur_region: str
    capture_request_metadata: bool
    free_tags: list[str]

    @classmethod
    def from_domain(cls, found: domain.ConnectionSettings) -> "ConnectionSettings":
        return cls(**found.model_dump(mode="json"))


@strawberry.type(description="One account of a connection and what became of it.")
class ConnectionAccount:
    account_id: str
    name: str
    state: str
    joined_method: str
    coverage: Coverage
    detail: str
    checked_at: datetime | None
    covered_at: datetime | None = strawberry.field(description="When it could last be entered.")
    changed_at: datetime | None = strawberry.field(
        description="Since when its state and coverage are what they are."
    )

    @classmethod
    def from_domain(cls, found: records.AccountCoverage) -> "ConnectionAccount":
        return cls(
            account_id=found.account_id,
            name=found.name,
            state=found.state,
            joined_method=found.joined_method,
            coverage=found.coverage,
            detail=found.detail,
            checked_at=found.checked_at,
            covered_at=found.covered_at,
            changed_at=found.changed_at,
        )


@strawberry.type(description="A connected cloud account or organisation.")
class ProviderConnection(Node):
    connection_id: strawberry.Private[UUID]
    provider: str
    name: str
    state: ConnectionState
    mode: ConnectionMode
    account_id: str
    external_id: str
    role_arn: str
    settings: ConnectionSettings
    created_at: datetime
    updated_at: datetime
    last_validated_at: datetime | None
    last_synced_at: datetime | None

    @strawberry.field
    async def accounts(self, info: GraphqlInfo) -> list[ConnectionAccount]:
        found = await info.context.integration.accounts.load(self.connection_id)
        return [ConnectionAccount.from_domain(account) for account in found]

    @strawberry.field(description="Sync history, newest first.")  # type: ignore[untyped-decorator]
    async def runs(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        kind: RunKind | None = None,
    ) -> Connection[SyncRun]:
        context, page = info.context, page_of(first, after)
        rows = await context.services.history.runs(
            context.principal,
            self.connection_id,
            limit=page.limit,
            before=page.after_time(),
            kind=kind,
        )
        return connection(
            rows,
            page,
            node=SyncRun.from_domain,
            key=lambda run: time_key(run.started_at, run.run_id),
        )

    @strawberry.field
    async def findings(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        state: FindingState | None = FindingState.OPEN,
    ) -> Connection[Finding]:
        context, page = info.context, page_of(first, after)
        rows = await context.services.history.findings(
            context.principal,
            limit=page.limit,
            connection_id=self.connection_id,
            state=state,
            after=page.after_id(),
        )
        return connection(
            rows, page, node=Finding.from_domain, key=lambda row: (str(row.finding_id),)
        )

    @classmethod
    def from_domain(cls, found: domain.Connection) -> "ProviderConnection":
        return cls(
            id=global_id(CONNECTION, found.connection_id),
            connection_id=found.connection_id,
            provider=found.provider,
            name=found.name,
            state=found.state,
            mode=found.mode,
            account_id=found.account_id,
            external_id=found.external_id,
            role_arn=found.role_arn,
            settings=ConnectionSettings.from_domain(found.settings),
            created_at=found.created_at,
            updated_at=found.updated_at,
            last_validated_at=found.last_validated_at,
            last_synced_at=found.last_synced_at,
        )


@strawberry.type(description="A connection and what its owner needs to let us in.")
class ConnectionSetup:
    connection: ProviderConnection
    backend_account_id: str
    launch_url: str
    cli_command: str
    list_accounts_script: str

    @classmethod
    def from_domain(cls, found: service.ConnectionSetup) -> "ConnectionSetup":
        return cls(
            connection=ProviderConnection.from_domain(found.connection),
            backend_account_id=found.backend_account_id,
            launch_url=found.launch_url,
            cli_command=found.cli_command,
            list_accounts_script=found.list_accounts_script,
        )


@strawberry.type
class OnboardingStep:
    state: OnboardingState
    at: datetime


@strawberry.type(description="The tenant's way to its first recommendation.")
class Onboarding:
    state: OnboardingState
    late: bool
    history: list[OnboardingStep]

    @classmethod
    def from_domain(cls, found: OnboardingProgress) -> "Onboarding":
        return cls(
            state=found.state,
            late=found.late,
            history=[OnboardingStep(state=entry.state, at=entry.at) for entry in found.history],
        )
