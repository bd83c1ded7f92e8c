"""Options that ``ledger`` and ``bill`` share: the month, its days and its places."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from tensorcost.cli.console import EXIT_USAGE, fail
from tensorcost.domain.cost.reconciliation.facts import GapClass

MOST_ROWS = 10_000
Tenant = Annotated[str, typer.Option(help="Id or slug of the tenant.")]
Month = Annotated[str, typer.Option(help="A reconciled billing month as YYYY-MM.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="This day (UTC) alone.")]
FirstDay = Annotated[str | None, typer.Option("--from", help="First day (UTC) within the month.")]
EndDay = Annotated[str | None, typer.Option("--to", help="Day after the last.")]
Account = Annotated[str | None, typer.Option(help="Of this account.")]
Region = Annotated[str | None, typer.Option(help="Of this region; '' for what names none.")]
Model = Annotated[str | None, typer.Option(help="Of this model; '' for what names none.")]
Class = Annotated[GapClass | None, typer.Option("--class", help="What this class is about.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Answer with what was known at the end of a day.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def days_of(
    day: datetime | None, start: str | None, end: str | None
) -> tuple[str | None, str | None]:
    """``[start, end)`` as asked for; ends the command where ``day`` says it too."""
    if day is None:
        return start, end
    if start is not None or end is not None:
        fail("--day is one day: name it or --from and --to, not both", EXIT_USAGE)
    return day.date().isoformat(), (day + timedelta(days=1)).date().isoformat()
