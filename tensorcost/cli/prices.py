"""``tensorcost prices``: the effective-dated price catalogue."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tensorcost.cli import rerating
from tensorcost.cli.console import EXIT_USAGE, emit_json, fail, run, talk
from tensorcost.cli.price_matches import show_matches

if TYPE_CHECKING:
    from tensorcost.activities.ingest.price_import import PriceImportReport

app = typer.Typer(help="The price catalogue.", no_args_is_help=True)
app.add_typer(rerating.app, name="rerate")


@app.callback()
def prices() -> None:
    """The price catalogue."""


@app.command("import")
def import_prices(
    file: Annotated[
        Path | None,
        typer.Argument(help="LiteLLM-shaped price map (JSON, gzip or not).", dir_okay=False),
    ] = None,
    effective: Annotated[
        str, typer.Option(help="Date (UTC) from which these prices hold, as YYYY-MM-DD.")
    ] = "",
    tenant: Annotated[
        str, typer.Option(help="Import as this tenant's own prices (id or slug).")
    ] = "",
    source: Annotated[str, typer.Option(help="Where the figures are from.")] = "",
    builtin: Annotated[bool, typer.Option("--builtin", help="The shipped lists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Import a price map: into the global list, or with --tenant as that tenant's override."""
    if builtin == (file is not None):
        fail("give either FILE or --builtin", EXIT_USAGE)
    reports = run(_import(_read(file), effective, tenant, source or (file.name if file else "")))
    if as_json:
        emit_json({"imports": [_plain(report) for report in reports]})
        return
    for report in reports:
        state = "imported" if report.new else "was there already"
        talk.print(
            f"price version {report.version} ({report.source}, from "
            f"{report.effective_from:%Y-%m-%d}) {state}: {report.prices} prices of "
            f"{report.models} models"
        )
        for reason, count in report.skipped.items():
            talk.print(f"  left out {count}: {reason}", style="dim")
        for model, field in report.unknown:
            talk.print(f"  unknown price field {field} of {model}", style="yellow")
        show_matches(report.matches)
    if any(report.new and not _is_idle(report) for report in reports):
        talk.print(
            "the workers hold stored rows against them, beginning within a minute or so; what "
            "changes or would is then listed by tensorcost prices rerate list"
            + (f" --tenant {tenant}" if tenant else "")
            + ", which is empty until then",
            soft_wrap=True,
        )


def _is_idle(report: "PriceImportReport") -> bool:
    """A tenant's prices that no stored row takes a price from."""
    return bool(report.matches) and all(match.is_idle for match in report.matches)


def _read(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", EXIT_USAGE)


async def _import(
    raw: bytes | None, effective: str, tenant: str, source: str
) -> list["PriceImportReport"]:
    from tensorcost.activities.ingest.price_import import (
        import_builtin_lists,
        import_overrides,
        import_price_list,
    )
    from tensorcost.cli.open import doors, find_tenant, operator

    since = _date(effective) if raw is not None else None
    async with doors() as door:
        if raw is None or since is None:
            return await import_builtin_lists(door.platform, actor=operator())
        if not tenant:
            return [await import_price_list(door.platform, raw, source, since, actor=operator())]
        owner = await find_tenant(door.platform, tenant)
        return [await import_overrides(door.db, owner, raw, source, since, actor=operator())]


def _date(text: str) -> datetime:
    if not text:
        fail("--effective YYYY-MM-DD is needed: no price holds before its date", EXIT_USAGE)
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fail(f"--effective must be YYYY-MM-DD, not {text}", EXIT_USAGE)


def _plain(report: "PriceImportReport") -> dict[str, object]:
    from tensorcost.gateway.routes.price_shapes import matches_json

    return {
        "version": report.version,
        "new": report.new,
        "source": report.source,
        "effective_from": report.effective_from.date().isoformat(),
        "prices": report.prices,
        "models": report.models,
        "skipped": report.skipped,
        "unknown": [list(pair) for pair in report.unknown],
        "conflicts": report.conflicts,
        "matches": matches_json(report.matches),
        "idle_models": sum(match.is_idle for match in report.matches),
    }
