"""``tensorcost schema``: writes the published GraphQL schema and OpenAPI document anew."""

from pathlib import Path
from typing import Annotated

import typer

from tensorcost.cli.console import say


def schema(
    folder: Annotated[Path, typer.Argument(help="Where the documents go.")] = Path("docs"),
) -> None:
    """Write schema.graphql and openapi.json; tests compare the committed ones with the code."""
    from tensorcost.gateway.blueprint import published
    from tensorcost.graphql.schema import print_schema

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schema.graphql").write_text(print_schema())
    (folder / "openapi.json").write_bytes(published())
    say(f"wrote {folder / 'schema.graphql'} and {folder / 'openapi.json'}")
