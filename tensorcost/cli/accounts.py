"""``tensorcost accounts preview``: who would be covered, before anything is deployed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tensorcost.cli.console import EXIT_FAILED, EXIT_USAGE, emit_json, fail, talk
from tensorcost.cli.tables import data_table, show_table
from tensorcost.domain.errors import DomainError
from tensorcost.domain.integration.onboarding import CONTROL_TOWER_JUMP_ROLE, DEFAULT_JUMP_ROLE
from tensorcost.domain.integration.states import Coverage

if TYPE_CHECKING:
    from tensorcost.providers.bedrock.account_preview import AccountPreview

app = typer.Typer(help="Accounts of an AWS organisation.", no_args_is_help=True)
_COLOUR = {Coverage.COVERED: "green", Coverage.SKIPPED: "dim"}


@app.callback()
def accounts() -> None:
    """Accounts of an AWS organisation."""


@app.command("preview")
def preview(
    role: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Jump role to try, by name; may be repeated. Without: {DEFAULT_JUMP_ROLE} and "
            f"{CONTROL_TOWER_JUMP_ROLE}."
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="Profile of your AWS configuration; else the default chain.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List which member accounts a connection would cover.

    Run it with your own credentials of the management account, before deploying the stack. It
    changes nothing: it lists the accounts and tries to enter each with a session that may only
    read. Exit 1 when active accounts would not be covered, 2 when they cannot be listed.
    """
    from tensorcost.providers.bedrock.account_preview import preview_accounts
    from tensorcost.runtime.bedrock import customer_sessions
    from tensorcost.runtime.settings import Settings

    tried = role or [DEFAULT_JUMP_ROLE, CONTROL_TOWER_JUMP_ROLE]
    try:
        found = preview_accounts(customer_sessions(Settings().aws, profile), tried)
    except DomainError as error:
        fail(str(error), EXIT_USAGE)
    if as_json:
        emit_json(_plain(found))
    else:
        _show(found)
    if found.lacking:
        raise typer.Exit(EXIT_FAILED)


def _show(found: "AccountPreview") -> None:
    table = data_table("account", "name", "coverage", "detail", text=("detail",))
    for account in found.accounts:
        colour = _COLOUR.get(account.coverage, "red")
        coverage = Text(account.coverage.value, colour)
        table.add_row(account.account_id, account.name, coverage, account.detail)
    show_table(table, talk)
    counted = _counts(found)
    talk.print(", ".join(f"{number} {name}" for name, number in counted.items() if number))
    for line in _advice(found):
        talk.print(line)


def _advice(found: "AccountPreview") -> list[str]:
    told = []
    if found.role != DEFAULT_JUMP_ROLE:
        told.append(f"Set OrganizationAccountAccessRoleName={found.role} when you connect.")
    if found.lacking:
        told.append(
            f"Deploy {found.role} to the accounts without it with a StackSet, trusting "
            f"{found.management_account}; until then nothing of them is read, and they are "
            "shown as not covered."
        )
    return told


def _counts(found: "AccountPreview") -> dict[str, int]:
    return {
        kind.value: sum(account.coverage is kind for account in found.accounts)
        for kind in Coverage
        if kind is not Coverage.UNKNOWN
    }


def _plain(found: "AccountPreview") -> dict[str, Any]:
    return {
        "management_account": found.management_account,
        "role": found.role,
        "counts": _counts(found),
        "accounts": [
            {
                "account_id": account.account_id,
                "name": account.name,
                "state": account.state,
                "joined_method": account.joined_method,
                "coverage": account.coverage.value,
                "roles": list(account.roles),
                "detail": account.detail,
            }
            for account in found.accounts
        ],
        "advice": _advice(found),
    }
