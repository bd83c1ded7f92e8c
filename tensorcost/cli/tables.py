"""The tables of every command: what is copied from one, an id or an amount, is never cut."""

from collections.abc import Collection
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_UNBOUNDED: Final = 100_000
_PROSE: Final = 16
"""So narrow may a column of prose become before the table is wider than the terminal."""


def data_table(*columns: str, right: Collection[str] = (), text: Collection[str] = ()) -> Table:
    """A table without lines. Columns in ``right`` are figures; those in ``text`` are prose, which
    goes on in the next line where a terminal is narrow. All others stay whole."""
    table = Table(box=None)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name not in text,
            overflow="fold",
        )
    return table


def table_out() -> Console:
    """Standard output for tables that are an answer."""
    return Console(highlight=False, markup=False, emoji=False)


def show_table(table: Table, out: Console) -> None:
    """Print the table as wide as it must be: a file has no width, and a terminal wraps lines by
    itself that are longer. Cells are text, whatever looks like markup in them."""
    usual = out.width
    out.width = max(usual, _width(table, out, narrow=out.is_terminal))
    out.print(table, markup=False)
    out.width = usual


def _width(table: Table, out: Console, *, narrow: bool) -> int:
    """What the table takes, its prose on one line or (``narrow``) as narrow as it goes."""
    prose = [column for column in table.columns if narrow and not column.no_wrap]
    for column in prose:
        column.max_width = _PROSE
    unbounded = out.options.update(width=_UNBOUNDED, markup=False)
    wanted = Measurement.get(out, unbounded, table).maximum
    for column in prose:
        column.max_width = None
    return wanted
