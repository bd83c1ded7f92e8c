"""``tensorcost tenant``: tenants are an operator's act, through the audited platform role."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tensorcost.cli.console import emit_json, run, talk
from tensorcost.domain.identity.principal import Plan

if TYPE_CHECKING:
    from tensorcost.services.tenancy.create import CreatedTenant

app = typer.Typer(help="Tenants of this installation.", no_args_is_help=True)


@app.callback()
def tenants() -> None:
    """Tenants of this installation."""


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="The customer's name.")],
    owner_email: Annotated[str, typer.Option(help="Who administers it first.")],
    plan: Annotated[Plan, typer.Option(help="starter, growth or enterprise.")] = Plan.STARTER,
    slug: Annotated[str, typer.Option(help="Short name; made from the name if empty.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Create a tenant with its owner; prints the owner's one-time password."""
    made = run(_create(name, plan, owner_email, slug or None))
    if as_json:
        emit_json(
            {
                "tenant_id": str(made.tenant_id),
                "slug": made.slug,
                "owner_email": made.owner_email,
                "one_time_password": made.one_time_password,
                "invitation": made.invitation,
            }
        )
        return
    owner = f" {made.tenant_id}, owner {made.owner_email}"
    talk.print(Text.assemble("tenant ", (made.slug, "bold"), owner))
    if made.one_time_password is not None:
        talk.print("one-time password, shown only now:")
        typer.echo(made.one_time_password)
    else:
        talk.print("this person has an account already; their invitation, shown only now:")
        typer.echo(made.invitation)


async def _create(name: str, plan: Plan, owner_email: str, slug: str | None) -> "CreatedTenant":
    from tensorcost.cli.open import doors
    from tensorcost.providers.identity.passwords import Passwords
    from tensorcost.services.tenancy.create import create_tenant

    async with doors() as door:
        return await create_tenant(
            door.platform,
            Passwords(),
            lambda: datetime.now(UTC),
            name=name,
            plan=plan,
            owner_email=owner_email,
            slug=slug,
        )
