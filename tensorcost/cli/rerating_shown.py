"""Re-ratings as ``tensorcost prices rerate`` prints them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorcost.cli.console import emit_json, talk
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.services.rerating import ReratingDetail, StartedRerating
    from tensorcost.storage.rerating.previews import StoredChange
    from tensorcost.storage.rerating.runs import Rerating

_FIGURES = ("rows", "beside", "requests", "before USD", "after USD", "delta USD", "drift USD")


def show_list(found: "Sequence[Rerating]", *, as_json: bool) -> None:
    if as_json:
        emit_json({"reratings": [_plain_run(one) for one in found]})
        return
    table = data_table("id", "price version", "state", "opened", "preview", "decided by")
    for one in found:
        opened = f"{one.opened_at:%Y-%m-%d %H:%M}"
        row = (str(one.price_version), one.state.value, opened, str(one.preview), one.decided_by)
        table.add_row(str(one.rerating_id), *row)
    show_table(table, table_out())


def show_started(found: "StartedRerating", *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "workflow_id": found.workflow_id,
                "price_version": found.price_version,
                "joined": found.joined,
            }
        )
        return
    state = "was under way already" if found.joined else "started"
    talk.print(f"{found.workflow_id} {state}; it is listed once it has found something")


def show_detail(found: "ReratingDetail", *, as_json: bool) -> None:
    if as_json:
        emit_json(_plain(found))
    else:
        _show(found)


def _show(found: "ReratingDetail") -> None:
    from tensorcost.domain.cost.reconciliation.months import month_name

    table = data_table("month", "books", "model", "kind", *_FIGURES, right=_FIGURES)
    for change in found.changes:
        key, sums = change.key, change.sums
        amounts = (sums.before_nano, sums.after_nano, sums.delta_nano, sums.drift_nano)
        table.add_row(
            month_name(key.period),
            change.state.value,
            key.model_id,
            key.kind.value,
            *map(str, (sums.rows, sums.beside_rows, sums.requests)),
            *map(format_nano, amounts),
        )
    show_table(table, table_out())
    waiting = found.waiting
    talk.print(
        f"{found.run.state.value}, preview {found.run.preview}: {found.automatic.rows} rows need "
        f"no approval, {waiting.rows} do ({format_nano(waiting.delta_nano)} USD)"
    )
    talk.print(
        f"  the totals of cost change by {format_nano(waiting.totals_nano)} USD by an approval; "
        f"{format_nano(waiting.drift_nano)} USD lie on days that a bill answers for (price drift "
        f"alone), and {waiting.beside_rows} rows stand beside finer ones",
        style="dim",
    )


def _plain(found: "ReratingDetail") -> dict[str, Any]:
    waiting = found.waiting
    return {
        **_plain_run(found.run),
        "automatic_rows": found.automatic.rows,
        "approval_rows": waiting.rows,
        "approval_requests": waiting.requests,
        "approval_delta_usd": format_nano(waiting.delta_nano),
        "approval_drift_usd": format_nano(waiting.drift_nano),
        "approval_totals_delta_usd": format_nano(waiting.totals_nano),
        "changes": [_plain_change(change) for change in found.changes],
    }


def _plain_change(change: "StoredChange") -> dict[str, Any]:
    from tensorcost.domain.cost.reconciliation.months import month_name

    key, sums = change.key, change.sums
    return {
        "period": month_name(key.period),
        "state": change.state.value,
        "provider": key.provider,
        "model_id": key.model_id,
        "kind": key.kind.value,
        "rows": sums.rows,
        "beside_rows": sums.beside_rows,
        "requests": sums.requests,
        "before_usd": format_nano(sums.before_nano),
        "after_usd": format_nano(sums.after_nano),
        "delta_usd": format_nano(sums.delta_nano),
        "drift_usd": format_nano(sums.drift_nano),
        "totals_delta_usd": format_nano(sums.totals_nano),
    }


def _plain_run(one: "Rerating") -> dict[str, Any]:
    return {
        "id": str(one.rerating_id),
        "workflow_id": one.workflow_id,
        "price_version": one.price_version,
        "reverts": None if one.reverts is None else str(one.reverts),
        "state": one.state.value,
        "requested_by": one.requested_by,
        "opened_at": one.opened_at.isoformat(),
        "deadline": None if one.deadline is None else one.deadline.isoformat(),
        "decided_by": one.decided_by,
        "reason": one.reason,
        "preview": one.preview,
    }
