"""The published shapes of re-ratings. Money is a decimal string of US dollars."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.cost.rerating_changes import ChangeKind, needs_approval
from tensorcost.domain.money import format_nano
from tensorcost.gateway.routes.cost_shapes import Json
from tensorcost.services.rerating import MAX_REASON, ReratingDetail
from tensorcost.storage.rerating.previews import StoredChange
from tensorcost.storage.rerating.runs import Rerating


class ReratingOut(BaseModel):
    id: UUID
    workflow_id: str
    price_version: int
    reverts: UUID | None = Field(description="The re-rating that this one takes back.")
    state: RerateState
    requested_by: str
    opened_at: datetime
    deadline: datetime | None = Field(
        description="Until when a decision is waited for; without one nothing more changes."
    )
    decided_by: str
    decided_at: datetime | None
    reason: str
    finished_at: datetime | None
    preview: int = Field(description="Number of the newest preview: what an approval names.")


class ChangeOut(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    period: str = Field(examples=["2026-10"])
    period_state: PeriodState
    provider: str
    model_id: str
    kind: ChangeKind
    needs_approval: bool
    rows: int = Field(description="Rows that are written anew, of every grain.")
    beside_rows: int = Field(
        description="Of these, rows of whose calls finer rows tell: in no amount or request."
    )
    requests: int = Field(description="Calls behind the amounts, each counted once.")
    before_usd: str = Field(examples=["12.340000000"])
    after_usd: str
    delta_usd: str = Field(description="What the estimates that count change by.")
    drift_usd: str = Field(
        description="Its part on days that a bill answers for: price drift alone, no total."
    )
    totals_delta_usd: str = Field(description="The rest: what the totals of cost change by.")
    unpriced_rows: int = Field(description="Rows that lose their price; in no amount.")


class ReratingDetailOut(ReratingOut):
    previewed_at: datetime
    imported_by: list[str] = Field(description="Who brought the prices: they may not approve.")
    automatic_rows: int = Field(description="Rows that need no approval.")
    approval_rows: int = Field(description="Rows that do, of every grain.")
    approval_requests: int = Field(description="Calls behind them, each counted once.")
    approval_delta_usd: str = Field(description="What their estimates that count change by.")
    approval_drift_usd: str = Field(description="Its part that changes price drift alone.")
    approval_totals_delta_usd: str = Field(description="Its part that the totals change by.")
    changes: list[ChangeOut] = Field(description="By month, provider and model.")


class StartedReratingOut(BaseModel):
    workflow_id: str
    price_version: int
    joined: bool = Field(description="The same was under way already.")


class ApproveIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    preview: int = Field(ge=1, description="The preview that was looked at.")
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""


class RejectIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""


def rerating_json(run: Rerating) -> Json:
    return {
        "id": run.rerating_id,
        "workflow_id": run.workflow_id,
        "price_version": run.price_version,
        "reverts": run.reverts,
        "state": run.state,
        "requested_by": run.requested_by,
        "opened_at": run.opened_at,
        "deadline": run.deadline,
        "decided_by": run.decided_by,
        "decided_at": run.decided_at,
        "reason": run.reason,
        "finished_at": run.finished_at,
        "preview": run.preview,
    }


def detail_json(found: ReratingDetail) -> Json:
    return {
        **rerating_json(found.run),
        "previewed_at": found.preview.previewed_at,
        "imported_by": found.preview.imported_by,
        "automatic_rows": found.automatic.rows,
        "approval_rows": found.waiting.rows,
        "approval_requests": found.waiting.requests,
        "approval_delta_usd": format_nano(found.waiting.delta_nano),
        "approval_drift_usd": format_nano(found.waiting.drift_nano),
        "approval_totals_delta_usd": format_nano(found.waiting.totals_nano),
        "changes": [_change(found, change) for change in found.changes],
    }


def _change(found: ReratingDetail, change: StoredChange) -> Json:
    key, sums = change.key, change.sums
    return {
        "period": month_name(key.period),
        "period_state": change.state,
        "provider": key.provider,
        "model_id": key.model_id,
        "kind": key.kind,
        "needs_approval": needs_approval(key, found.preview.open_months),
        "rows": sums.rows,
        "beside_rows": sums.beside_rows,
        "requests": sums.requests,
        "before_usd": format_nano(sums.before_nano),
        "after_usd": format_nano(sums.after_nano),
        "delta_usd": format_nano(sums.delta_nano),
        "drift_usd": format_nano(sums.drift_nano),
        "totals_delta_usd": format_nano(sums.totals_nano),
        "unpriced_rows": sums.unpriced_rows,
    }
