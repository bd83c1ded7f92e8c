"""``tensorcost cost``: where a tenant's money went, by estimate and by bill."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tensorcost.cli.console import emit_json, run
from tensorcost.cli.cost_shown import show_costs, show_series
from tensorcost.cli.places import Account, Model, Region
from tensorcost.domain.cost.query import (
    MAX_ROWS,
    MAX_SERIES,
    Charges,
    CostBasis,
    GroupBy,
    SpendFilter,
    Step,
)
from tensorcost.domain.identity.scopes import Scope

if TYPE_CHECKING:
    from tensorcost.domain.identity.principal import Principal
    from tensorcost.domain.ids import TenantId
    from tensorcost.services.cost.answers import Breakdown, TimeSeries
    from tensorcost.services.cost.asking import CostRequest
    from tensorcost.services.cost.service import CostService


def cost(  # noqa: PLR0913, PLR0917 - one parameter an option
    tenant: Annotated[str, typer.Option(help="Id or slug of the tenant.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First day (UTC); default 30 days back.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Day after the last; default tomorrow.")
    ] = None,
    by: Annotated[GroupBy, typer.Option(help="What to break the cost down by.")] = GroupBy.MODEL,
    step: Annotated[
        Step | None,
        typer.Option(help=f"Over time, for the {MAX_SERIES} largest of --by and the others."),
    ] = None,
    account: Account = None,
    region: Region = None,
    model: Model = None,
    application: Annotated[
        str | None, typer.Option(help="Of this application; '' for what names none.")
    ] = None,
    team: Annotated[str | None, typer.Option(help="Of this team; '' for what names none.")] = None,
    basis: Annotated[
        CostBasis, typer.Option(help="How reconciled days are costed.")
    ] = CostBasis.UNBLENDED,
    charges: Annotated[
        Charges,
        typer.Option(
            help="What counts on reconciled days: AI usage, or everything on the invoice. Other "
            "days count list estimates either way."
        ),
    ] = Charges.USAGE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Answer with what was known at the end of a day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Cost by model, team, account and more; what a bill confirms and what is estimated."""
    from tensorcost.gateway.routes.cost_shapes import breakdown_json, series_json
    from tensorcost.services.cost.asking import CostRequest

    kept = SpendFilter(
        account=account, region=region, model_id=model, application=application, team=team
    )
    ask = CostRequest(start, end, as_of, kept, basis, charges)
    if step is not None:
        series = run(_series(tenant, ask, step, by))
        if as_json:
            emit_json(series_json(series))
        else:
            show_series(series)
        return
    found = run(_breakdown(tenant, ask, by))
    if as_json:
        emit_json(breakdown_json(found))
    else:
        show_costs(found)


async def _breakdown(tenant: str, ask: "CostRequest", by: GroupBy) -> "Breakdown":
    async with _costs(tenant) as (costs, caller):
        return await costs.breakdown(caller, ask, by, MAX_ROWS)


async def _series(tenant: str, ask: "CostRequest", step: Step, by: GroupBy) -> "TimeSeries":
    async with _costs(tenant) as (costs, caller):
        return await costs.timeseries(caller, ask, step, by, MAX_SERIES)


@asynccontextmanager
async def _costs(tenant: str) -> "AsyncIterator[tuple[CostService, Principal]]":
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.services.cost.service import CostService

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        yield CostService(door.db, lambda: datetime.now(UTC)), operator_of(tenant_id)


def operator_of(tenant_id: "TenantId", *also: Scope) -> "Principal":
    """Whoever holds the database's passwords; the read is in the tenant's audit trail. May read
    costs, and ``also`` what a question needs beside them."""
    from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind

    return Principal(
        subject="cli",
        tenant_id=tenant_id,
        kind=PrincipalKind.SERVICE,
        roles=frozenset(),
        scopes=frozenset({Scope.COST_READ, *also}),
        plan=Plan.STARTER,
        expires_at=float("inf"),
    )
