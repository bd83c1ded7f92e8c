"""``tensorcost bill``: the single lines of a reconciled month's bill, behind each gap."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tensorcost.cli.console import emit_json, run, talk
from tensorcost.cli.cost import operator_of
from tensorcost.cli.tables import data_table, show_table
from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.services.reconciliation.asking import LinesAsk
    from tensorcost.storage.reconciliation.bill_lines import LineOnBill

_COLUMNS = ("day", "account", "model", "class", "type", "product", "usage type", "invoice")
_FIGURES = ("unblended", "currency")
_MOST = 10_000


def bill(
    tenant: Annotated[str, typer.Option(help="Id or slug of the tenant.")],
    period: Annotated[str, typer.Option(help="A reconciled billing month as YYYY-MM.")],
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Lines of this day (UTC).")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Lines of this account.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Lines of this model; '' for those that name none.")
    ] = None,
    gap_class: Annotated[
        GapClass | None, typer.Option("--class", help="Lines that this class is about.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="Lines to show.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """The lines of the bill behind a month's ledger, as the provider wrote them."""
    from tensorcost.gateway.routes.bill_line_shapes import line_json
    from tensorcost.services.reconciliation.asking import LinesAsk

    start = day and day.date().isoformat()
    end = day and (day + timedelta(days=1)).date().isoformat()
    ask = LinesAsk(period, start, end, account=account, model_id=model, gap_class=gap_class)
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
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.services.reconciliation.lines import BillReads

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        reads = BillReads(door.db, lambda: datetime.now(UTC))
        return await reads.bill_lines(operator_of(tenant_id), ask, limit=limit)


def _show(lines: "Sequence[LineOnBill]") -> None:
    table = data_table(*_COLUMNS, *_FIGURES, right=_FIGURES[:1])
    for line in lines:
        table.add_row(
            line.day.isoformat(),
            line.cell.account_id,
            line.cell.model_id,
            line.line_class.value,
            line.line_item_type,
            line.product_code,
            line.usage_type,
            line.invoice_id,
            format_nano(line.money.unblended),
            line.currency,
        )
    show_table(table, Console(highlight=False))
