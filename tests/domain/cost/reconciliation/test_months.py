"""Months as people write them, and the state of one with several bills."""

from datetime import date

import pytest

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.months import least_settled, month_name, month_of
from tensorcost.domain.errors import ValidationFailed


@pytest.mark.parametrize(("text", "month"), [("2026-10", (2026, 10)), ("2000-01", (2000, 1))])
def test_a_month_is_read_and_written_alike(text: str, month: tuple[int, int]) -> None:
    assert month_of(text) == date(*month, 1)
    assert month_name(date(*month, 28)) == text


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-1", "2026-10-05", "1999-12", "20٢٦-10", "x" * 99],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValidationFailed, match="is not a month") as refused:
        month_of(text)
    assert refused.value.field == "period"


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ((), PeriodState.OPEN),
        ((PeriodState.FINAL,), PeriodState.FINAL),
        ((PeriodState.FINAL, PeriodState.CLOSING), PeriodState.CLOSING),
        ((PeriodState.CLOSING, PeriodState.FINAL, PeriodState.OPEN), PeriodState.OPEN),
    ],
)
def test_a_month_is_as_settled_as_its_least_settled_bill(
    states: tuple[PeriodState, ...], whole: PeriodState
) -> None:
    assert least_settled(states) is whole
