"""What an operator reads of a run in the Temporal UI."""

from datetime import date

from tensorcost.domain.cost.contracts import FailedMonth, MonthTotals, ReconciliationReport
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.cost.reconciliation.told import months_markdown

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def report(period: date, version: int | None, *totals: MonthTotals) -> ReconciliationReport:
    return ReconciliationReport(
        period=period,
        state=PeriodState.CLOSING,
        version=version,
        former=2,
        closed_until=period,
        days=31,
        days_changed=4,
        totals=totals,
    )


def total(currency: str) -> MonthTotals:
    return MonthTotals(
        currency=currency,
        billed="5.4",
        attributed="4.1",
        unattributed={},
        difference="0",
        estimate="4",
        gaps={},
    )


def test_there_is_a_line_for_each_month_and_currency_the_newest_first() -> None:
    text = months_markdown(
        [report(SEPTEMBER, None), report(OCTOBER, 3, total("EUR"), total("USD"))], []
    )
    assert [line for line in text.splitlines() if line.startswith("| 2026")] == [
        "| 2026-10 | closing | 3 | 31 | 4 | EUR | 5.4 | 4.1 | 0 |",
        "| 2026-10 | closing | 3 | 31 | 4 | USD | 5.4 | 4.1 | 0 |",
        "| 2026-09 | closing | 2, unchanged | 31 | 4 | | | | |",
    ]


def test_a_version_names_what_made_it() -> None:
    made = report(OCTOBER, 3).model_copy(update={"causes": (Cause.BILL, Cause.RULES)})
    assert "| 2026-10 | closing | 3: bill, rules | 31 | 4 |" in months_markdown([made], [])


def test_what_was_given_up_cannot_leave_its_fence() -> None:
    text = months_markdown([], [FailedMonth(period=OCTOBER, code="X", error="a ` b")], "2026-09")
    assert "- 2026-10: ``a ` b``" in text
    assert text.endswith("In work: 2026-09")
