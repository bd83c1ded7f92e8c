"""``tensorcost ledger``: a reconciled month by day and place, and why each differs."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tensorcost.cli.console import EXIT_USAGE, emit_json, fail, run, talk
from tensorcost.cli.places import (
    MOST_ROWS,
    Account,
    AsOf,
    Class,
    Day,
    EndDay,
    FirstDay,
    Json,
    Model,
    Month,
    Region,
    Tenant,
    days_of,
)
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.money import format_nano, nano_from_decimal

if TYPE_CHECKING:
    from tensorcost.services.reconciliation.asking import LedgerAsk
    from tensorcost.storage.reconciliation.ledger import LedgerRow

_PLACE = ("day", "account", "region", "model", "currency")
_FIGURES = ("billed", "attributed", "estimate")


def ledger(  # noqa: PLR0913, PLR0917 - one parameter an option
    tenant: Tenant,
    period: Month,
    day: Day = None,
    start: FirstDay = None,
    end: EndDay = None,
    account: Account = None,
    region: Region = None,
    model: Model = None,
    gap_class: Class = None,
    min_gap: Annotated[
        str | None,
        typer.Option(help="Rows of which a class (the one asked for) is this much, up or down."),
    ] = None,
    order: Annotated[
        Literal["day", "amount"],
        typer.Option(help="The newest day, or the largest amount of a class, first."),
    ] = "day",
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="Rows to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Logged against billed by day, account, region and model; each gap by class."""
    from tensorcost.gateway.routes.reconciliation_shapes import row_json
    from tensorcost.services.reconciliation.asking import LedgerAsk
    from tensorcost.storage.reconciliation.ledger import LedgerOrder

    first, after = days_of(day, start, end)
    ask = LedgerAsk(
        period,
        first,
        after,
        as_of=as_of,
        account=account,
        region=region,
        model_id=model,
        gap_class=gap_class,
        min_gap_nano=None if min_gap is None else _amount(min_gap),
        order=LedgerOrder(order),
    )
    found = run(_rows(tenant, ask, limit + 1))
    rows, has_more = found[:limit], len(found) > limit
    if as_json:
        shown = [row_json(row) for row in rows]
        emit_json({"schema": "tensorcost.ledger/1", "rows": shown, "has_more": has_more})
        return
    _show(rows)
    if has_more:
        talk.print(f"the first {limit} rows: raise --limit or name a day, account or class")


def _amount(text: str) -> int:
    try:
        return nano_from_decimal(Decimal(text))
    except (ArithmeticError, ValueError):
        fail(f"--min-gap takes an amount such as 0.01, not {text}", EXIT_USAGE)


async def _rows(tenant: str, ask: "LedgerAsk", limit: int) -> "Sequence[LedgerRow]":
    from tensorcost.cli.month_reads import month_reads

    async with month_reads(tenant) as (reads, caller):
        return await reads.ledger(caller, ask, limit=limit)


def _show(rows: "Sequence[LedgerRow]") -> None:
    """A line for each class of a row's gap; what the row is stands on its first."""
    table = data_table(*_PLACE, *_FIGURES, "class", "gap", right=(*_FIGURES, "gap"))
    for row in rows:
        total = row.total
        amounts = (total.billed.unblended, total.attributed.unblended, total.estimate_nano)
        begin = (row.day.isoformat(), *total.cell, total.currency, *map(format_nano, amounts))
        gaps = [(gap.gap_class.value, format_nano(gap.money.unblended)) for gap in row.gaps]
        for number, gap in enumerate(gaps or [("", "")]):
            table.add_row(*(begin if number == 0 else [""] * len(begin)), *gap)
    show_table(table, table_out())
