"""The published shapes of connections, runs, findings and accounts."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.contracts_findings import Finding, RankedCause, Severity
from tensorcost.domain.integration.progress import percent
from tensorcost.domain.integration.progress_records import (
    AccountCoverage,
    QuarantinedRow,
    SyncRun,
    SyncStep,
)
from tensorcost.domain.integration.states import (
    ConnectionMode,
    ConnectionState,
    Coverage,
    FindingState,
    RunKind,
    RunState,
    StepState,
)
from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.domain.tenancy.onboarding_contracts import OnboardingEntry
from tensorcost.services.integration import ConnectionSetup


class ConnectionOut(BaseModel):
    id: UUID
    provider: str
    name: str
    state: ConnectionState
    mode: ConnectionMode
    account_id: str
    external_id: str
    role_arn: str
    settings: ConnectionSettings
    last_validated_at: datetime | None
    last_synced_at: datetime | None
    created_at: datetime
    updated_at: datetime


class VariantOut(BaseModel):
    code: str = Field(examples=["D"])
    title: str
    when: str = Field(description="How to tell that this is your layout.")
    advice: list[str] = Field(description="What to do then, in order.")


class SetupOut(ConnectionOut):
    backend_account_id: str = Field(description="Our account, which the role trusts.")
    launch_url: str = Field(description="Opens CloudFormation with every parameter filled in.")
    cli_command: str
    list_accounts_script: str = Field(
        description="Organization mode: lists member accounts without the jump role."
    )
    variants: list[VariantOut] = Field(
        description="Layouts of accounts that need more than the stack as it comes."
    )


class RunRef(BaseModel):
    run_id: UUID
    workflow_id: str
    joined: bool = Field(description="True when a validation was under way already.")


class CancelIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class Counts(BaseModel):
    objects: int
    rows_read: int
    rows_accepted: int
    rows_duplicate: int
    rows_rejected: int
    rows_unpriced: int
    bytes_read: int


class StepOut(Counts):
    key: str
    source: str
    account_id: str
    region: str
    window_start: datetime | None
    window_end: datetime | None
    state: StepState
    detail: str
    attempt: int = Field(description="The newest attempt, from 1; 0 before the first.")
    error_code: str = Field(
        description="Of the last failed attempt, or of what a completed step refused or set aside: "
        "`detail` says what."
    )
    error: str = Field(description="Why the last attempt ended; empty once completed.")
    started_at: datetime
    finished_at: datetime | None


class RunOut(Counts):
    id: UUID
    connection_id: UUID
    kind: RunKind
    workflow_id: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    window_start: datetime | None
    window_end: datetime | None
    items_total: int
    items_done: int
    items_failed: int
    percent: int
    estimated_finish: datetime | None
    note: str
    requested_by: str
    steps: list[StepOut] = Field(description="The first steps; read on at the run's own list.")


class FindingOut(BaseModel):
    id: UUID
    connection_id: UUID
    code: str
    severity: Severity
    subject: str
    title: str
    remedy: str
    causes: list[RankedCause] = Field(description="The most likely first.")
    evidence: dict[str, str]
    state: FindingState
    first_seen_at: datetime
    last_seen_at: datetime


class AccountOut(BaseModel):
    account_id: str
    name: str
    state: str
    joined_method: str
    coverage: Coverage
    detail: str
    checked_at: datetime | None
    covered_at: datetime | None = Field(description="When it could last be entered.")
    changed_at: datetime | None = Field(
        description="Since when its state and coverage are what they are."
    )


class QuarantinedOut(BaseModel):
    id: UUID
    run_id: UUID | None
    file: str
    position: int
    reason: str
    detail: str
    created_at: datetime


class OnboardingOut(BaseModel):
    state: OnboardingState
    history: list[OnboardingEntry]


def connection_out(connection: Connection) -> dict[str, Any]:
    found = connection.model_dump(exclude={"tenant_id", "connection_id"})
    return {"id": connection.connection_id, **found}


def setup_out(setup: ConnectionSetup) -> dict[str, Any]:
    return {
        **connection_out(setup.connection),
        "backend_account_id": setup.backend_account_id,
        "launch_url": setup.launch_url,
        "cli_command": setup.cli_command,
        "list_accounts_script": setup.list_accounts_script,
        "variants": setup.variants,
    }


def run_out(run: SyncRun, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "connection_id": run.connection_id,
        "kind": run.kind,
        "workflow_id": run.workflow_id,
        "state": run.state,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "window_start": run.window_start,
        "window_end": run.window_end,
        "items_total": run.steps_total,
        "items_done": run.tally.done,
        "items_failed": run.tally.failed,
        "percent": percent(run.tally.done, run.steps_total),
        "estimated_finish": run.estimated_finish,
        "note": run.note,
        "requested_by": run.requested_by,
        **_counts(run.tally),
        "steps": steps,
    }


def step_out(step: SyncStep) -> dict[str, Any]:
    return {
        "key": step.step_key,
        "source": step.source,
        "account_id": step.account_id,
        "region": step.region,
        "window_start": step.window_start,
        "window_end": step.window_end,
        "state": step.state,
        "detail": step.detail,
        "attempt": step.attempt,
        "error_code": step.error_code,
        "error": step.error,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        **_counts(step.tally),
    }


def finding_out(finding: Finding) -> dict[str, Any]:
    causes = sorted(finding.causes, key=lambda cause: -cause.likelihood)
    found = finding.model_dump(exclude={"finding_id", "causes"})
    return {"id": finding.finding_id, **found, "causes": causes}


def account_out(account: AccountCoverage) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "state": account.state,
        "joined_method": account.joined_method,
        "coverage": account.coverage,
        "detail": account.detail,
        "checked_at": account.checked_at,
        "covered_at": account.covered_at,
        "changed_at": account.changed_at,
    }


def quarantined_out(row: QuarantinedRow) -> dict[str, Any]:
    return {
        "id": row.quarantine_id,
        "run_id": row.run_id,
        "file": row.file,
        "position": row.position,
        "reason": row.reason,
        "detail": row.detail,
        "created_at": row.created_at,
    }


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "objects": tally.objects,
        "rows_read": tally.rows_read,
        "rows_accepted": tally.accepted,
        "rows_duplicate": tally.duplicate,
        "rows_rejected": tally.rejected,
        "rows_unpriced": tally.unpriced,
        "bytes_read": tally.bytes_read,
    }
