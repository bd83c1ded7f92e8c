"""What is copied from a table is never cut, whatever the width of the terminal."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from tensorcost.cli.tables import data_table, show_table

ID = "01a20038-c51b-7aaa-9bbb-0123456789ab"
MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
AMOUNT = "1234567.123456789"
ADVICE = "deploy the role to every account that has none and preview the accounts again"


def shown(table: Table, *, width: int, is_terminal: bool) -> str:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=is_terminal, color_system=None)
    show_table(table, console)
    assert console.width == width, "what is printed next is as wide as before"
    return out.getvalue()


def test_what_looks_like_markup_is_text() -> None:
    table = data_table("team", "cost")
    table.add_row("care [old] [/b]", "1")
    assert "care [old] [/b]  1" in shown(table, width=20, is_terminal=False)


def filled() -> Table:
    table = data_table("id", "model", "cost USD", "advice", right=("cost USD",), text=("advice",))
    table.add_row(ID, MODEL, AMOUNT, ADVICE)
    table.add_row("", "", "in all", "")
    return table


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_ids_names_and_amounts_stay_whole(width: int, is_terminal: bool) -> None:
    text = shown(filled(), width=width, is_terminal=is_terminal)
    assert all(whole in text for whole in (ID, MODEL, AMOUNT))
    assert "…" not in text
    assert all(word in text for word in ADVICE.split())


def test_a_file_has_a_line_a_row_and_a_terminal_goes_on_in_the_next() -> None:
    (_, first, _) = shown(filled(), width=80, is_terminal=False).splitlines()
    assert ADVICE in first
    narrow = shown(filled(), width=120, is_terminal=True).splitlines()
    assert len(narrow) > 3
    assert max(map(len, narrow)) <= 120


def test_figures_end_at_the_same_place() -> None:
    (_, first, second) = shown(filled(), width=200, is_terminal=False).splitlines()
    assert first.index(AMOUNT) + len(AMOUNT) == second.index("in all") + len("in all")
