"""Connections: the wizard's data, validation, sync history, findings, accounts (B1-B8)."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from tensorcost.domain.errors import NotFound
from tensorcost.domain.integration.contracts_connection import ConnectionChanges
from tensorcost.domain.integration.states import FindingState, RunKind
from tensorcost.gateway.envelope import Bytes, Envelope, accepted, created, ok
from tensorcost.gateway.paging import CURSOR, Paging, next_cursor, time_and_id
from tensorcost.gateway.routes.integration_shapes import (
    AccountOut,
    CancelIn,
    ConnectionOut,
    FindingOut,
    OnboardingOut,
    QuarantinedOut,
    RunOut,
    RunRef,
    SetupOut,
    StepOut,
    account_out,
    connection_out,
    finding_out,
    quarantined_out,
    run_out,
    setup_out,
    step_out,
)
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.cursors import position, row_id
from tensorcost.services.integration import IntegrationService, NewConnection
from tensorcost.services.integration_history import IntegrationHistory

STEPS_SHOWN: Final = 50
YAML: Final = b"application/yaml"
JSON_FILE: Final = b"application/json"
SHELL: Final = b"application/x-sh"


def router(connections: IntegrationService, history: IntegrationHistory) -> APIRouter:
    """``/v1/integration``."""
    routes = api("/v1/integration", "integration")
    _connections(routes, connections)
    _steering(routes, connections)
    _artefacts(routes, connections)
    _history(routes, history)
    _findings(routes, history)
    _outcomes(routes, history)
    _runs(routes, history)
    return routes


def _connections(routes: APIRouter, connections: IntegrationService) -> None:
    @routes.get("/connections", response_model=Envelope[list[ConnectionOut]])
    @serves(IntegrationService.list)
    async def list_connections(caller: Caller, page: Paging) -> Bytes:
        """Connected cloud accounts and inference providers, oldest first."""
        rows = await connections.list(caller, limit=page.limit, after=time_and_id(page))
        return ok(
            [connection_out(row) for row in rows],
            next_cursor=next_cursor(
                rows, page, lambda row: (row.created_at.isoformat(), str(row.connection_id))
            ),
        )

    @routes.post("/connections", status_code=201, response_model=Envelope[SetupOut])
    @serves(IntegrationService.create)
    async def create_connection(caller: Caller, body: NewConnection) -> Bytes:
        """Create a connection; the answer is what the wizard shows next."""
        return created(setup_out(await connections.create(caller, body)))

    @routes.get("/connections/{connection_id}", response_model=Envelope[ConnectionOut])
    @serves(IntegrationService.get)
    async def get_connection(caller: Caller, connection_id: UUID) -> Bytes:
        """One connection."""
        return ok(connection_out(await connections.get(caller, connection_id)))

    @routes.patch("/connections/{connection_id}", response_model=Envelope[ConnectionOut])
    @serves(IntegrationService.change)
    async def update_connection(
        caller: Caller, connection_id: UUID, body: ConnectionChanges
    ) -> Bytes:
        """Change the role, the ExternalId or the settings. `settings` is replaced as a whole."""
        return ok(connection_out(await connections.change(caller, connection_id, body)))


def _steering(routes: APIRouter, connections: IntegrationService) -> None:
    @routes.post(
        "/connections/{connection_id}/validate", status_code=202, response_model=Envelope[RunRef]
    )
    @serves(IntegrationService.validate)
    async def validate_connection(
        caller: Caller, connection_id: UUID, body: ConnectionChanges | None = None
    ) -> Bytes:
        """Start validating, or join the validation under way. Progress is in the sync history."""
        return accepted(await connections.validate(caller, connection_id, body))

    @routes.post(
        "/connections/{connection_id}/retry", status_code=202, response_model=Envelope[RunRef]
    )
    @serves(IntegrationService.retry)
    async def retry_connection(
        caller: Caller, connection_id: UUID, body: ConnectionChanges | None = None
    ) -> Bytes:
        """Validate again after a failure, with changed settings where some are given."""
        return accepted(await connections.retry(caller, connection_id, body))

    @routes.post(
        "/connections/{connection_id}/cancel",
        status_code=202,
        response_model=Envelope[ConnectionOut],
    )
    @serves(IntegrationService.cancel)
    async def cancel_connection(
        caller: Caller, connection_id: UUID, body: CancelIn | None = None
    ) -> Bytes:
        """Stop the validation under way, or give up a failed one."""
        reason = body.reason if body is not None else ""
        await connections.cancel(caller, connection_id, reason)
        return accepted(connection_out(await connections.get(caller, connection_id)))


def _artefacts(routes: APIRouter, connections: IntegrationService) -> None:
    @routes.get("/connections/{connection_id}/setup", response_model=Envelope[SetupOut])
    @serves(IntegrationService.setup)
    async def get_connection_setup(caller: Caller, connection_id: UUID) -> Bytes:
        """ExternalId, launch link and command line of a connection."""
        return ok(setup_out(await connections.setup(caller, connection_id)))

    @routes.get("/connections/{connection_id}/bucket-policy")
    @serves(IntegrationService.bucket_policy)
    async def get_bucket_policy(caller: Caller, connection_id: UUID) -> Bytes:
        """The separate policy of the Cost and Usage Report's bucket, as a JSON document."""
        text = await connections.bucket_policy(caller, connection_id)
        return _file(text, "tensorcost-cur-bucket-policy.json", JSON_FILE)

    @routes.get("/connections/{connection_id}/accounts-script")
    @serves(IntegrationService.setup)
    async def get_accounts_script(caller: Caller, connection_id: UUID) -> Bytes:
        """A script for the management account that lists which members would be covered."""
        setup = await connections.setup(caller, connection_id)
        return _file(setup.list_accounts_script, "tensorcost-accounts.sh", SHELL)

    @routes.get("/templates/{provider}")
    @serves(IntegrationService.template)
    async def get_template(caller: Caller, provider: str) -> Bytes:
        """The CloudFormation template, as YAML."""
        text = await connections.template(caller, provider)
        return _file(text, f"tensorcost-{provider}-stack.yml", YAML)


def _history(routes: APIRouter, history: IntegrationHistory) -> None:
    @routes.get("/connections/{connection_id}/sync-history", response_model=Envelope[list[RunOut]])
    @serves(IntegrationHistory.runs)
    async def get_sync_history(
        caller: Caller,
        connection_id: UUID,
        page: Paging,
        kind: Annotated[RunKind | None, Query()] = None,
    ) -> Bytes:
        """Validations, backfills and syncs, newest first, with their steps."""
        runs = await history.runs(
            caller, connection_id, limit=page.limit, before=time_and_id(page), kind=kind
        )
        steps = await history.steps_of_runs(caller, [run.run_id for run in runs], limit=STEPS_SHOWN)
        return ok(
            [run_out(run, [step_out(step) for step in steps[run.run_id]]) for run in runs],
            next_cursor=next_cursor(
                runs, page, lambda run: (run.started_at.isoformat(), str(run.run_id))
            ),
        )


def _findings(routes: APIRouter, history: IntegrationHistory) -> None:
    @routes.get("/connections/{connection_id}/findings", response_model=Envelope[list[FindingOut]])
    @serves(IntegrationHistory.findings)
    async def list_findings(
        caller: Caller,
        connection_id: UUID,
        page: Paging,
        state: Annotated[FindingState | None, Query()] = FindingState.OPEN,
    ) -> Bytes:
        """What is wrong or missing, why, and what to do. Open findings by default."""
        rows = await history.findings(
            caller,
            limit=page.limit,
            connection_id=connection_id,
            state=state,
            after=row_id(page.after, CURSOR),
        )
        return ok(
            [finding_out(row) for row in rows],
            next_cursor=next_cursor(rows, page, lambda row: (str(row.finding_id),)),
        )


def _outcomes(routes: APIRouter, history: IntegrationHistory) -> None:
    @routes.get("/connections/{connection_id}/accounts", response_model=Envelope[list[AccountOut]])
    @serves(IntegrationHistory.accounts)
    async def list_accounts(caller: Caller, connection_id: UUID) -> Bytes:
        """Every account of the connection and whether it is covered."""
        rows = await history.accounts(caller, connection_id)
        return ok([account_out(row) for row in rows])

    @routes.get(
        "/connections/{connection_id}/quarantine", response_model=Envelope[list[QuarantinedOut]]
    )
    @serves(IntegrationHistory.quarantine)
    async def list_quarantine(caller: Caller, connection_id: UUID, page: Paging) -> Bytes:
        """Rows and files that were not accepted: position and reason, never their text."""
        rows = await history.quarantine(
            caller, limit=page.limit, connection_id=connection_id, after=row_id(page.after, CURSOR)
        )
        return ok(
            [quarantined_out(row) for row in rows],
            next_cursor=next_cursor(rows, page, lambda row: (str(row.quarantine_id),)),
        )

    @routes.get("/onboarding", response_model=Envelope[OnboardingOut])
    @serves(IntegrationHistory.onboarding)
    async def get_onboarding(caller: Caller) -> Bytes:
        """How far the tenant is, from sign-up to the first recommendation."""
        found = await history.onboarding(caller)
        if found is None:
            raise NotFound("onboarding of tenant", caller.tenant_id)
        return ok({"state": found.state, "history": found.history})


def _runs(routes: APIRouter, history: IntegrationHistory) -> None:
    @routes.get("/runs/{run_id}", response_model=Envelope[RunOut])
    @serves(IntegrationHistory.run)
    async def get_run(caller: Caller, run_id: UUID) -> Bytes:
        """One validation, backfill or sync, with its first steps."""
        run = await history.run(caller, run_id)
        steps = await history.steps(caller, run_id, limit=STEPS_SHOWN)
        return ok(run_out(run, [step_out(step) for step in steps]))

    @routes.get("/runs/{run_id}/steps", response_model=Envelope[list[StepOut]])
    @serves(IntegrationHistory.steps)
    async def list_run_steps(caller: Caller, run_id: UUID, page: Paging) -> Bytes:
        """The steps of a run, in their order."""
        await history.run(caller, run_id)
        rows = await history.steps(
            caller, run_id, limit=page.limit, after=position(page.after, CURSOR)
        )
        return ok(
            [step_out(row) for row in rows],
            next_cursor=next_cursor(rows, page, lambda row: (row.position,)),
        )

    @routes.post("/runs/{run_id}/cancel", status_code=202, response_model=Envelope[RunOut])
    @serves(IntegrationHistory.cancel_run)
    async def cancel_run(caller: Caller, run_id: UUID, body: CancelIn | None = None) -> Bytes:
        """Stop a backfill or sync. What is committed stays."""
        await history.cancel_run(caller, run_id, body.reason if body is not None else "")
        return accepted(run_out(await history.run(caller, run_id), []))


def _file(text: str, name: str, media: bytes) -> Bytes:
    disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode("latin-1"))
    return Bytes(text.encode(), headers=[disposition], media=media)
