"""One account and region: what can be read there, and what stands in the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tensorcost.activities.integration.bedrock.access import BedrockAccess, is_refusal
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.diagnosis_logs import LogPlace
from tensorcost.domain.integration.places import KnownPlace, PlaceState
from tensorcost.domain.integration.plan import RETENTION, Site
from tensorcost.domain.integration.probe_facts import ErrorKind, Probe
from tensorcost.domain.integration.progress_records import StoredProfile
from tensorcost.domain.integration.states import SourceKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.source_control import (
    LoggingConfiguration,
    list_profiles,
    read_logging,
)
from tensorcost.providers.bedrock.source_logs import (
    LogGroup,
    find_group,
    group_name,
    region_of_group,
)
from tensorcost.providers.bedrock.source_metrics import list_models
from tensorcost.providers.bedrock.source_objects import LogBucket, has_log_objects


@dataclass(slots=True)
class Survey:
    """What one region of one account offers."""

    place: KnownPlace
    sites: list[Site] = field(default_factory=list)
    profiles: list[StoredProfile] = field(default_factory=list)
    findings: list[NewFinding] = field(default_factory=list)
    logs: LogPlace | None = None
    """How the region logs, where that is known and matters."""


@dataclass(frozen=True, slots=True)
class RegionSurvey:
    """Looks at one region. ``wanted`` and ``billed`` regions keep their sites while they are quiet;
    of ``resolved`` ones the profiles are read by every sync."""

    access: BedrockAccess
    connection: Connection
    session: AccountSession
    region: str
    wanted: bool
    billed: bool
    resolved: bool
    now: datetime

    def look(self) -> Survey:
        """Sites and findings. Raises ProviderError only for what trying again may heal.

        A quiet region costs two calls: who calls Bedrock there, and whether it is logged.
        """
        found = self._nothing(PlaceState.ACTIVE)
        metrics = self._metrics(found)
        if metrics is None:  # the region is switched off in this account
            return self._nothing(PlaceState.DISABLED)
        logs = list(self._logs(found))
        is_off = found.logs is not None and not found.logs.is_on
        if metrics == set() and is_off and not self._is_kept:
            return self._nothing(PlaceState.QUIET)
        profiles = self._profiles(found)
        if is_off and not (metrics or self.wanted):  # nobody calls, or nobody knows: no news
            found.logs = None
        elif found.logs is not None and metrics == set():
            found.logs = replace(found.logs, invocations=0)
        if metrics or logs or found.profiles or self._is_kept:
            found.sites += [*logs, *profiles]
            if metrics is not False:
                found.sites.append(self._site(SourceKind.METRICS))
            return found
        return self._nothing(PlaceState.QUIET)

    @property
    def _is_kept(self) -> bool:
        return self.wanted or self.billed

    def _nothing(self, state: PlaceState) -> Survey:
        return Survey(KnownPlace(self.session.account_id, self.region, state, self.now))

    def _metrics(self, found: Survey) -> bool | set[str] | None:
        """Models that are counted here, False where counting may not be read, None: no region."""
        try:
            return list_models(self.session, self.region)
        except ProviderError as error:
            if error.kind is ErrorKind.REGION_DISABLED and not self.wanted:
                return None
            self._refused(found, error, Probe.CLOUDWATCH)
            return False

    def _logs(self, found: Survey) -> Iterator[Site]:
        """The region's destinations: the bucket where it can be read, else the log group."""
        config = self._logging(found)
        if config is None:
            return
        if config.bucket and self._bucket_is_readable(found, config):
            params = {
                "bucket": config.bucket,
                "prefix": config.prefix,
                "bucket_region": self.region,
            }
            yield self._site(SourceKind.LOGS_S3, params)
        elif config.log_group and (group := self._readable_group(found, config.log_group)):
            params = {"log_group": group.name}
            if group.retention_days is not None:
                params[RETENTION] = str(group.retention_days)
            yield self._site(SourceKind.LOGS_CLOUDWATCH, params)

    def _logging(self, found: Survey) -> LoggingConfiguration | None:
        """Bedrock's own setting; what the connection names where that may not be read."""
        try:
            config = read_logging(self.session, self.region)
        except ProviderError as error:
            self._refused(found, error, Probe.LOGGING_CONFIGURATION)
        else:
            found.logs = LogPlace(self.session.account_id, self.region, config is not None)
            return config
        own = self.connection.settings
        group = group_name(own.log_group_arn)
        in_region = region_of_group(own.log_group_arn) in ("", self.region)
        bucket = own.log_bucket if self.wanted else ""
        if not bucket and not (group and in_region):
            return None
        return LoggingConfiguration(
            group if in_region else "", bucket, own.log_prefix, has_text=True
        )

    def _bucket_is_readable(self, found: Survey, config: LoggingConfiguration) -> bool:
        place = LogBucket(config.bucket, config.prefix, self.region)
        yesterday = (self.now - timedelta(days=1)).date()
        try:
            has_log_objects(self.session, place, self.region, yesterday)
        except ProviderError as error:
            self._refused(found, error, Probe.LOG_BUCKET)
            return False
        return True

    def _readable_group(self, found: Survey, group: str) -> LogGroup | None:
        try:
            return find_group(self.session, self.region, group)
        except ProviderError as error:
            self._refused(found, error, Probe.LOG_GROUP)
            return None

    def _profiles(self, found: Survey) -> list[Site]:
        if self.resolved:
            return [self._site(SourceKind.PROFILES)]
        try:
            listing = list_profiles(self.session, self.region)
        except ProviderError as error:
            self._refused(found, error, Probe.LOGGING_CONFIGURATION)
            return []
        found.profiles += listing.profiles
        return [self._site(SourceKind.PROFILES)]

    def _site(self, source: SourceKind, params: dict[str, str] | None = None) -> Site:
        return Site(source, self.session.account_id, self.region, params or {})

    def _refused(self, found: Survey, error: ProviderError, probe: Probe) -> None:
        """Keep a refusal as a finding; let go on what may pass by itself."""
        if not is_refusal(error):
            raise error
        found.findings.append(self.access.finding(error, probe, self.connection))
