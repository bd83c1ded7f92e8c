"""``tensorcost cost``: where a tenant's money went, by estimate and by bill."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tensorcost.cli.console import emit_json, run, talk
from tensorcost.cli.tables import data_table, show_table
from tensorcost.domain.cost.query import MAX_ROWS, Charges, CostBasis, GroupBy
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.cost.summary import Sums
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.domain.identity.principal import Principal
    from tensorcost.domain.ids import TenantId
    from tensorcost.services.cost.answers import Breakdown, Settlement
    from tensorcost.services.cost.asking import CostRequest

_NOTHING_NAMED = "(none)"
_FIGURES = ("cost USD", "billed USD", "requests", "tokens")


def cost(
    tenant: Annotated[str, typer.Option(help="Id or slug of the tenant.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First day (UTC); default 30 days back.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Day after the last; default tomorrow.")
    ] = None,
    by: Annotated[GroupBy, typer.Option(help="What to break the cost down by.")] = GroupBy.MODEL,
    basis: Annotated[
        CostBasis, typer.Option(help="How reconciled days are costed.")
    ] = CostBasis.UNBLENDED,
    charges: Annotated[
        Charges, typer.Option(help="AI usage, or everything on the invoice.")
    ] = Charges.USAGE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Answer with what was known at the end of a day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Cost by model, team, account and more; what a bill confirms and what is estimated."""
    from tensorcost.gateway.routes.cost_shapes import breakdown_json
    from tensorcost.services.cost.asking import CostRequest

    ask = CostRequest(start=start, end=end, as_of=as_of, basis=basis, charges=charges)
    found = run(_breakdown(tenant, ask, by))
    if as_json:
        emit_json(breakdown_json(found))
    else:
        _show(found)


async def _breakdown(tenant: str, ask: "CostRequest", by: GroupBy) -> "Breakdown":
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.services.cost.service import CostService

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        costs = CostService(door.db, lambda: datetime.now(UTC))
        return await costs.breakdown(operator_of(tenant_id), ask, by, MAX_ROWS)


def operator_of(tenant_id: "TenantId") -> "Principal":
    """Whoever holds the database's passwords; the read is in the tenant's audit trail."""
    from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind
    from tensorcost.domain.identity.scopes import Scope

    return Principal(
        subject="cli",
        tenant_id=tenant_id,
        kind=PrincipalKind.SERVICE,
        roles=frozenset(),
        scopes=frozenset({Scope.COST_READ}),
        plan=Plan.STARTER,
        expires_at=float("inf"),
    )


def _show(found: "Breakdown") -> None:
    table = data_table(found.group_by.value, *_FIGURES, right=_FIGURES)
    for row in found.table.rows:
        table.add_row(row.key[0] or _NOTHING_NAMED, *_cells(row.sums))
    if found.table.rest is not None:
        table.add_row(f"({found.table.rest_count} more)", *_cells(found.table.rest.sums))
    table.add_row("in all", *_cells(found.table.sums), style="bold")
    show_table(table, Console(highlight=False))
    talk.print(_settled(found.settlement))
    total = found.table.sums.total
    if total.unpriced_requests or total.unpriced_tokens:
        counts = f"requests {total.unpriced_requests}, tokens {total.unpriced_tokens}"
        talk.print(f"  not in it: what has neither price nor bill ({counts})", style="dim")
    for one in found.table.beside:
        amount = f"{format_nano(one.measures.cost_nano)} {one.currency}"
        if one.currency == ESTIMATE_CURRENCY:
            talk.print(f"  not in it: {amount} {one.reason.value}", style="dim")
        else:
            talk.print(
                f"  not in it: {amount}, for which days above are billed in {one.currency}; no "
                "exchange rate is kept, so that none of it is in these USD totals",
                style="yellow",
                soft_wrap=True,
            )


def _cells(sums: Sums) -> tuple[str, str, str, str]:
    cost_nano = sums.cost_nano
    return (
        "unpriced" if cost_nano is None else format_nano(cost_nano),
        format_nano(sums.billed_nano),
        str(sums.total.requests),
        str(sums.total.all_tokens),
    )


def _settled(settlement: "Settlement") -> str:
    reconciled = settlement.reconciled
    if reconciled.through is None:
        return "estimated by list price: no day is reconciled with a bill"
    return (
        f"{reconciled.days} days, the last {reconciled.through}, are reconciled with the bill "
        f"({settlement.basis.value}); the rest is estimated by list price"
    )
