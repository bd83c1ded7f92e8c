"""``tensorcost doctor``: what is missing on this machine, and how to get it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tensorcost.cli.console import EXIT_FAILED, emit_json, run, talk
from tensorcost.cli.tables import data_table, show_table
from tensorcost.runtime.settings import Settings

if TYPE_CHECKING:
    from tensorcost.runtime.doctor_servers import Addresses

_COLOUR = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check programs, wheels, ports and configured servers; exit 1 when something is missing."""
    from tensorcost.runtime.doctor import Machine, Status, collect

    checks = run(collect(Machine(addresses=_addresses(Settings()))))
    if as_json:
        emit_json({"checks": [asdict(check) for check in checks]})
    else:
        prose = ("for", "found", "how to get it")
        table = data_table("check", "status", *prose, text=prose)
        for check in checks:
            status = Text(check.status, _COLOUR[check.status])
            table.add_row(check.name, status, check.purpose, check.detail, check.remedy)
        show_table(table, talk)
    if any(check.status is Status.MISSING for check in checks):
        raise typer.Exit(EXIT_FAILED)


def _addresses(settings: Settings) -> "Addresses":
    from tensorcost.runtime.doctor_servers import Addresses

    def plain(name: str) -> str | None:
        value = getattr(settings, name)
        return None if value is None else value.get_secret_value()

    return Addresses(
        database_url=plain("database_url"),
        redis_url=plain("redis_url"),
        temporal_address=settings.temporal_address,
        temporal_namespace=settings.temporal.namespace,
    )
