"""What every command shares: where text goes, how failures end, how JSON is written."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import orjson
import typer
from rich.console import Console
from rich.text import Text

from tensorcost.domain.errors import DomainError

T = TypeVar("T")

talk = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""Progress and explanations. Standard output carries data alone. Names of files, models and teams
may hold anything: what looks like markup in them is text."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REJECTS = 3
"""Done, and part of what was given was rejected."""
EXIT_REFUSED = 4
"""Nothing was taken, or not of a bill, which is taken whole or not at all."""


def say(line: str) -> None:
    """One line of progress."""
    talk.print(line, style="dim")


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """Explain on standard error and end with ``code``."""
    talk.print(Text.assemble(("error:", "red"), " ", message), soft_wrap=True)
    raise typer.Exit(code)


def emit_json(value: Any) -> None:
    """One JSON object on one line of standard output."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; expected failures become one clear line and exit code 1."""
    try:
        return asyncio.run(work)
    except DomainError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
