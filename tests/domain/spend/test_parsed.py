"""Rows know their lines, whatever stands between them."""

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.parsed import ParsedSpend, line_of


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 100))
def test_every_row_is_placed_at_its_line(taken: list[bool], first: int) -> None:
    parsed = ParsedSpend(Grain.REQUEST)
    lines: list[int] = []
    for number, is_row in enumerate(taken, start=first):
        parsed.mark_line(len(lines), number)
        if is_row:
            lines.append(number)
    assert [line_of(parsed.lines, row) for row in range(len(lines))] == lines


def test_lines_that_count_up_with_their_rows_are_kept_once() -> None:
    parsed = ParsedSpend(Grain.REQUEST)
    for row in range(1000):
        parsed.mark_line(row, row + 2)
    assert parsed.lines == [(0, 2)]
    assert line_of([], 5) == 0, "a row of a source without lines"
