"""``tensorcost audit verify``: does the tenant's audit trail still say what was written?"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tensorcost.cli.console import EXIT_FAILED, EXIT_USAGE, emit_json, fail, run, talk

if TYPE_CHECKING:
    from tensorcost.domain.audit.chain import ChainHead
    from tensorcost.services.audit import ChainReport

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit trail."""


@app.command("verify")
def verify(
    tenant: Annotated[str, typer.Option(help="Id or slug of the tenant.")],
    head: Annotated[
        str,
        typer.Option(help="A head printed earlier, as NUMBER:HASH; shows a chain cut short."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Recompute the hash chain; exit 1 when an entry was changed, removed or put in."""
    report = run(_verify(tenant, head))
    if as_json:
        emit_json(_plain(report))
    else:
        talk.print(f"{report.sealed} entries sealed, {report.unsealed} overdue")
        for finding in report.findings:
            where = f" at {finding.chain_no}, entry {finding.entry_id}"
            talk.print(Text.assemble((finding.kind, "red"), where))
        state = ("intact", "green") if report.intact else ("tampered with", "red")
        talk.print(Text.assemble("the chain is ", state, f"; head {_text(report.head)}"))
    if not report.intact:
        raise typer.Exit(EXIT_FAILED)


async def _verify(tenant: str, head: str) -> "ChainReport":
    from tensorcost.cli.open import doors, find_tenant
    from tensorcost.services.audit import verify_chain

    remembered = _head(head) if head else None
    async with doors() as door:
        tenant_id = await find_tenant(door.platform, tenant)
        return await verify_chain(
            door.db, tenant_id, lambda: datetime.now(UTC), remembered=remembered
        )


def _head(text: str) -> "ChainHead":
    from tensorcost.domain.audit.chain import ChainHead

    number, _, digest = text.partition(":")
    try:
        return ChainHead(int(number), bytes.fromhex(digest))
    except ValueError:
        fail(f"--head is NUMBER:HASH as printed before, not {text!r}", EXIT_USAGE)


def _text(head: "ChainHead") -> str:
    return f"{head.chain_no}:{head.hash.hex()}"


def _plain(report: "ChainReport") -> dict[str, object]:
    return {
        "intact": report.intact,
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "head": _text(report.head),
        "findings": [
            {"chain_no": f.chain_no, "entry_id": f.entry_id, "kind": f.kind.value}
            for f in report.findings
        ],
    }
