"""All accounts of a connection, their regions, and the bill: what there is to read.

Of thousands of (account, region) pairs only those are asked that something is read from, that
are new, or that were quiet a day ago; what is known of the others stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tensorcost.activities.integration.bedrock.abreast import try_each
from tensorcost.activities.integration.bedrock.access import BedrockAccess, is_refusal
from tensorcost.activities.integration.bedrock.bill import BillSearch
from tensorcost.activities.integration.bedrock.members import Members
from tensorcost.activities.integration.bedrock.survey import RegionSurvey, Survey
from tensorcost.activities.integration.ports import Discovery, Known
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.diagnosis_codes import Code, place
from tensorcost.domain.integration.diagnosis_logs import judge_unlogged
from tensorcost.domain.integration.places import Place, is_due
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.progress_sources import MISSING_SOURCE, judge_missing
from tensorcost.domain.integration.states import Coverage, SourceKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.regions import candidate_regions, primary_region

JUDGED: Final = (
    MISSING_SOURCE,
    Code.TRUST_DENIED,
    Code.TRUST_EXPLICIT_DENY,
    Code.EXTERNAL_ID_MISMATCH,
    Code.ORG_NOT_MANAGEMENT,
    Code.ORG_DENIED,
    Code.ORG_NONE,
    Code.MEMBER_ROLE_MISSING,
    Code.MEMBER_ROLE_DENIED,
    Code.ACCOUNT_NOT_ALLOWED,
    Code.ACCOUNT_SUSPENDED,
    Code.ACCOUNT_LEFT,
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
    known: Known

    def discover(self) -> Discovery:
        own = self.access.session(self.connection)
        accounts, findings = Members(
            self.access, self.connection, self.known.accounts, self.now
        ).look(own)
        places = self._places(accounts)
        due = [one for one in places if is_due(one, self.known.places, self.now)]
        tried = try_each(self._survey, due)
        surveys = tried.done
        looked = {survey.place.place for survey in surveys}
        unasked = {account.account_id for account in accounts if account.coverage is Coverage.ERROR}
        left = {one for one in places if one not in looked}
        sites = [site for survey in surveys for site in survey.sites]
        sites += [site for site in self.known.sites if _stays(site, left, unasked)]
        bills, about_bills = self._bills(own)
        sites += bills
        missing = judge_missing(sites)
        for survey in surveys:
            findings += survey.findings
        findings += judge_unlogged(survey.logs for survey in surveys if survey.logs is not None)
        return Discovery(
            accounts=accounts,
            sites=sites,
            findings=[*findings, *about_bills, *missing],
            judged=[str(code) for code in JUDGED],
            missing=[found.title for found in missing],
            profiles=[profile for survey in surveys for profile in survey.profiles],
            places=[survey.place for survey in surveys],
            spared=frozenset({*unasked, *(place(*one) for one in left)}),
            is_whole=not (tried.failed or unasked),
        )

    def _places(self, accounts: Sequence[AccountCoverage]) -> list[Place]:
        """Every region of every account that can be entered, and those that the bill names."""
        entered = [one.account_id for one in accounts if one.coverage is Coverage.COVERED]
        regions = candidate_regions(self.connection)
        found = [(account, region) for account in entered for region in regions]
        if not self.connection.settings.regions:
            found += sorted(one for one in self.known.billed if one[0] in set(entered))
        return list(dict.fromkeys(found))

    def _survey(self, one: Place) -> Survey:
        account, region = one
        named = self.connection.settings.regions
        is_own = account == self.connection.account_id
        is_primary = is_own and region == primary_region(self.connection)
        return RegionSurvey(
            access=self.access,
            connection=self.connection,
            session=self.access.session(self.connection, account),
            region=region,
            wanted=region in named or is_primary,
            billed=one in self.known.billed,
            resolved=Site(SourceKind.PROFILES, account, region) in self.known.sites,
            now=self.now,
        ).look()

    def _bills(self, own: AccountSession) -> tuple[list[Site], list[NewFinding]]:
        """The bill's site; as it was known where it cannot be looked for just now."""
        try:
            return BillSearch(self.access, self.connection, own).look()
        except ProviderError as error:
            before = [site for site in self.known.sites if site.source is SourceKind.BILL]
            if is_refusal(error) or not before:
                raise
            return before, []


def _stays(site: Site, left: set[Place], unasked: set[str]) -> bool:
    """Whether a site is kept as it was known: nobody looked at its place this time."""
    if site.source is SourceKind.BILL:
        return False
    return (site.account_id, site.region) in left or site.account_id in unasked
