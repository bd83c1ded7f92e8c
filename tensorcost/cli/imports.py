"""``tensorcost import``: bring your own export, with Postgres alone."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensorcost.cli.bills import show_bills, show_uncounted
from tensorcost.cli.console import (
    EXIT_REFUSED,
    EXIT_REJECTS,
    EXIT_USAGE,
    emit_json,
    fail,
    run,
    say,
    talk,
)
from tensorcost.cli.reconcile import reconcile_inline, show_reconciliation
from tensorcost.cli.tables import data_table, show_table
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.reject_meanings import meaning_of
from tensorcost.providers.exports.event_spec import CachedTokens, parse_assignments

if TYPE_CHECKING:
    from tensorcost.activities.ingest.files import FileImport

_SHOWN_REJECTS = 20
_SHOWN_SKIPPED = 12


def import_files(  # noqa: PLR0913, PLR0917 - one parameter an option
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
    time_format: Annotated[
        str,
        typer.Option(
            help="events: form of timestamp, as %d/%m/%Y %H:%M. Default: ISO 8601, or seconds, "
            "ms, us or ns since 1970; a date as 05/10/2026 is never guessed."
        ),
    ] = "",
    export: Annotated[
        str,
        typer.Option(
            help="Bills: name of the export; a later bill under it replaces its months. Default: "
            "the name of the file, or of the folder that holds the export."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Load files through the same parsing, pricing and loading as the connections.

    The bill files of a folder are the parts of one bill; folders of billing months are one bill
    each. Months that a bill covers are then reconciled.

    Exits 0 only where everything was taken, now or before (duplicates are fine); 3 where rows,
    or files of a folder, were rejected; 4 where nothing was taken, or a bill was refused; 1 where
    it could not be done; 2 for options that cannot be read.
    """
    from tensorcost.activities.ingest.files import FileImport

    try:
        wanted = FileImport(
            path=path,
            format=file_format,
            mapping=parse_assignments("--map", mapping or ()),
            constants=parse_assignments("--set", constants or ()),
            cached=cached,
            time_format=time_format,
            export_name=export,
        )
    except ValidationFailed as error:
        fail(error.message, EXIT_USAGE)
    summary = run(_import(tenant, wanted))
    if as_json:
        emit_json(summary)
    else:
        again = (
            f"tensorcost import {shlex.quote(str(path))} --tenant {tenant} --format {file_format}"
        )
        _show(summary, again)
    if not summary["ok"]:
        raise typer.Exit(EXIT_REFUSED if _is_refused(summary) else EXIT_REJECTS)


def _is_refused(summary: Mapping[str, Any]) -> bool:
    """Nothing was taken, or a bill was not, which is taken whole or not at all."""
    rows = summary["rows"]
    is_bill_refused = any(bill["state"] == "refused" for bill in summary["bills"])
    return is_bill_refused or not rows["accepted"] + rows["duplicate"]


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
        _say_skipped(report.skipped)
        summary = await import_summary(door.db, tenant_id, report, datetime.now(UTC))
        summary["reconciliation"] = await reconcile_inline(door.db, tenant_id)
        return summary


def _say_skipped(names: Sequence[str]) -> None:
    for name in names[:_SHOWN_SKIPPED]:
        say(f"skipped {name}")
    if len(names) > _SHOWN_SKIPPED:
        say(f"and {len(names) - _SHOWN_SKIPPED} more that hold no data: see them with --json")


def _show(summary: dict[str, Any], again: str) -> None:
    rows = summary["rows"]
    talk.print(
        f"{rows['read']} rows read, {rows['accepted']} accepted, "
        f"{rows['duplicate']} duplicate, {rows['rejected']} rejected"
        + (f", {rows['withheld']} withheld" if rows["withheld"] else "")
    )
    for reject in summary["rejects"][:_SHOWN_REJECTS]:
        talk.print(f"  {reject_line(reject)}", style="yellow", soft_wrap=True)
    if len(summary["rejects"]) > _SHOWN_REJECTS:
        talk.print(f"  and {rows['rejected'] - _SHOWN_REJECTS} more: see them with --json")
    for name in summary["refused"]:
        talk.print(f"nothing of {name} was taken", style="yellow")
    figures = ("requests or lines", "input", "output", "cost")
    table = data_table("model", *figures, right=figures)
    for row in summary["by_model"]:
        table.add_row(*_cells(row))
    show_table(table, talk)
    if any("billed" in row and not row["in_scope"] for row in summary["by_model"]):
        talk.print("* not AI usage", style="dim")
    totals, unpriced = summary["totals"], summary["unpriced"]
    talk.print(f"priced in all: {totals['cost_usd']} USD", style="bold")
    for currency, amount in totals["billed"].items():
        talk.print(f"billed in all: {amount} {currency}", style="bold")
    talk.print(f"unpriced: {unpriced['requests']} requests, {unpriced['tokens']} tokens")
    for group in unpriced["models"]:
        talk.print(f"  {group['model_id']}: {group['reason']}, {group['rows']} rows")
    if summary["reconciliation"]["periods"]:
        show_reconciliation(summary["reconciliation"], talk)
    for copy in summary["copies"]:
        talk.print(f"{copy} has the same content as another file, and is read once", style="yellow")
    show_bills(summary["bills"], again)
    named = {(bill["period"], bill["export"]) for bill in summary["bills"]}
    months = {bill["period"] for bill in summary["bills"]}
    show_uncounted(
        one
        for one in summary["reconciliation"]["uncounted"]
        if one["period"] in months and (one["period"], one["export"]) not in named
    )


def reject_line(reject: Mapping[str, Any]) -> str:
    """Where it is, its code, and what that means: ``a.csv:7 not_json (the line is ...)``."""
    place = f"{reject['file']}:{reject['line']}" if reject["line"] else reject["file"]
    meaning = meaning_of(reject["reason"])
    told = f"{place} {reject['reason']}" + (f" ({meaning})" if meaning else "")
    return f"{told}: {reject['detail']}" if reject["detail"] else told


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    model = row["model_id"] or "(no model)"
    if "billed" in row:
        amount = f"{row['billed']} {row['currency']}"
        return model, str(row["lines"]), "", "", amount if row["in_scope"] else f"{amount} *"
    tokens = (str(row["input_tokens"]), str(row["output_tokens"]))
    cost = "unpriced" if row["cost_usd"] is None else f"{row['cost_usd']} USD"
    return model, str(row["requests"]), *tokens, cost
