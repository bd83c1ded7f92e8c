"""Billing months as ``tensorcost months`` prints them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tensorcost.cli.console import talk
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.domain.cost.reconciliation.closing import Cause
    from tensorcost.services.reconciliation.answers import (
        Difference,
        Month,
        MonthDetail,
        MonthTotal,
    )
    from tensorcost.storage.reconciliation.versions import Version
    from tensorcost.storage.spend.bill_periods import BilledPeriod

_MONTH: Final = ("month", "state", "version", "days before")
_SUMS: Final = ("billed", "attributed", "unattributed", "difference")
_CHANGES: Final = ("billed", "attributed", "estimate")


def show_months(months: "Sequence[Month]") -> None:
    """A line for each month and currency; beside it what a month still waits for."""
    if not months:
        talk.print("no month has a bill")
        return
    table = data_table(*_MONTH, "currency", *_SUMS, right=("version", *_SUMS))
    for month in months:
        begin = _begin(month)
        for number, total in enumerate(month.totals or (None,)):
            named = begin if number == 0 else [""] * len(begin)
            table.add_row(*named, *([""] * 5 if total is None else _sums(total)))
    show_table(table, table_out())
    for month in months:
        for note in _notes(month):
            talk.print(f"{month_name(month.period)}: {note}", soft_wrap=True)


def show_month(found: "MonthDetail", *, is_past: bool) -> None:
    """The month's line, a line for each version, and one for each export and currency."""
    show_months([found.month])
    if found.versions:
        _show_versions(found.versions)
    if found.bills:
        _show_bills(found.bills)
    elif is_past:
        talk.print("the exports of a month are told of as of now: ask without --as-of")


def show_difference(found: "Difference") -> None:
    """A line for each change, the largest change of the bill first, and the sum of all."""
    table = data_table("account", "model", "class", "currency", *_CHANGES, right=_CHANGES)
    for one in found.deltas:
        place = (one.account_id, one.model_id, one.line_class.value, one.currency)
        table.add_row(*place, *_changes(one.billed, one.attributed, one.estimate_nano))
    for total in found.totals:
        sums = _changes(total.billed, total.attributed, total.estimate_nano)
        table.add_row("in all", "", "", total.currency, *sums, style="bold")
    if found.totals:
        show_table(table, table_out())
    what = f"{month_name(found.period)}: version {found.latter} against {found.former}"
    changed = _cause(found.causes) if found.totals else "they say the same"
    talk.print(f"{what}; {changed}")
    if found.rest_count:
        talk.print(f"and {found.rest_count} more, which the sum holds too: raise --limit")


def _show_versions(versions: "Sequence[Version]") -> None:
    figures = ("version", "days", "changed")
    table = data_table(*figures, "known at (UTC)", "days before", "cause", "by", right=figures)
    for one in versions:
        counts = (one.version, one.days, one.days_changed)
        until = one.closed_until.isoformat()
        cause = ", ".join(one.causes)
        table.add_row(*map(str, counts), _time(one.known_at), until, cause, one.requested_by)
    show_table(table, table_out())


def _show_bills(bills: "Sequence[BilledPeriod]") -> None:
    named = ("export", "payer", "counted", "state", "invoice", "known at (UTC)")
    table = data_table(*named, "lines", "currency", "on it", right=("lines", "on it"))
    for bill in bills:
        begin = (
            bill.export_name,
            bill.payer_account_id,
            "yes" if bill.counted else "no",
            bill.state.value,
            bill.invoice_id,
            _time(bill.known_at),
            str(bill.lines),
        )
        totals = [(currency, format_nano(one.unblended)) for currency, one in bill.totals.items()]
        for number, total in enumerate(totals or [("", "")]):
            table.add_row(*(begin if number == 0 else [""] * len(begin)), *total)
    show_table(table, table_out())


def _begin(month: "Month") -> tuple[str, ...]:
    version = month.version
    known = ("", "") if version is None else (str(version.version), str(version.closed_until))
    return (month_name(month.period), month.state.value, *known)


def _sums(total: "MonthTotal") -> tuple[str, ...]:
    neither = sum(part.unblended for part in total.unattributed.values())
    amounts = (
        total.billed.unblended,
        total.attributed.unblended,
        neither,
        total.difference.unblended,
    )
    return (total.currency, *map(format_nano, amounts))


def _notes(month: "Month") -> Iterator[str]:
    if month.version is None:
        yield "not reconciled yet"
    elif month.is_pending:
        yield "its bill is another one than this version holds"
    if month.has_older_rules:
        yield (
            "made by older rules; a month that is not final is made anew with the next sync, a "
            f"final one when it is asked for (reconcile --period {month_name(month.period)})"
        )


def _changes(billed: Money, attributed: Money, estimate_nano: int) -> tuple[str, ...]:
    return tuple(map(format_nano, (billed.unblended, attributed.unblended, estimate_nano)))


def _cause(causes: "Sequence[Cause]") -> str:
    return f"new in it: {', '.join(causes)}" if causes else "made because somebody asked for it"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
