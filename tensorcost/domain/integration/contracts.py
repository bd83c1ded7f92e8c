"""Workflows of the integration context as others see them: names, ids, inputs, answers.

Services and activities start these by name (decisions 34). Later fields need defaults:
during a roll-out old workers read new payloads and the reverse.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionChanges
from tensorcost.domain.integration.states import OnboardingPhase, RunState

CONTEXT: Final = "integration"
VALIDATE_UPDATE: Final = "validate"
RETRY_UPDATE: Final = "retry"
CANCEL_UPDATE: Final = "cancel"
STATUS_QUERY: Final = "status"
LONGEST_PAUSE: Final = timedelta(seconds=30)
"""How long after an outage work may still stand idle. A tenant's few items in flight, each tried
so often, are no burden for what has just come back."""


class WorkflowName(StrEnum):
    CONNECTION_ONBOARDING = "ConnectionOnboarding"
    BACKFILL = "Backfill"
    SYNC = "Sync"
    SECRET_ROTATION = "SecretRotation"  # noqa: S105


class Failure(StrEnum):
    """Types of ``ApplicationError``; the wire contract of activities and updates."""

    CUSTOMER_MUST_ACT = "CustomerMustAct"
    PROVIDER_THROTTLED = "ProviderThrottled"
    CONNECTION_GONE = "ConnectionGone"
    UNKNOWN_PROVIDER = "UnknownProvider"
    INVALID_ITEM = "InvalidItem"
    DRAINING = "WorkerDraining"
    SUPERSEDED = "Superseded"
    NOT_NOW = "NotAllowedNow"
    CLOSED = "AlreadyClosed"
    NO_BILL = "NoBill"
    IDENTITY_BROKEN = "IdentityBroken"
    SELF_APPROVAL = "SelfApproval"


class Contract(BaseModel):
    model_config = ConfigDict(frozen=True)


class ConnectionKey(Contract):
    """Which connection, for whom. Every payload of this context names its tenant."""

    tenant_id: TenantId
    connection_id: ConnectionId
    provider: str

    @classmethod
    def of(cls, connection: Connection) -> "ConnectionKey":
        return cls(
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            provider=connection.provider,
        )


class OnboardingInput(Contract):
    """Validate ``connection`` and then backfill it.

    ``interval`` and ``patience`` are the published promise (every 5 s, at most 2 min);
    ``retry_for`` is how long a failed validation waits for a person before the run closes.
    """

    connection: ConnectionKey
    requested_by: str
    interval: timedelta = timedelta(seconds=5)
    patience: timedelta = timedelta(minutes=2)
    retry_for: timedelta = timedelta(days=7)
    backfill_days: int = 90


class ValidateRequest(Contract):
    """Start-or-join: a running validation answers with its own run."""

    requested_by: str


class RetryRequest(Contract):
    """Accepted only after a failure; ``changes`` are applied before the first probe."""

    requested_by: str
    changes: ConnectionChanges | None = None


class CancelRequest(Contract):
    requested_by: str
    reason: str = ""


class RunReference(Contract):
    """Where to look: the ``sync_run`` row and the workflow behind it."""

    run_id: UUID
    workflow_id: str
    joined: bool = False


class OnboardingStatus(Contract):
    phase: OnboardingPhase
    run_id: UUID | None = None
    round: int = 0
    diagnosis: str = ""


class OnboardingOutcome(Contract):
    phase: OnboardingPhase
    run_id: UUID | None = None
    accounts_covered: int = 0
    accounts_total: int = 0
    backfill_id: str = ""


class Tally(Contract):
    """Counters of a run; addition is how they travel across continue-as-new."""

    done: int = 0
    failed: int = 0
    objects: int = 0
    rows_read: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    unpriced: int = 0
    bytes_read: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            **{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields}
        )


class BackfillInput(Contract):
    """One numbered backfill. What follows ``window_end`` travels across continue-as-new."""

    connection: ConnectionKey
    number: int
    run_id: UUID
    window_start: datetime
    window_end: datetime
    in_flight: int = 4
    per_run: int = 400
    planned: int | None = None
    """Number of work items once planned; None before."""
    after: int = 0
    """Position of the last work item handed out."""
    tally: Tally = Tally()


class BackfillOutcome(Contract):
    run_id: UUID
    state: RunState
    items: int
    tally: Tally


class SyncInput(Contract):
    """One scheduled run; its window is computed from the scheduled start time.

    What follows ``per_run`` travels across continue-as-new.
    """

    connection: ConnectionKey
    in_flight: int = 4
    per_run: int = 2_000
    """A sync's items are one a site: more than this many go on in a new run."""
    run_id: UUID | None = None
    window_end: datetime | None = None
    planned: int | None = None
    """Number of work items once planned; None before."""
    after: int = 0
    """Position of the last work item handed out."""
    tally: Tally = Tally()


class SyncOutcome(Contract):
    run_id: UUID | None
    state: RunState
    items: int
    tally: Tally


def onboarding_workflow_id(connection_id: UUID) -> str:
    return f"connection/{connection_id}/onboarding"


def backfill_workflow_id(connection_id: UUID, number: int) -> str:
    return f"connection/{connection_id}/backfill/{number}"


def sync_workflow_id(connection_id: UUID) -> str:
    """Id of the schedule and prefix of the ids of its runs."""
    return f"connection/{connection_id}/sync"
