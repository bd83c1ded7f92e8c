"""``tensorcost prices rerate``: what newer prices change in stored rows, and decisions on it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from tensorcost.cli.console import emit_json, run, say, talk
from tensorcost.runtime.settings import Settings

if TYPE_CHECKING:
    from tensorcost.domain.ids import TenantId
    from tensorcost.services.rerating import ReratingDetail, Reratings, StartedRerating
    from tensorcost.storage.rerating.runs import Rerating

app = typer.Typer(help="Stored rows and newer prices.", no_args_is_help=True)
_LISTED = 50

Tenant = Annotated[str, typer.Option(help="Id or slug of the tenant.")]
RunId = Annotated[UUID, typer.Argument(help="Id of the re-rating.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.callback()
def rerate() -> None:
    """Stored rows and newer prices. Imports begin a re-rating by themselves."""


@app.command("now")
def now(tenant: Tenant, as_json: AsJson = False) -> None:
    """Hold every stored row against the newest prices."""
    _show_started(run(_with(tenant, lambda r, t, actor: r.request(t, actor))), as_json=as_json)


@app.command("list")
def list_reratings(tenant: Tenant, as_json: AsJson = False) -> None:
    """The newest re-ratings that changed something or would."""
    found = run(_list(tenant))
    if as_json:
        emit_json({"reratings": [_plain_run(one) for one in found]})
        return
    table = Table("id", "price version", "state", "opened", "preview", "decided by", box=None)
    for one in found:
        opened = f"{one.opened_at:%Y-%m-%d %H:%M}"
        row = (str(one.price_version), one.state.value, opened, str(one.preview), one.decided_by)
        table.add_row(str(one.rerating_id), *row)
    Console().print(table)


@app.command("show")
def show(rerating_id: RunId, tenant: Tenant, as_json: AsJson = False) -> None:
    """The difference by month and model."""
    found = run(_with(tenant, lambda r, t, _: r.detail(t, rerating_id), steers=False))
    _show_detail(found, as_json=as_json)


@app.command("approve")
def approve(
    rerating_id: RunId,
    tenant: Tenant,
    preview: Annotated[int, typer.Option(help="The preview that you looked at.")],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Change months that are over as the preview shows. Who imported the prices may not."""
    found = run(
        _with(
            tenant,
            lambda r, t, actor: r.approve(t, rerating_id, actor, preview=preview, reason=reason),
        )
    )
    _show_detail(found, as_json=as_json)


@app.command("reject")
def reject(
    rerating_id: RunId, tenant: Tenant, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Leave months that are over as they are."""
    found = run(_with(tenant, lambda r, t, actor: r.reject(t, rerating_id, actor, reason=reason)))
    _show_detail(found, as_json=as_json)


@app.command("revert")
def revert(rerating_id: RunId, tenant: Tenant, as_json: AsJson = False) -> None:
    """Give the rows of a re-rating their former price back, as a re-rating of its own."""
    started = run(_with(tenant, lambda r, t, actor: r.revert(t, rerating_id, actor)))
    _show_started(started, as_json=as_json)


async def _with(
    tenant: str,
    use: Callable[["Reratings", "TenantId", str], Awaitable[Any]],
    *,
    steers: bool = True,
) -> Any:
    """What ``use`` gives; ``steers`` where it needs the workflow server."""
    from tensorcost.cli.open import doors, find_tenant, operator
    from tensorcost.services.rerating import Reratings

    # The workflow server first: what it starts, Postgres too, is then found by the doors.
    async with _processes(steers=steers) as processes, doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        return await use(Reratings(door.db, processes), tenant_id, operator())


async def _list(tenant: str) -> list["Rerating"]:
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.storage.rerating.runs import list_runs

    async with doors() as door, door.db.tenant(await find_tenant(door.platform, tenant)) as tx:
        return list(await list_runs(tx, limit=_LISTED))


@asynccontextmanager
async def _processes(*, steers: bool) -> AsyncIterator[Any]:
    """The running workflow server's processes; None where they are not needed."""
    if not steers:
        yield None
        return
    from tensorcost.activities.processes import Processes
    from tensorcost.runtime.local import servers
    from tensorcost.runtime.telemetry import open_telemetry
    from tensorcost.runtime.temporal import connect
    from tensorcost.services.rerating_processes import ReratingProcesses

    settings = Settings()
    telemetry = open_telemetry(settings.telemetry)
    try:
        async with servers(settings, say, valkey=False) as addresses:
            client = await connect(addresses, settings.temporal, telemetry)
            yield ReratingProcesses(Processes(client))
    finally:
        telemetry.shutdown()


def _show_started(found: "StartedRerating", *, as_json: bool) -> None:
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


def _show_detail(found: "ReratingDetail", *, as_json: bool) -> None:
    from tensorcost.domain.cost.reconciliation.months import month_name
    from tensorcost.domain.money import format_nano

    waiting = format_nano(found.waiting.delta_nano)
    if as_json:
        emit_json(
            {
                **_plain_run(found.run),
                "automatic_rows": found.automatic.rows,
                "approval_rows": found.waiting.rows,
                "approval_delta_usd": waiting,
                "changes": [
                    {
                        "period": month_name(change.key.period),
                        "state": change.state.value,
                        "provider": change.key.provider,
                        "model_id": change.key.model_id,
                        "kind": change.key.kind.value,
                        "rows": change.sums.rows,
                        "before_usd": format_nano(change.sums.before_nano),
                        "after_usd": format_nano(change.sums.after_nano),
                        "delta_usd": format_nano(change.sums.delta_nano),
                    }
                    for change in found.changes
                ],
            }
        )
        return
    table = Table("month", "books", "model", "kind", box=None)
    for name in ("rows", "before USD", "after USD", "delta USD"):
        table.add_column(name, justify="right")
    for change in found.changes:
        sums = change.sums
        amounts = (sums.before_nano, sums.after_nano, sums.delta_nano)
        table.add_row(
            month_name(change.key.period),
            change.state.value,
            change.key.model_id,
            change.key.kind.value,
            str(sums.rows),
            *map(format_nano, amounts),
        )
    Console().print(table)
    talk.print(
        f"{found.run.state.value}, preview {found.run.preview}: {found.automatic.rows} rows need "
        f"no approval, {found.waiting.rows} do ({waiting} USD)"
    )


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
