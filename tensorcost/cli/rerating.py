"""``tensorcost prices rerate``: what newer prices change in stored rows, and decisions on it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from tensorcost.cli.console import run, say
from tensorcost.cli.rerating_shown import show_detail, show_list, show_started
from tensorcost.runtime.settings import Settings

if TYPE_CHECKING:
    from tensorcost.domain.ids import TenantId
    from tensorcost.services.rerating import Reratings
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
    show_started(run(_with(tenant, lambda r, t, actor: r.request(t, actor))), as_json=as_json)


@app.command("list")
def list_reratings(tenant: Tenant, as_json: AsJson = False) -> None:
    """The newest re-ratings that changed something or would."""
    show_list(run(_list(tenant)), as_json=as_json)


@app.command("show")
def show(rerating_id: RunId, tenant: Tenant, as_json: AsJson = False) -> None:
    """The difference by month and model."""
    found = run(_with(tenant, lambda r, t, _: r.detail(t, rerating_id), steers=False))
    show_detail(found, as_json=as_json)


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
    show_detail(found, as_json=as_json)


@app.command("reject")
def reject(
    rerating_id: RunId, tenant: Tenant, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Leave months that are over as they are."""
    found = run(_with(tenant, lambda r, t, actor: r.reject(t, rerating_id, actor, reason=reason)))
    show_detail(found, as_json=as_json)


@app.command("revert")
def revert(rerating_id: RunId, tenant: Tenant, as_json: AsJson = False) -> None:
    """Give the rows of a re-rating their former price back, as a re-rating of its own."""
    started = run(_with(tenant, lambda r, t, actor: r.revert(t, rerating_id, actor)))
    show_started(started, as_json=as_json)


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
            yield ReratingProcesses(Processes(client), settings.approval_warning)
    finally:
        telemetry.shutdown()
