"""All accounts of a connection, all their regions, and the bill: what there is to read."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from tensorcost.activities.integration.bedrock.access import BedrockAccess, is_refusal
from tensorcost.activities.integration.bedrock.bill import BillSearch
from tensorcost.activities.integration.bedrock.survey import RegionSurvey, Survey
from tensorcost.activities.integration.ports import Discovery
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.diagnosis_codes import Code
from tensorcost.domain.integration.diagnosis_logs import judge_unlogged
from tensorcost.domain.integration.probe_facts import ErrorKind, Probe
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.progress_sources import MISSING_SOURCE, judge_missing
from tensorcost.domain.integration.states import ConnectionMode, Coverage
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.regions import candidate_regions, primary_region
from tensorcost.providers.bedrock.source_accounts import MemberAccount, list_accounts

T = TypeVar("T")
R = TypeVar("R")
SIDE_BY_SIDE: Final = 8
"""Accounts or regions looked at together; the tenant's limiter bounds the calls behind them."""

JUDGED: Final = (
    MISSING_SOURCE,
    Code.MEMBER_ROLE_MISSING,
    Code.MEMBER_ROLE_DENIED,
    Code.ACCOUNT_NOT_ALLOWED,
    Code.CW_DENIED,
    Code.BEDROCK_DENIED,
    Code.LOGS_DENIED,
    Code.LOG_BUCKET_DENIED,
    Code.LOG_BUCKET,
    Code.KMS_DENIED,
    Code.CUR_DENIED,
    Code.CUR_BUCKET,
    Code.BILL_EXPORTED_TWICE,
    Code.EXPORT_UNHEALTHY,
    Code.LOGGING_OFF,
    Code.WRONG_REGION,
)
"""What discovery sees in every account: findings of these that it does not repeat close."""


@dataclass(frozen=True, slots=True)
class Discoverer:
    """One discovery of one connection. Raises ProviderError for what may heal by itself."""

    access: BedrockAccess
    connection: Connection
    now: datetime

    def discover(self) -> Discovery:
        own = self.access.session(self.connection)
        findings: list[NewFinding] = []
        accounts = self._accounts(own, findings)
        covered = [found.account_id for found in accounts if found.coverage is Coverage.COVERED]
        surveys = self._surveys(covered)
        sites = [site for survey in surveys for site in survey.sites]
        bills, about_bills = BillSearch(self.access, self.connection, own).look()
        sites += bills
        findings += about_bills
        missing = judge_missing(sites)
        for survey in surveys:
            findings += survey.findings
        findings += judge_unlogged(survey.logs for survey in surveys if survey.logs is not None)
        return Discovery(
            accounts=accounts,
            sites=sites,
            findings=[*findings, *missing],
            judged=[str(code) for code in JUDGED],
            missing=[found.title for found in missing],
            profiles=[profile for survey in surveys for profile in survey.profiles],
        )

    def _accounts(self, own: AccountSession, findings: list[NewFinding]) -> list[AccountCoverage]:
        """The connection's own account and, in Organization mode, every member: never silence."""
        if self.connection.mode is ConnectionMode.SINGLE_ACCOUNT:
            own.verify()
            return [self._covered(self.connection.account_id, self.connection.name)]
        members = list(list_accounts(own))
        checked = _side_by_side(self._member, members)
        findings += [found for _, found in checked if found is not None]
        return [coverage for coverage, _ in checked]

    def _member(self, member: MemberAccount) -> tuple[AccountCoverage, NewFinding | None]:
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
            if not is_refusal(error):
                return self._of(member, Coverage.ERROR, error.failure.message), None
            found = self.access.finding(error, Probe.MEMBER_ROLE, self.connection)
            denied = error.kind is ErrorKind.EXPLICIT_DENY
            coverage = Coverage.DENIED if denied else Coverage.ROLE_MISSING
            return self._of(member, coverage, found.title), found
        return self._of(member, Coverage.COVERED, ""), None

    def _surveys(self, accounts: Sequence[str]) -> list[Survey]:
        regions = candidate_regions(self.connection)
        places = [(account, region) for account in accounts for region in regions]
        return _side_by_side(self._survey, places)

    def _survey(self, place: tuple[str, str]) -> Survey:
        account, region = place
        named = self.connection.settings.regions
        is_own = account == self.connection.account_id
        is_primary = is_own and region == primary_region(self.connection)
        return RegionSurvey(
            access=self.access,
            connection=self.connection,
            session=self.access.session(self.connection, account),
            region=region,
            wanted=region in named or is_primary,
            now=self.now,
        ).look()

    def _covered(self, account_id: str, name: str) -> AccountCoverage:
        return AccountCoverage(account_id, name, "ACTIVE", "", Coverage.COVERED, "", self.now)

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


def _side_by_side(work: Callable[[T], R], over: Iterable[T]) -> list[R]:
    """``work`` over everything, some at a time, answers in order; the first error is raised."""
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE, thread_name_prefix="discover") as pool:
        return list(pool.map(work, over))
