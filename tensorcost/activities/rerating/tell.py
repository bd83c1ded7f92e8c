"""What a re-rating says: its report, its events and its audit entries, in their transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from tensorcost.domain.cost.contracts_rerating import (
    ApplyOrder,
    DecideOrder,
    MonthChange,
    Preview,
    RerateInput,
    RerateState,
    RunKey,
    WarnOrder,
)
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.cost.rerating_changes import ChangeKind, Changes, ChangeSum
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.money import format_nano
from tensorcost.storage import audit
from tensorcost.storage.rerating.days import AppliedPart
from tensorcost.storage.rerating.previews import StoredChange, StoredPreview
from tensorcost.storage.rerating.runs import Rerating
from tensorcost.storage.session import TenantTx

MOST_PARTS: Final = 50
RESOURCE: Final = "rerating"


def preview_report(preview: StoredPreview, changes: Sequence[StoredChange]) -> Preview:
    """The preview as the workflow and its callers see it."""
    found = Changes({change.key: change.sums for change in changes})
    automatic = found.total(preview.open_months, approved=False)
    waiting = found.total(preview.open_months, approved=True)
    return Preview(
        number=preview.preview,
        automatic_rows=automatic.rows,
        approval_rows=waiting.rows,
        approval_delta=format_nano(waiting.delta_nano),
        approval_drift=format_nano(waiting.drift_nano),
        digest=found.digest(preview.open_months),
        imported_by=preview.imported_by,
        months=_months(changes),
    )


def _months(changes: Sequence[StoredChange]) -> tuple[MonthChange, ...]:
    by_month: dict[date, list[StoredChange]] = defaultdict(list)
    for change in changes:
        by_month[change.key.period].append(change)
    return tuple(_month(period, by_month[period]) for period in sorted(by_month))


def _month(period: date, changes: Sequence[StoredChange]) -> MonthChange:
    total = sum((change.sums for change in changes), start=ChangeSum())
    return MonthChange(
        period=period,
        state=changes[0].state,
        rows=total.rows,
        newly_priced_rows=sum(
            change.sums.rows for change in changes if change.key.kind is ChangeKind.NEWLY_PRICED
        ),
        before=format_nano(total.before_nano),
        after=format_nano(total.after_nano),
        delta=format_nano(total.delta_nano),
        drift=format_nano(total.drift_nano),
        requests=total.requests,
        beside_rows=total.beside_rows,
        models=len({(change.key.provider, change.key.model_id) for change in changes}),
    )


async def tell_preview(tx: TenantTx, request: RerateInput, run: RunKey, preview: Preview) -> None:
    """A new preview stands."""
    data = {
        **_named(run, request),
        "preview": preview.number,
        "automatic_rows": preview.automatic_rows,
        "approval_rows": preview.approval_rows,
        "approval_delta": preview.approval_delta,
        "approval_drift": preview.approval_drift,
        "months": [month.model_dump(mode="json") for month in preview.months],
    }
    await _tell(tx, EventType.COST_RERATING_PREVIEWED, data, request.requested_by, run)


async def tell_applied(
    tx: TenantTx, order: ApplyOrder, rows: int, parts: Sequence[AppliedPart]
) -> None:
    """Figures have changed: signed deltas by month, and by model the largest.

    ``rows`` were written anew, of every grain; the deltas are of the grain that counts. Their part
    in ``drift`` lies on days that a bill answers for, and no total has changed by it.
    """
    months: dict[str, int] = defaultdict(int)
    for part in parts:
        months[month_name(part.period)] += part.delta_nano
    drift = sum(part.drift_nano for part in parts)
    largest = sorted(parts, key=lambda part: -abs(part.delta_nano))[:MOST_PARTS]
    data: dict[str, Any] = {
        "origin": "rerating",
        **_named(order.run, order.request),
        "approved": order.approved,
        "rows": rows,
        "currency": "USD",
        "delta": format_nano(sum(months.values())),
        "drift": format_nano(drift),
        "totals_delta": format_nano(sum(months.values()) - drift),
        "months": {month: format_nano(delta) for month, delta in months.items()},
        "largest": [
            {
                "period": month_name(part.period),
                "provider": part.provider,
                "model_id": part.model_id,
                "delta": format_nano(part.delta_nano),
                "drift": format_nano(part.drift_nano),
            }
            for part in largest
            if part.delta_nano
        ],
    }
    updated = {"origin": "rerating", "accepted": 0}
    tx.emit(NewEvent(EventType.COST_UPDATED, updated, audit.trace_id_now()))
    await _tell(tx, EventType.COST_RESTATED, data, order.applied_by, order.run)


async def tell_decision(tx: TenantTx, order: DecideOrder) -> None:
    """Somebody has decided; what follows tells itself."""
    await audit.record(
        tx,
        actor=order.decided_by,
        action="rerating.approved" if order.approved else "rerating.rejected",
        resource_type=RESOURCE,
        resource_id=str(order.run.rerating_id),
        detail={"preview": order.run.preview, "reason": order.reason},
    )


async def tell_expiring(tx: TenantTx, order: WarnOrder, actor: str) -> None:
    """Nobody has decided yet, and the time for it ends."""
    data = {
        **_named(order.run, order.request),
        "preview": order.run.preview,
        "expires_at": order.deadline.isoformat(),
        "approval_rows": order.preview.approval_rows,
        "approval_delta": order.preview.approval_delta,
        "approval_drift": order.preview.approval_drift,
    }
    await _tell(tx, EventType.COST_RERATING_EXPIRING, data, actor, order.run)


async def tell_end(tx: TenantTx, found: Rerating, state: RerateState, actor: str) -> None:
    """The run has ended."""
    run = RunKey(tenant_id=tx.tenant_id, rerating_id=found.rerating_id, preview=found.preview)
    data = {
        "rerating_id": str(found.rerating_id),
        "price_version": found.price_version,
        "state": state.value,
        "decided_by": found.decided_by,
        "reason": found.reason,
    }
    await _tell(tx, EventType.COST_RERATING_ENDED, data, actor, run)


async def _tell(
    tx: TenantTx, kind: EventType, data: dict[str, Any], actor: str, run: RunKey
) -> None:
    tx.emit(NewEvent(kind, data, audit.trace_id_now()))
    await audit.record(
        tx,
        actor=actor,
        action=kind.value,
        resource_type=RESOURCE,
        resource_id=str(run.rerating_id),
        detail=data,
    )


def _named(run: RunKey, request: RerateInput) -> dict[str, Any]:
    return {
        "rerating_id": str(run.rerating_id),
        "price_version": request.price_version,
        "reverts": None if request.reverts is None else str(request.reverts),
    }
