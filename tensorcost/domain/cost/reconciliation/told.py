"""A run of reconciliations as the Temporal UI shows it."""

from collections.abc import Sequence
from typing import Final

from tensorcost.domain.cost.contracts import FailedMonth, ReconciliationReport
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.integration.progress import MAX_DETAILS, fenced

_HEAD: Final = (
    "| month | state | version | days | changed | currency | billed | attributed | difference |",
    "|---|---|---:|---:|---:|---|---:|---:|---:|",
)


def months_markdown(
    months: Sequence[ReconciliationReport], failed: Sequence[FailedMonth], running: str = ""
) -> str:
    """One line a month and currency, the newest month first, then what went wrong."""
    lines = ["### Spend held against the bill", "", *_HEAD]
    for report in sorted(months, key=lambda report: report.period, reverse=True):
        lines += _lines(report)
    if failed:
        lines += ["", "Given up:"]
        lines += [f"- {month_name(one.period)}: {fenced(one.error)}" for one in failed]
    if running:
        lines += ["", f"In work: {running}"]
    return "\n".join(lines)[:MAX_DETAILS]


def _lines(report: ReconciliationReport) -> list[str]:
    version = f"{report.former}, unchanged" if report.version is None else str(report.version)
    if report.causes:
        version += f": {', '.join(report.causes)}"
    head = (
        f"| {month_name(report.period)} | {report.state.value} | {version} "
        f"| {report.days} | {report.days_changed} "
    )
    if not report.totals:
        return [f"{head}| | | | |"]
    return [
        f"{head}| {total.currency} | {total.billed} | {total.attributed} | {total.difference} |"
        for total in report.totals
    ]
