"""The accounts of a connection and whether each can be entered: never silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tensorcost.activities.integration.bedrock.abreast import try_each
from tensorcost.activities.integration.bedrock.access import BedrockAccess, is_refusal
from tensorcost.domain.integration.accounts import ACTIVE, follow_accounts, judge_accounts
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.diagnosis_codes import Code
from tensorcost.domain.integration.diagnosis_organization import named_otherwise, role_was_lost
from tensorcost.domain.integration.probe_facts import ErrorKind, Probe
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import ConnectionMode, Coverage
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.source_accounts import MemberAccount, list_accounts

Checked = tuple[AccountCoverage, NewFinding | None]


@dataclass(frozen=True, slots=True)
class Members:
    """Looks at every account. Raises ProviderError where they cannot be listed, and where too
    many of them fail for the moment."""

    access: BedrockAccess
    connection: Connection
    known: Mapping[str, AccountCoverage]
    now: datetime

    def look(self, own: AccountSession) -> tuple[list[AccountCoverage], list[NewFinding]]:
        """Every account that is or was there, and what stands in the way of entering some."""
        if self.connection.mode is ConnectionMode.SINGLE_ACCOUNT:
            own.verify()
            return self._followed([self._own()]), []
        tried = try_each(self._checked, list(list_accounts(own)))
        ill = [(self._ill(member, error), None) for member, error in tried.failed]
        checked = [*tried.done, *ill]
        accounts = self._followed([coverage for coverage, _ in checked])
        return accounts, [*_findings(checked), *judge_accounts(accounts, self.now)]

    def _followed(self, listed: Sequence[AccountCoverage]) -> list[AccountCoverage]:
        return follow_accounts(list(self.known.values()), listed, self.now)

    def _checked(self, member: MemberAccount) -> Checked:
        if member.account_id == self.connection.account_id:
            return self._of(member, Coverage.COVERED, "the stack's own role reads it"), None
        if not member.is_active:
            return self._of(member, Coverage.SKIPPED, f"the account is {member.state}"), None
        listed = self.connection.settings.allowed_accounts
        if listed and member.account_id not in listed:
            return self._of(member, Coverage.SKIPPED, "not on the list of accounts"), None
        try:
            self.access.session(self.connection, member.account_id).verify()
        except ProviderError as error:
            if error.is_transient:
                raise
            return self._not_entered(member, error)
        return self._of(member, Coverage.COVERED, ""), None

    def _not_entered(self, member: MemberAccount, error: ProviderError) -> Checked:
        if not is_refusal(error):
            return self._ill(member, error), None
        found = self.access.finding(error, Probe.MEMBER_ROLE, self.connection)
        before = self.known.get(member.account_id)
        if before is not None and before.covered_at and found.code == Code.MEMBER_ROLE_MISSING:
            found = role_was_lost(found, before.covered_at)
        denied = error.kind is ErrorKind.EXPLICIT_DENY
        coverage = Coverage.DENIED if denied else Coverage.ROLE_MISSING
        return self._of(member, coverage, found.title), found

    def _ill(self, member: MemberAccount, error: ProviderError) -> AccountCoverage:
        return self._of(member, Coverage.ERROR, error.failure.message)

    def _own(self) -> AccountCoverage:
        own = self.connection
        return AccountCoverage(own.account_id, own.name, ACTIVE, "", Coverage.COVERED, "", self.now)

    def _of(self, member: MemberAccount, coverage: Coverage, detail: str) -> AccountCoverage:
        return AccountCoverage(
            member.account_id,
            member.name,
            member.state,
            member.joined_method,
            coverage,
            detail[:500],
            self.now,
        )


def _findings(checked: Sequence[Checked]) -> list[NewFinding]:
    """Why accounts are not entered. Where none of several is, the role's name is the likeliest."""
    found = [finding for _, finding in checked if finding is not None]
    missing = [one for one in found if one.code == Code.MEMBER_ROLE_MISSING]
    entered = [account for account, _ in checked if account.coverage is Coverage.COVERED]
    if len(missing) < 2 or len(entered) > 1:
        return found
    return [named_otherwise(one) if one in missing else one for one in found]
