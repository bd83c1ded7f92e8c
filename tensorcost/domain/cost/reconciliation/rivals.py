"""Which exports are the bill of a month, where several name the same accounts.

An export that was renamed, or a daily one beside an hourly one, says the same bill again. What
counts follows from what each export says now, never from the order in which they said it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tensorcost.domain.cost.reconciliation.closing import SILENT_AFTER


@dataclass(frozen=True, slots=True)
class ExportBill:
    """What one export says of a month, by its current delivery."""

    origin: str
    export_name: str
    accounts: frozenset[str]
    """Usage accounts that the delivery names, each with its payer: two payers bill two."""
    first_known: datetime
    """Of the export's first delivery of the month."""
    known_at: datetime
    """Of its current one."""


def counted_bills(bills: Sequence[ExportBill]) -> list[ExportBill]:
    """The bills of a month that count; no two of them name a common account, and
    each of the others has an account in common with one of them.

    The one of more accounts goes before; of those with equally many the first, unless it has been
    silent for three days while another was delivered. Whatever ``bills`` are in order of, the
    answer is the same.
    """
    counted: list[ExportBill] = []
    taken: set[str] = set()
    for bill in sorted(bills, key=lambda one: _rank(one, bills)):
        if taken.isdisjoint(bill.accounts):
            counted.append(bill)
            taken |= bill.accounts
    return counted


def _rank(bill: ExportBill, bills: Iterable[ExportBill]) -> tuple[int, bool, datetime, str, str]:
    is_silent = any(
        other.known_at - bill.known_at >= SILENT_AFTER
        and len(other.accounts) >= len(bill.accounts)
        and not bill.accounts.isdisjoint(other.accounts)
        for other in bills
    )
    return -len(bill.accounts), is_silent, bill.first_known, bill.origin, bill.export_name
