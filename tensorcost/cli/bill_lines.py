"""``tensorcost bill``: the single lines of a reconciled month's bill, behind each gap."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tensorcost.cli.console import emit_json, run, talk
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
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.services.reconciliation.asking import LinesAsk
    from tensorcost.storage.reconciliation.bill_lines import LineOnBill

_PLACE = ("day", "account", "region", "model")
_LINE = ("class", "type", "product", "usage type", "invoice")
_FIGURES = ("unblended", "currency")


def bill(  # noqa: PLR0913, PLR0917 - one parameter an option
    tenant: Tenant,
    period: Month,
    day: Day = None,
    start: FirstDay = None,
    end: EndDay = None,
    account: Account = None,
    region: Region = None,
    model: Model = None,
    gap_class: Class = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="Lines to show.")] = 100,
    as_json: Json = False,
) -> None:
    """The lines of the bill behind a month's ledger, as the provider wrote them."""
    from tensorcost.gateway.routes.bill_line_shapes import line_json
    from tensorcost.services.reconciliation.asking import LinesAsk

    first, after = days_of(day, start, end)
    ask = LinesAsk(
        period,
        first,
        after,
        as_of=as_of,
        account=account,
        region=region,
        model_id=model,
        gap_class=gap_class,
    )
    found = run(_lines(tenant, ask, limit + 1))
    lines, has_more = found[:limit], len(found) > limit
    if as_json:
        shown = [line_json(line) for line in lines]
        emit_json({"schema": "tensorcost.bill/1", "lines": shown, "has_more": has_more})
        return
    _show(lines)
    if has_more:
        talk.print(f"the first {limit} lines: raise --limit or name a day, account or class")


async def _lines(tenant: str, ask: "LinesAsk", limit: int) -> "Sequence[LineOnBill]":
    from tensorcost.cli.month_reads import month_reads

    async with month_reads(tenant) as (reads, caller):
        return await reads.bill_lines(caller, ask, limit=limit)


def _show(lines: "Sequence[LineOnBill]") -> None:
    table = data_table(*_PLACE, *_LINE, *_FIGURES, right=_FIGURES[:1])
    for line in lines:
        table.add_row(
            line.day.isoformat(),
            line.cell.account_id,
            line.cell.region,
            line.cell.model_id,
            line.line_class.value,
            line.line_item_type,
            line.product_code,
            line.usage_type,
            line.invoice_id,
            format_nano(line.money.unblended),
            line.currency,
        )
    show_table(table, table_out())
