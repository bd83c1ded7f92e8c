"""Re-ratings: what newer prices change in stored rows."""

from datetime import datetime

import strawberry

from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.cost.rerating_changes import ChangeKind, needs_approval
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.scalars import Count, Money
from tensorcost.services.rerating import ReratingDetail, StartedRerating
from tensorcost.storage.rerating.previews import StoredChange
from tensorcost.storage.rerating.runs import Rerating as StoredRerating

RERATING = "Rerating"
strawberry.enum(RerateState, name="ReratingState")
strawberry.enum(ChangeKind, name="ReratingChangeKind")


@strawberry.type(description="A run that brings stored rows to other prices.")
class Rerating(Node):
    workflow_id: str
    price_version: int
    reverts: strawberry.ID | None = strawberry.field(
        description="The re-rating that this one takes back."
    )
    state: RerateState
    requested_by: str
    opened_at: datetime
    deadline: datetime | None = strawberry.field(
        description="Until when a decision is waited for; without one nothing more changes."
    )
    decided_by: str
    decided_at: datetime | None
    reason: str
    finished_at: datetime | None
    preview: int = strawberry.field(description="The newest preview: what an approval names.")

    @classmethod
    def from_domain(cls, found: StoredRerating) -> "Rerating":
        return cls(
            id=global_id(RERATING, found.rerating_id),
            workflow_id=found.workflow_id,
            price_version=found.price_version,
            reverts=None if found.reverts is None else global_id(RERATING, found.reverts),
            state=found.state,
            requested_by=found.requested_by,
            opened_at=found.opened_at,
            deadline=found.deadline,
            decided_by=found.decided_by,
            decided_at=found.decided_at,
            reason=found.reason,
            finished_at=found.finished_at,
            preview=found.preview,
        )


@strawberry.type(description="What a re-rating changes in one month and model.")
class ReratingChange:
    period: str = strawberry.field(description="The month, as 2026-10.")
    period_state: PeriodState
    provider: str
    model_id: str
    kind: ChangeKind
    needs_approval: bool
    rows: Count = strawberry.field(description="Rows that are written anew, of every grain.")
    beside_rows: Count = strawberry.field(
        description="Of these, rows of whose calls finer rows tell: in no amount or request."
    )
    requests: Count = strawberry.field(description="Calls behind the amounts, each counted once.")
    before: Money
    after: Money
    delta: Money = strawberry.field(description="What the estimates that count change by.")
    drift: Money = strawberry.field(
        description="Its part on days that a bill answers for: price drift alone, no total."
    )
    totals_delta: Money = strawberry.field(
        description="The rest: what the totals of cost change by."
    )
    unpriced_rows: Count = strawberry.field(description="Rows that lose their price; in no amount.")

    @classmethod
    def from_domain(cls, found: ReratingDetail, change: StoredChange) -> "ReratingChange":
        key, sums = change.key, change.sums
        return cls(
            period=month_name(key.period),
            period_state=change.state,
            provider=key.provider,
            model_id=key.model_id,
            kind=key.kind,
            needs_approval=needs_approval(key, found.preview.open_months),
            rows=Count(sums.rows),
            beside_rows=Count(sums.beside_rows),
            requests=Count(sums.requests),
            before=Money(sums.before_nano),
            after=Money(sums.after_nano),
            delta=Money(sums.delta_nano),
            drift=Money(sums.drift_nano),
            totals_delta=Money(sums.totals_nano),
            unpriced_rows=Count(sums.unpriced_rows),
        )


@strawberry.type(description="A re-rating with its newest preview.")
class ReratingDetails:
    rerating: Rerating
    previewed_at: datetime
    imported_by: list[str] = strawberry.field(
        description="Who brought the prices: they may not approve."
    )
    automatic_rows: Count = strawberry.field(description="Rows that need no approval.")
    approval_rows: Count = strawberry.field(description="Rows that do, of every grain.")
    approval_requests: Count = strawberry.field(description="Calls behind them, each counted once.")
    approval_delta: Money = strawberry.field(
        description="What their estimates that count change by."
    )
    approval_drift: Money = strawberry.field(description="Its part that changes price drift alone.")
    approval_totals_delta: Money = strawberry.field(
        description="Its part that the totals change by."
    )
    changes: list[ReratingChange] = strawberry.field(description="By month, provider and model.")

    @classmethod
    def from_domain(cls, found: ReratingDetail) -> "ReratingDetails":
        return cls(
            rerating=Rerating.from_domain(found.run),
            previewed_at=found.preview.previewed_at,
            imported_by=list(found.preview.imported_by),
            automatic_rows=Count(found.automatic.rows),
            approval_rows=Count(found.waiting.rows),
            approval_requests=Count(found.waiting.requests),
            approval_delta=Money(found.waiting.delta_nano),
            approval_drift=Money(found.waiting.drift_nano),
            approval_totals_delta=Money(found.waiting.totals_nano),
            changes=[ReratingChange.from_domain(found, change) for change in found.changes],
        )


@strawberry.type(description="Where to watch; the run is listed once its preview found something.")
class StartedReratingRun:
    workflow_id: str
    price_version: int
    joined: bool = strawberry.field(description="The same was under way already.")

    @classmethod
    def from_domain(cls, found: StartedRerating) -> "StartedReratingRun":
        return cls(
            workflow_id=found.workflow_id,
            price_version=found.price_version,
            joined=found.joined,
        )
