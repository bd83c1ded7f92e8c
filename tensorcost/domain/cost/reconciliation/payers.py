"""An account that two payers bill in one month: it moved, or its days are billed twice."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, finding
from tensorcost.domain.money import format_nano

JUDGED: Final = (Code.ACCOUNT_BILLED_TWICE.value, Code.ACCOUNT_MOVED.value)
_MOVING_DAYS: Final = 1
"""On the day of its move an account stands on both bills, each with its hours."""


@dataclass(frozen=True, slots=True)
class PayerBill:
    """What one export of a payer bills an account in a month, in one currency."""

    account_id: str
    payer_account_id: str
    export_name: str
    connection_id: UUID | None
    """The connection that reads the export; None where it was imported or is removed."""
    currency: str
    unblended_nano: int
    days: frozenset[date]
    """Days with usage."""


def subject_of(account_id: str, period: date) -> str:
    return f"{account_id}{subject_end(period)}"


def subject_end(period: date) -> str:
    """What subjects of the month that begins with ``period`` end in."""
    return f"/{month_name(period)}"


def judge_account(period: date, bills: Sequence[PayerBill]) -> NewFinding:
    """The finding about one account; ``bills`` are all of it and name two payers or more."""
    account = bills[0].account_id
    payers = list(dict.fromkeys(bill.payer_account_id for bill in bills))
    twice = _days_of_several(bills)
    evidence = {
        "account": account,
        "period": month_name(period),
        "payers": ", ".join(payers),
        "days_of_several_payers": str(len(twice)),
        **{f"billed_by_{payer}": _told(payer, bills) for payer in payers},
    }
    subject = subject_of(account, period)
    if len(twice) <= _MOVING_DAYS:
        return finding(
            Code.ACCOUNT_MOVED,
            Severity.INFO,
            f"Account {account} is billed by {' and '.join(payers)} in {month_name(period)}, one "
            "after the other",
            "Nothing is wrong where the account moved from one organisation to another: both "
            "bills count, each for its days. Where it did not move, one of the exports is not "
            "yours to read: remove its connection.",
            subject=subject,
            evidence=evidence,
        )
    return finding(
        Code.ACCOUNT_BILLED_TWICE,
        Severity.WARNING,
        f"{len(twice)} days of account {account} are billed by {' and '.join(payers)} in "
        f"{month_name(period)}",
        "Both bills count, so these days may be in your totals twice. Compare the exports that "
        "are named here: where one repeats the other (a billing transfer, or a pro-forma report "
        "beside the invoice), remove its connection or name the right export on it. Where both "
        "payers really charge, nothing is wrong.",
        subject=subject,
        evidence=evidence | {"first_day": f"{min(twice)}", "last_day": f"{max(twice)}"},
    )


def _days_of_several(bills: Sequence[PayerBill]) -> list[date]:
    by_payer: dict[str, set[date]] = defaultdict(set)
    for bill in bills:
        by_payer[bill.payer_account_id] |= bill.days
    counted = Counter(day for days in by_payer.values() for day in days)
    return [day for day, payers in counted.items() if payers > 1]


def _told(payer: str, bills: Sequence[PayerBill]) -> str:
    return "; ".join(
        f"{format_nano(bill.unblended_nano)} {bill.currency}{_span(bill.days)} "
        f"(export {bill.export_name or 'without a name'})"
        for bill in bills
        if bill.payer_account_id == payer
    )


def _span(days: frozenset[date]) -> str:
    return f" for usage from {min(days)} to {max(days)}" if days else ""
