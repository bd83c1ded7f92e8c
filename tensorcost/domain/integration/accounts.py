"""An organisation over time: accounts join, leave and are suspended, roles come and go.

No account is ever forgotten: one that can no longer be read keeps its row, its state and its
history, and says since when.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, finding
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import Coverage

ACTIVE: Final = "ACTIVE"
LEFT: Final = "LEFT"
"""Our word for the state of an account that the organisation no longer lists."""
NEWS_FOR: Final = timedelta(days=90)
"""How long it is told that an account ended: as long as a backfill reads back."""
_CLOSED: Final = (Coverage.ROLE_MISSING, Coverage.DENIED)


class AccountChange(StrEnum):
    JOINED = "joined"
    LEFT = "left"
    SUSPENDED = "suspended"
    REACTIVATED = "reactivated"
    ROLE_LOST = "role_lost"
    ROLE_GAINED = "role_gained"


@dataclass(frozen=True, slots=True)
class ChangedAccount:
    account: AccountCoverage
    change: AccountChange


def follow_accounts(
    before: Sequence[AccountCoverage], listed: Sequence[AccountCoverage], now: datetime
) -> list[AccountCoverage]:
    """Every account that is or was there, as it stands ``now``.

    ``listed`` is what the organisation names today; one that it no longer names has left.
    """
    known = {account.account_id: account for account in before}
    named = {account.account_id for account in listed}
    gone = [_left(account, now) for account in before if account.account_id not in named]
    followed = [_since(known.get(account.account_id), account, now) for account in listed]
    return sorted([*followed, *gone], key=lambda account: account.account_id)


def account_changes(
    before: Sequence[AccountCoverage], after: Sequence[AccountCoverage]
) -> list[ChangedAccount]:
    """What became of accounts since the last look; nothing is news at the first one."""
    known = {account.account_id: account for account in before}
    if not known:
        return []
    changes = []
    for account in after:
        change = _change(known.get(account.account_id), account)
        if change is not None:
            changes.append(ChangedAccount(account, change))
    return changes


def judge_accounts(accounts: Iterable[AccountCoverage], now: datetime) -> list[NewFinding]:
    """A finding for every account that was read and has ended since."""
    return [
        _ended(account)
        for account in accounts
        if account.state != ACTIVE
        and account.covered_at is not None
        and now - account.covered_at < NEWS_FOR
    ]


def _since(
    before: AccountCoverage | None, account: AccountCoverage, now: datetime
) -> AccountCoverage:
    is_same = before is not None and (before.state, before.coverage) == (
        account.state,
        account.coverage,
    )
    covered = before.covered_at if before is not None else None
    if account.coverage is Coverage.COVERED:
        covered = now
    changed = before.changed_at if before is not None and is_same else now
    return replace(account, covered_at=covered, changed_at=changed)


def _left(account: AccountCoverage, now: datetime) -> AccountCoverage:
    if account.state == LEFT:
        return account
    return replace(
        account,
        state=LEFT,
        coverage=Coverage.SKIPPED,
        detail="the account is no longer in the organisation",
        checked_at=now,
        changed_at=now,
    )


def _change(before: AccountCoverage | None, account: AccountCoverage) -> AccountChange | None:
    if before is None:
        return AccountChange.JOINED
    if before.state != account.state:
        return _moved(before.state, account.state)
    if account.coverage in _CLOSED and before.coverage not in _CLOSED and before.covered_at:
        return AccountChange.ROLE_LOST
    if account.coverage is Coverage.COVERED and before.coverage in _CLOSED:
        return AccountChange.ROLE_GAINED
    return None


def _moved(before: str, now: str) -> AccountChange | None:
    """What another state means; None where an account that had ended goes on ending."""
    if now == LEFT:
        return AccountChange.LEFT
    if now == ACTIVE:
        return AccountChange.JOINED if before == LEFT else AccountChange.REACTIVATED
    return AccountChange.SUSPENDED if before == ACTIVE else None


def _ended(account: AccountCoverage) -> NewFinding:
    has_left = account.state == LEFT
    name = account.account_id + (f" ({account.name})" if account.name else "")
    ended = "has left the organisation" if has_left else f"is {account.state}"
    evidence = {"account": account.account_id, "state": account.state}
    if account.covered_at is not None:
        evidence["read_until"] = account.covered_at.isoformat()
    return finding(
        Code.ACCOUNT_LEFT if has_left else Code.ACCOUNT_SUSPENDED,
        Severity.INFO,
        f"Account {name} {ended}: nothing new of it is read",
        "What was read stays. If it still causes spend, connect it on its own."
        if has_left
        else "What was read stays. What the bill still names of it is shown as unlogged.",
        subject=account.account_id,
        evidence=evidence,
    )
