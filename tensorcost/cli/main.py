"""The command tree. Each module of this folder holds one group of commands."""

import typer

from tensorcost import __version__
from tensorcost.cli import (
    accounts,
    audit,
    bill_lines,
    cost,
    coverage,
    database,
    doctor,
    imports,
    ledger,
    months,
    prices,
    reconcile,
    schema,
    serve,
    tenants,
)

app = typer.Typer(
    name="tensorcost",
    help="AI cost governance: attribute, explain and govern every dollar of AI spend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tenants.app, name="tenant")
app.add_typer(prices.app, name="prices")
app.add_typer(audit.app, name="audit")
app.add_typer(accounts.app, name="accounts")
app.add_typer(months.app, name="months")
app.command("cost")(cost.cost)
app.command("bill")(bill_lines.bill)
app.command("ledger")(ledger.ledger)
app.command("coverage")(coverage.coverage)
app.command("import")(imports.import_files)
app.command("reconcile")(reconcile.reconcile)
app.command("migrate")(database.migrate)
app.command("up")(serve.up)
app.command("api")(serve.api)
app.command("worker")(serve.worker)
app.command("codec")(serve.codec)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point of the ``tensorcost`` command."""
    app()
