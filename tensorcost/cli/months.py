"""``tensorcost months``: billing months, their versions and bills, and what a version changed."""

from typing import TYPE_CHECKING, Annotated

import typer

from tensorcost.cli.console import emit_json, run, talk
from tensorcost.cli.months_shown import show_difference, show_month, show_months
from tensorcost.cli.places import AsOf, Json, Month, Tenant
from tensorcost.domain.cost.query import DEFAULT_ROWS, MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorcost.services.reconciliation import answers

app = typer.Typer(help="Billing months and their versions.", no_args_is_help=True)
_LISTED = 12
_MOST_LISTED = 120


@app.callback()
def months() -> None:
    """Billing months: what is billed and explained, and what changed from version to version."""


@app.command("list")
def list_months(
    tenant: Tenant,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="Months to show.")] = _LISTED,
    as_json: Json = False,
) -> None:
    """Months, the newest first: their state, and billed, attributed, neither."""
    from tensorcost.gateway.routes.reconciliation_shapes import month_json

    found = run(_months(tenant, as_of, limit + 1))
    shown, has_more = found[:limit], len(found) > limit
    if as_json:
        listed = [month_json(month) for month in shown]
        emit_json({"schema": "tensorcost.months/1", "months": listed, "has_more": has_more})
        return
    show_months(shown)
    if has_more:
        talk.print(f"the newest {limit} months: raise --limit to see more")


@app.command("show")
def show(tenant: Tenant, period: Month, as_of: AsOf = None, as_json: Json = False) -> None:
    """One month: its versions, and every export that bills it, counted or not."""
    from tensorcost.gateway.routes.reconciliation_shapes import detail_json

    found = run(_month(tenant, period, as_of))
    if as_json:
        emit_json({"schema": "tensorcost.month/1", **detail_json(found)})
    else:
        show_month(found, is_past=as_of is not None)


@app.command("diff")
def diff(
    tenant: Tenant,
    period: Month,
    former: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=0,
            help="A version; 0 is what was known before the first. Default: the one before --to.",
        ),
    ] = None,
    latter: Annotated[
        int | None, typer.Option("--to", min=0, help="A version. Default: the newest.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_ROWS, help="Changes to show.")
    ] = DEFAULT_ROWS,
    as_json: Json = False,
) -> None:
    """What one version changed against another: signed, by account, model and class."""
    from tensorcost.gateway.routes.reconciliation_shapes import difference_json

    found = run(_difference(tenant, period, former, latter, limit))
    if as_json:
        emit_json({"schema": "tensorcost.difference/1", **difference_json(found)})
    else:
        show_difference(found)


async def _months(tenant: str, as_of: str | None, limit: int) -> "Sequence[answers.Month]":
    from tensorcost.cli.month_reads import month_reads

    async with month_reads(tenant) as (months, caller):
        return await months.periods(caller, limit=limit, as_of=as_of)


async def _month(tenant: str, period: str, as_of: str | None) -> "answers.MonthDetail":
    from tensorcost.cli.month_reads import month_reads

    async with month_reads(tenant) as (months, caller):
        return await months.period(caller, period, as_of)


async def _difference(
    tenant: str, period: str, former: int | None, latter: int | None, limit: int
) -> "answers.Difference":
    from tensorcost.cli.month_reads import month_reads

    async with month_reads(tenant) as (months, caller):
        return await months.difference(caller, period, former=former, latter=latter, limit=limit)
