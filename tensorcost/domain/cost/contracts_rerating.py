"""The Rerate workflow as others see it: name, ids, messages, inputs, answers.

Services and jobs start it by name (decisions 34). Later fields need defaults: during a roll-out
old workers read new payloads and the reverse. Money is a decimal string of dollars with nine
places.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Contract

RERATE: Final = "Rerate"
APPROVE_UPDATE: Final = "approve"
REJECT_UPDATE: Final = "reject"
PRICES_CHANGED_SIGNAL: Final = "prices_changed"
PATIENCE: Final = timedelta(days=30)
"""How long a decision is waited for; without one the months that are over stay as they are."""
WARNING: Final = timedelta(days=3)
"""How long before the end of that it is told that nobody has decided."""


class RerateState(StrEnum):
    """The ``State`` search attribute of a Rerate run; from the first preview on in the database."""

    PREVIEWING = "previewing"
    PREVIEWED = "previewed"
    APPLYING = "applying"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNCHANGED = "unchanged"


FINISHED: Final = frozenset(
    {
        RerateState.APPLIED,
        RerateState.REJECTED,
        RerateState.EXPIRED,
        RerateState.CANCELLED,
        RerateState.FAILED,
        RerateState.UNCHANGED,
    }
)


class RerateInput(Contract):
    """Hold the stored rows against the prices and write what differs."""

    tenant_id: TenantId
    price_version: int
    requested_by: str
    reverts: UUID | None = None
    """Give the rows of this re-rating the price back that they had before it."""
    every_row: bool = False
    """Look at every row, not only at those whose prices the undecided versions change."""
    patience: timedelta = PATIENCE
    warning: timedelta = WARNING
    """Of a shorter patience the half counts; none is no warning."""

    @property
    def lead(self) -> timedelta:
        """How long before a decision is due nobody having decided is told."""
        return min(self.warning, self.patience / 2)


class PreviewOrder(Contract):
    """One preview. The first one that finds something opens the run in the database."""

    request: RerateInput
    rerating_id: UUID
    workflow_id: str
    number: int

    @property
    def tenant_id(self) -> TenantId:
        return self.request.tenant_id


class MonthChange(Contract):
    """What a preview changes in one month."""

    period: date
    state: PeriodState
    rows: int
    newly_priced_rows: int
    before: str
    after: str
    delta: str
    models: int
    requests: int = 0
    """Calls behind the amounts, each counted once."""
    beside_rows: int = 0
    """Of the rows: finer ones tell of their calls, so that they are in no amount."""
    drift: str = "0.000000000"
    """The part of ``delta`` on days that a bill answers for: no total changes by it."""


class Preview(Contract):
    """What would change; by model it stands in the database."""

    number: int
    automatic_rows: int = 0
    """Rows that need no approval: those without a price, and those of months that still run."""
    approval_rows: int = 0
    approval_delta: str = "0.000000000"
    approval_drift: str = "0.000000000"
    """As a month's ``drift``."""
    digest: str = ""
    """Equal exactly where all that needs approval is equal."""
    imported_by: tuple[str, ...] = ()
    """Who brought the prices: none of them may approve."""
    months: tuple[MonthChange, ...] = ()
    blocked_by: UUID | None = None
    """The tenant's open re-rating, which has to end first."""


class RunKey(Contract):
    tenant_id: TenantId
    rerating_id: UUID
    preview: int


class ApplyOrder(Contract):
    """Write what the preview found: what needs no approval, or (``approved``) the rest."""

    request: RerateInput
    run: RunKey
    approved: bool
    applied_by: str
    """As the audit trail names them."""

    @property
    def tenant_id(self) -> TenantId:
        return self.run.tenant_id


class Applied(Contract):
    rows: int = 0
    delta: str = "0.000000000"


class ApproveRequest(Contract):
    """``preview`` is the one that was looked at: another one is not approved by it."""

    decided_by: str
    preview: int
    reason: str = ""


class RejectRequest(Contract):
    decided_by: str
    reason: str = ""


class PricesChanged(Contract):
    """Newer prices were imported while a run is open."""


class DecideOrder(Contract):
    """Write a decision down; an approval only while its preview's prices are the newest."""

    run: RunKey
    approved: bool
    decided_by: str
    reason: str = ""

    @property
    def tenant_id(self) -> TenantId:
        return self.run.tenant_id


class Decided(Contract):
    stands: bool
    """False where prices have changed since the preview: nothing was decided."""


class EnterOrder(Contract):
    """Write a state down, with its event and its audit entry; a final one settles the versions."""

    run: RunKey
    state: RerateState
    deadline: datetime | None = None
    note: str = ""

    @property
    def tenant_id(self) -> TenantId:
        return self.run.tenant_id


class WarnOrder(Contract):
    """Tell that the decision is due soon, unless that was told since ``asked_at``."""

    request: RerateInput
    run: RunKey
    preview: Preview
    deadline: datetime
    asked_at: datetime

    @property
    def tenant_id(self) -> TenantId:
        return self.run.tenant_id


class RerateStatus(Contract):
    rerating_id: UUID | None
    state: RerateState
    preview: int = 0


class RerateOutcome(Contract):
    rerating_id: UUID | None
    state: RerateState
    rows: int = 0
    note: str = ""


def rerate_workflow_id(tenant_id: UUID, price_version: int) -> str:
    return f"tenant/{tenant_id}/rerate/{price_version}"


def revert_workflow_id(tenant_id: UUID, rerating_id: UUID) -> str:
    return f"tenant/{tenant_id}/rerate/{rerating_id}/revert"
