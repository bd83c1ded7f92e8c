"""Sync history as it is read back: runs, their steps, accounts and their coverage."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.states import Coverage, RunKind, RunState, StepState


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to begin."""

    tenant_id: TenantId
    run_id: UUID
    connection_id: ConnectionId
    kind: RunKind
    workflow_id: str
    started_at: datetime
    requested_by: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncRun:
    run_id: UUID
    connection_id: ConnectionId
    kind: RunKind
    workflow_id: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    window_start: datetime | None
    window_end: datetime | None
    steps_total: int
    tally: Tally
    estimated_finish: datetime | None
    note: str
    requested_by: str
    progressed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SyncStep:
    run_id: UUID
    step_key: str
    position: int
    account_id: str
    region: str
    source: str
    window_start: datetime | None
    window_end: datetime | None
    state: StepState
    tally: Tally
    detail: str
    started_at: datetime
    finished_at: datetime | None
    attempt: int = 0
    """Number of the newest attempt, from 1; 0 before the first, and for what is no work."""
    error_code: str = ""
    error: str = ""
    """Why the last attempt ended, masked, at most 1 kB; empty once the step is completed."""


@dataclass(frozen=True, slots=True)
class AccountCoverage:
    """One account of a connection and what became of it."""

    account_id: str
    name: str
    state: str
    joined_method: str
    coverage: Coverage
    detail: str
    checked_at: datetime | None
    covered_at: datetime | None = None
    """When it could last be entered; None where it never could."""
    changed_at: datetime | None = None
    """Since when state and coverage are what they are."""


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row or file that was not accepted; never its text."""

    quarantine_id: UUID
    run_id: UUID | None
    file: str
    position: int
    reason: str
    detail: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """An opaque Bedrock id and what it stands for, kept so that re-reads need not ask again."""

    arn: str
    account_id: str
    region: str
    name: str
    model_id: str
    routing_scope: str
    service_tier: str
    tags: tuple[tuple[str, str], ...] = ()
