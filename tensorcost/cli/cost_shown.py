"""Cost as ``tensorcost cost`` prints it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tensorcost.cli.console import talk
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.cost.query import Step
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.cost.reserved import UNATTRIBUTED
from tensorcost.domain.cost.summary import Beside, Line, Row, Sums, Verdict
from tensorcost.domain.money import format_nano
from tensorcost.domain.spend.facts import Grain

if TYPE_CHECKING:
    from tensorcost.services.cost.answers import Breakdown, Settlement, TimeSeries

_NOTHING_NAMED: Final = "(none)"
_OTHERS: Final = "(others)"
_FIGURES: Final = ("cost USD", "billed USD", "requests", "tokens")
_FINER: Final[Mapping[Grain, str]] = {
    Grain.REQUEST: "of calls that finer rows tell of too, counted once",
    Grain.METRIC: "of usage that CloudWatch tells of beside logged calls, counted once",
    Grain.BILL: "of bill lines of days that are not reconciled, whose usage calls or CloudWatch "
    "tell of too, counted once",
}
_BESIDE: Final[Mapping[Verdict, str]] = {
    Verdict.PARTIAL_DAY: "of bill lines of days of which the window holds a part",
    Verdict.NOT_BILLED: "by list price, of usage that no bill of its day covers",
    Verdict.OUT_OF_SCOPE: "billed for something other than AI",
    Verdict.COMMITMENT: "of fees for reservations and savings plans",
    Verdict.TAX: "tax",
    Verdict.CREDIT: "of credits",
    Verdict.REFUND: "of refunds",
    Verdict.DISCOUNT: "of discounts",
}


def show_costs(found: "Breakdown") -> None:
    """The table on standard output; beside it what it is made of and what is not in it."""
    table = data_table(found.group_by.value, *_FIGURES, right=_FIGURES)
    shown = [row for row in found.table.rows if not _is_idle(row.sums)]
    for row in shown:
        table.add_row(row.key[0] or _NOTHING_NAMED, *_cells(row.sums))
    if found.table.rest is not None:
        table.add_row(f"({found.table.rest_count} more)", *_cells(found.table.rest.sums))
    table.add_row("in all", *_cells(found.table.sums), style="bold")
    show_table(table, table_out())
    notes = [
        *_unnamed(found.group_by.value, {row.key[0] or _NOTHING_NAMED for row in shown}),
        *_idle(found.table.rows),
        *_missing(found.table.sums),
    ]
    _show_beside(found.settlement, notes, found.table.beside)


def show_series(found: "TimeSeries") -> None:
    """A line for each day or hour and group with something to tell of, and the sum of all."""
    group = found.group_by.value if found.group_by else "of"
    table = data_table(found.step.value, group, *_FIGURES, right=_FIGURES)
    part: dict[str, None] = {}
    for number, bucket in enumerate(found.buckets):
        when = f"{bucket.start:%Y-%m-%d %H:%M}"
        when = when if found.step is Step.HOUR else when[: len("YYYY-MM-DD")]
        for line in found.lines:
            sums = line.points[number].sums
            if not _is_idle(sums):
                table.add_row(when, _name(line), *_cells(sums))
                part |= {} if bucket.is_whole else {when: None}
    table.add_row("in all", "", *_cells(found.sums), style="bold")
    show_table(table, table_out())
    notes = [*_unnamed(group, {_name(line) for line in found.lines}), *_missing(found.sums)]
    if part:
        notes.insert(0, f"in part alone, not to be compared with whole ones: {', '.join(part)}")
    _show_beside(found.settlement, notes, found.beside)


def _name(line: Line) -> str:
    return line.key[0] or _NOTHING_NAMED if line.key else _OTHERS


def _show_beside(settlement: "Settlement", notes: Sequence[str], beside: Sequence[Beside]) -> None:
    """How far it is billed, the notes, and what is not in it."""
    talk.print(_settled(settlement), soft_wrap=True)
    in_dollars = [one for one in beside if one.currency == ESTIMATE_CURRENCY]
    left_out = [
        f"not in it: {format_nano(one.measures.cost_nano)} USD {_reason(one)}" for one in in_dollars
    ]
    for note in (*notes, *left_out):
        talk.print(f"  {note}", style="dim", soft_wrap=True)
    for one in beside:
        if one.currency != ESTIMATE_CURRENCY:
            _show_other_currency(one)


def _unnamed(group: str, names: set[str]) -> Iterator[str]:
    if {_NOTHING_NAMED, UNATTRIBUTED} <= names:
        yield (
            f"{_NOTHING_NAMED}: usage that we know and that names no {group}; "
            f"{UNATTRIBUTED}: billed usage of which nothing says whose it was"
        )


def _idle(rows: Sequence[Row]) -> Iterator[str]:
    if idle := sum(_is_idle(row.sums) for row in rows):
        yield f"left out of the table: {idle} without money on this basis and without requests"


def _missing(sums: Sums) -> Iterator[str]:
    total = sums.total
    if total.unpriced_requests or total.unpriced_tokens:
        counts = f"requests {total.unpriced_requests}, tokens {total.unpriced_tokens}"
        yield f"not in it: what has neither price nor bill ({counts})"


def _reason(one: Beside) -> str:
    if one.reason is Verdict.FINER_GRAIN:
        return _FINER[one.grain]
    return _BESIDE.get(one.reason, one.reason.value)


def _show_other_currency(one: Beside) -> None:
    talk.print(
        f"  not in it: {format_nano(one.measures.cost_nano)} {one.currency}, for which days above "
        f"are billed in {one.currency}; no exchange rate is kept, so that none of it is in these "
        "USD totals",
        style="yellow",
        soft_wrap=True,
    )


def _is_idle(sums: Sums) -> bool:
    """Nothing to tell of, such as a machine whose hours a savings plan takes back."""
    return not (sums.cost_nano is None or sums.cost_nano or sums.billed_nano) and not (
        sums.total.requests or sums.total.all_tokens
    )


def _cells(sums: Sums) -> tuple[str, str, str, str]:
    cost_nano = sums.cost_nano
    return (
        "unpriced" if cost_nano is None else format_nano(cost_nano),
        format_nano(sums.billed_nano),
        str(sums.total.requests),
        str(sums.total.all_tokens),
    )


def _settled(settlement: "Settlement") -> str:
    reconciled = settlement.reconciled
    if reconciled.through is None:
        return "estimated by list price: no day is reconciled with a bill"
    told = (
        f"{reconciled.days} days, the last {reconciled.through}, are reconciled with the bill "
        f"({settlement.basis.value})"
    )
    if not settlement.estimated_nano:
        return told
    return f"{told}; {format_nano(settlement.estimated_nano)} USD are estimated by list price"
