"""``tensorcost coverage``: how much of the bill rows explain, by place, and why not more."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tensorcost.cli.console import emit_json, run
from tensorcost.cli.cost import operator_of
from tensorcost.cli.coverage_shown import show_coverage, show_history
from tensorcost.cli.places import Account, AsOf, Json, Region, Tenant
from tensorcost.domain.cost.query import DEFAULT_ROWS, MAX_ROWS
from tensorcost.domain.cost.reconciliation.facts import Basis
from tensorcost.domain.identity.scopes import Scope

if TYPE_CHECKING:
    from tensorcost.services.reconciliation.answers import CoverageReport
    from tensorcost.services.reconciliation.asking import CoverageAsk


def coverage(  # noqa: PLR0913, PLR0917 - one parameter an option
    tenant: Tenant,
    start: Annotated[
        str | None, typer.Option("--from", help="First day (UTC); default 30 days back.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Day after the last; default tomorrow.")
    ] = None,
    account: Account = None,
    region: Region = None,
    basis: Annotated[
        Basis, typer.Option(help="Only unblended is the invoice's.")
    ] = Basis.UNBLENDED,
    silent: Annotated[bool, typer.Option("--silent", help="Silent places alone.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Each place by day, in place of its sum.")
    ] = False,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="Places to show.")] = DEFAULT_ROWS,
    as_json: Json = False,
) -> None:
    """The share of billed AI usage that is explained, by account and region; where it falls
    short, the probable causes and what to do."""
    from tensorcost.gateway.routes.coverage_shapes import coverage_json
    from tensorcost.services.reconciliation.asking import CoverageAsk

    ask = CoverageAsk(start, end, as_of, account, region, basis, silent)
    found = run(_coverage(tenant, ask, limit))
    if as_json:
        emit_json({"schema": "tensorcost.coverage/1", **coverage_json(found)})
    elif history:
        show_history(found)
    else:
        show_coverage(found)


async def _coverage(tenant: str, ask: "CoverageAsk", limit: int) -> "CoverageReport":
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.services.reconciliation.coverage import CoverageService

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        covered = CoverageService(door.db, lambda: datetime.now(UTC))
        return await covered.coverage(operator_of(tenant_id, Scope.INTEGRATION_READ), ask, limit)
