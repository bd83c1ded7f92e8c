"""``tensorcost reconcile``: spend held against the bill, with Postgres alone."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tensorcost.cli.bills import show_uncounted
from tensorcost.cli.console import EXIT_USAGE, emit_json, fail, run, say, talk
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.errors import ValidationFailed

if TYPE_CHECKING:
    from tensorcost.domain.ids import TenantId
    from tensorcost.storage.session import Database

_MOST_RESTATED = 10


def reconcile(
    tenant: Annotated[str, typer.Option(help="Id or slug of the tenant.")],
    period: Annotated[
        str, typer.Option(help="A billing month as YYYY-MM; default every month that is due.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Hold logged usage against the bill, day by day, to the last nano-dollar."""
    from tensorcost.domain.cost.reconciliation.months import month_of

    try:
        month = month_of(period) if period else None
    except ValidationFailed as error:
        fail(error.message, EXIT_USAGE)
    summary = run(_reconcile(tenant, month))
    if as_json:
        emit_json({"schema": "tensorcost.reconcile/1", "reconciliation": summary})
    else:
        show_reconciliation(summary, table_out())
        show_uncounted(summary["uncounted"])
        show_older_rules(summary["older_rules"])


async def _reconcile(tenant: str, month: date | None) -> dict[str, Any]:
    from tensorcost.cli.open import doors, find_tenant

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        return await reconcile_inline(door.db, tenant_id, month)


async def reconcile_inline(
    db: "Database", tenant_id: "TenantId", month: date | None = None
) -> dict[str, Any]:
    """Reconcile ``month``, or every month that is due, in this process; the summary, with the
    bills that do not count and the months that keep what older rules made of them."""
    from tensorcost.activities.ingest.prices import PriceBooks
    from tensorcost.activities.reconciliation.reconciler import Reconciler
    from tensorcost.activities.reconciliation.summary import (
        older_rules_summary,
        reconciliation_summary,
        uncounted_summary,
    )
    from tensorcost.cli.open import OPERATOR
    from tensorcost.domain.cost.reconciliation.months import month_name
    from tensorcost.runtime.heap import settle_heap

    settle_heap()
    reconciler = Reconciler(db, PriceBooks(db), lambda: datetime.now(UTC))
    reports = []
    for period in [month] if month else await reconciler.due(tenant_id):
        say(f"reconciling {month_name(period)}")
        reports.append(await reconciler.reconcile(tenant_id, period, OPERATOR))
    uncounted = await uncounted_summary(db, tenant_id, None if month is None else [month])
    older = await older_rules_summary(db, tenant_id)
    return reconciliation_summary(reports) | {"uncounted": uncounted, "older_rules": older}


def show_older_rules(months: Sequence[str]) -> None:
    """The months that older rules made, and how to have them made anew."""
    if months:
        talk.print(
            f"by older rules: {', '.join(months)}; a final month stays so until it is asked for "
            f"(--period {months[0]})",
            soft_wrap=True,
        )


def show_reconciliation(summary: dict[str, Any], out: Console) -> None:
    """A table: one line a month, currency and share."""
    if not summary["periods"]:
        talk.print("no month is due for reconciliation")
        return
    named = ("month", "state", "version", "currency", "share", "amount")
    table = data_table(*named, right=("amount",))
    for month in summary["periods"]:
        of = (month["period"], month["state"], str(month["version"]), month["currency"])
        table.add_row(*of, "billed", month["billed"], style="bold")
        table.add_row("", "", "", "", "attributed", month["attributed"])
        for share, amount in month["unattributed"].items():
            table.add_row("", "", "", "", share, amount)
        table.add_row("", "", "", "", "difference", month["difference"])
    show_table(table, out)
    for month in summary["periods"]:
        if "rules" in month["causes"]:
            talk.print(f"{month['period']}: reconciled anew by newer rules")
        billed_anew = [one for one in month["restated"] if Decimal(one["billed"])]
        for one in billed_anew[:_MOST_RESTATED]:
            what = f"{one['billed']} {one['currency']} {one['line_class']}"
            where = f"account {one['account_id']} {one['model_id']}".rstrip()
            talk.print(f"{month['period']}: restated {what}, {where}")
        if month["shared_accounts"]:
            accounts = ", ".join(month["shared_accounts"])
            talk.print(f"{month['period']}: two payers bill {accounts}", style="yellow")
