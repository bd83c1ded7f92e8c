"""``tensorcost import``: bring your own export, with Postgres alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tensorcost.cli.console import EXIT_USAGE, emit_json, fail, run, say, talk
from tensorcost.cli.reconcile import reconcile_inline, show_reconciliation
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.providers.exports.event_spec import CachedTokens, parse_assignments

if TYPE_CHECKING:
    from tensorcost.activities.ingest.files import FileImport

_SHOWN_REJECTS = 20


def import_files(
    path: Annotated[Path, typer.Argument(help="A file, or a folder of files.")],
    file_format: Annotated[FileFormat, typer.Option("--format", help="What the files are.")],
    tenant: Annotated[str, typer.Option(help="Id or slug of an existing tenant.")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="events: field=column, repeatable.")
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="events: field=value for every row.")
    ] = None,
    cached: Annotated[
        CachedTokens, typer.Option(help="events: cached tokens are in input_tokens, or beside.")
    ] = CachedTokens.BESIDE,
    export: Annotated[
        str,
        typer.Option(help="Bills: name of the export; a later file of it restates its periods."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Load files through the same parsing, pricing and loading as the connections.

    Months that a bill covers are then reconciled.
    """
    from tensorcost.activities.ingest.files import FileImport

    try:
        wanted = FileImport(
            path=path,
            format=file_format,
            mapping=parse_assignments("--map", mapping or ()),
            constants=parse_assignments("--set", constants or ()),
            cached=cached,
            export_name=export,
        )
    except ValidationFailed as error:
        fail(error.message, EXIT_USAGE)
    summary = run(_import(tenant, wanted))
    if as_json:
        emit_json(summary)
    else:
        _show(summary)


async def _import(tenant: str, wanted: "FileImport") -> dict[str, Any]:
    from tensorcost.activities.ingest.bills import BillIngest
    from tensorcost.activities.ingest.files import FileImporter
    from tensorcost.activities.ingest.pipeline import SpendIngest
    from tensorcost.activities.ingest.prices import PriceBooks
    from tensorcost.activities.ingest.summary import import_summary
    from tensorcost.cli.open import doors, find_tenant

    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        importer = FileImporter(
            door.db,
            SpendIngest(door.db, PriceBooks(door.db)),
            BillIngest(door.db),
            lambda: datetime.now(UTC),
        )
        report = await importer.load(
            tenant_id, wanted, lambda file, at, of: say(f"reading {file.name} ({at + 1} of {of})")
        )
        summary = await import_summary(door.db, tenant_id, report)
        summary["reconciliation"] = await reconcile_inline(door.db, tenant_id)
        return summary


def _show(summary: dict[str, Any]) -> None:
    rows = summary["rows"]
    talk.print(
        f"[bold]{rows['read']}[/bold] rows read, {rows['accepted']} accepted, "
        f"{rows['duplicate']} duplicate, {rows['rejected']} rejected"
    )
    for reject in summary["rejects"][:_SHOWN_REJECTS]:
        talk.print(
            f"  {reject['file']}:{reject['line']} {reject['reason']} {reject['detail']}",
            style="yellow",
        )
    table = Table("model", "requests or lines", "input", "output", "cost", box=None)
    for row in summary["by_model"]:
        table.add_row(*_cells(row))
    talk.print(table)
    totals, unpriced = summary["totals"], summary["unpriced"]
    talk.print(f"priced in all: [bold]{totals['cost_usd']} USD[/bold]")
    for currency, amount in totals["billed"].items():
        talk.print(f"billed in all: [bold]{amount} {currency}[/bold]")
    talk.print(f"unpriced: {unpriced['requests']} requests, {unpriced['tokens']} tokens")
    for group in unpriced["models"]:
        talk.print(f"  {group['model_id']}: {group['reason']}, {group['rows']} rows")
    if summary["reconciliation"]["periods"]:
        show_reconciliation(summary["reconciliation"], talk)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    model = row["model_id"] or "(no model)"
    if "billed" in row:
        amount = f"{row['billed']} {row['currency']}"
        return model, str(row["lines"]), "", "", amount if row["in_scope"] else f"{amount} *"
    tokens = (str(row["input_tokens"]), str(row["output_tokens"]))
    cost = "unpriced" if row["cost_usd"] is None else f"{row['cost_usd']} USD"
    return model, str(row["requests"]), *tokens, cost
