"""Which accounts of an organisation a connection would cover, seen before anything is deployed.

With the customer's own credentials of the management account: it reads, and enters each account
with a session that may only read and is thrown away.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.domain.integration.states import Coverage
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession, AwsSessions, account_of_role
from tensorcost.providers.bedrock.source_accounts import (
    MemberAccount,
    list_accounts,
    management_account,
)

SIDE_BY_SIDE: Final = 8
_REFUSED: Final = (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY, ErrorKind.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class PreviewedAccount:
    """One account. ``roles`` are those of the tried ones that let the management account in."""

    account_id: str
    name: str
    state: str
    joined_method: str
    coverage: Coverage
    roles: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AccountPreview:
    """``role`` is the one of the tried names under which most accounts would be covered."""

    management_account: str
    role: str
    accounts: tuple[PreviewedAccount, ...]

    @property
    def lacking(self) -> tuple[PreviewedAccount, ...]:
        """Accounts that would not be read although they are in use."""
        fine = (Coverage.COVERED, Coverage.SKIPPED)
        return tuple(account for account in self.accounts if account.coverage not in fine)


def preview_accounts(sessions: AwsSessions, roles: Sequence[str]) -> AccountPreview:
    """Try the jump ``roles`` by name in every account, side by side.

    Raises ProviderError, or ValidationFailed in words, where the accounts cannot be listed.
    """
    arn = sessions.backend_arn()
    own = account_of_role(arn)
    session = sessions.own(arn)
    try:
        members = list(list_accounts(session))
    except ProviderError as error:
        refused = _not_listed(error, session)
        if refused is None:
            raise
        raise refused from error
    allowed = frozenset(member.account_id for member in members)
    entering = sessions.own(arn, allowed)
    look = partial(_look, entering, own, tuple(roles))
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="preview") as pool:
        found = list(pool.map(look, members))
    best = max(roles, key=lambda role: sum(role in account.roles for account in found))
    return AccountPreview(own, best, tuple(_judged(account, best) for account in found))


def _look(
    session: AccountSession, own: str, roles: tuple[str, ...], member: MemberAccount
) -> PreviewedAccount:
    """The account with the roles that let us in; its coverage as if any of them would do."""
    known = (member.account_id, member.name, member.state, member.joined_method)
    if member.account_id == own:
        return PreviewedAccount(*known, Coverage.COVERED, roles, "the stack's own role reads it")
    if not member.is_active:
        return PreviewedAccount(*known, Coverage.SKIPPED, (), f"the account is {member.state}")
    entered, detail, coverage = [], "", Coverage.ROLE_MISSING
    for role in roles:
        try:
            session.member(member.account_id, role).verify()
        except ProviderError as error:
            coverage = _coverage_of(error, coverage)
            detail = detail or error.failure.message
        else:
            entered.append(role)
    if entered:
        return PreviewedAccount(*known, Coverage.COVERED, tuple(entered))
    return PreviewedAccount(*known, coverage, (), detail)


def _coverage_of(error: ProviderError, before: Coverage) -> Coverage:
    if error.kind not in _REFUSED:
        return Coverage.ERROR
    return Coverage.DENIED if error.kind is ErrorKind.EXPLICIT_DENY else before


def _judged(account: PreviewedAccount, role: str) -> PreviewedAccount:
    """The account as it is under one role name: a connection knows one."""
    if account.coverage is not Coverage.COVERED or role in account.roles:
        return account
    others = ", ".join(account.roles)
    return PreviewedAccount(
        account.account_id,
        account.name,
        account.state,
        account.joined_method,
        Coverage.ROLE_MISSING,
        account.roles,
        f"there is no {role}, but {others}",
    )


def _not_listed(error: ProviderError, session: AccountSession) -> ValidationFailed | None:
    """Why the accounts cannot be listed, in our words where AWS's own would mislead."""
    if error.kind is ErrorKind.NOT_IN_ORGANIZATION:
        return ValidationFailed(
            f"account {session.account_id} belongs to no organisation: connect it in the mode "
            "SingleAccount"
        )
    if error.kind not in _REFUSED:
        return None
    try:
        managing = management_account(session)
    except ProviderError:
        managing = ""
    if managing and managing != session.account_id:
        return ValidationFailed(
            f"account {session.account_id} does not manage the organisation: use credentials "
            f"of {managing}"
        )
    return ValidationFailed(
        "these credentials may not list accounts: allow organizations:ListAccounts"
    )
