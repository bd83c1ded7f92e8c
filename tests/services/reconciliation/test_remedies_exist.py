"""What remedies tell people to do can be done: every command and route that they name is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tensorcost.cli.main import app
from tensorcost.domain.cost.reconciliation import remedies, shortfall, silence
from tensorcost.domain.cost.reconciliation.drifted_price import name_price
from tests.support.reconciled import PLACE

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
CODE = re.compile(r"`([^`]*)`")
PROMISES = ("tell us", "Set the month's", "fleet attribution", "contact us")
"""What was once said of things that nothing offers."""


def texts() -> Iterator[str]:
    for known in (*remedies.EXPLANATIONS.values(), remedies.UNPRICED_EXCESS):
        yield f"{known.meaning} {known.remedy}"
    yield from remedies.BY_HINT.values()
    yield from (remedies.BY_THE_HOUR, remedies.PROBABLY_LOGGED)
    yield from shortfall.REMEDIES.values()
    yield from silence.REMEDIES.values()
    yield name_price(PLACE, {"row_scopes": "in_region", "row_tiers": "standard"})


def named() -> list[str]:
    return sorted({code for text in texts() for code in CODE.findall(text)})


def test_routes_and_commands_are_named_at_all() -> None:
    assert any(code.startswith("GET ") for code in named())
    assert any(code.startswith("tensorcost ") for code in named())


@pytest.mark.parametrize("code", named())
def test_what_a_remedy_names_is_there(code: str) -> None:
    first, *rest = code.split()
    if first == "tensorcost":
        command = typer.main.get_command(app)
        while isinstance(command, TyperGroup):
            assert rest, code
            command = command.commands[rest.pop(0)]
        options = {option for one in command.params for option in one.opts}
        assert {word for word in rest if word.startswith("--")} <= options
        return
    paths = json.loads(OPENAPI.read_text())["paths"]
    assert rest, code
    assert first.lower() in paths[rest[0]], code


@pytest.mark.parametrize("promise", PROMISES)
def test_no_remedy_asks_for_what_nobody_offers(promise: str) -> None:
    assert [text for text in texts() if promise in text] == []
