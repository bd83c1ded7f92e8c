"""The probes of invocation logging: is it on, does it reach us, and if not, where is it?"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.probe_facts import ErrorKind, Fact, Probe, ProbeResult
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.source_control import LoggingConfiguration, read_logging
from tensorcost.providers.bedrock.source_logs import group_exists, group_name, read_log_events
from tensorcost.providers.bedrock.source_objects import LogBucket, list_log_objects, open_object

ENOUGH: Final = 10
"""Records that prove a log is written; more are not counted."""
_PARALLEL: Final = 8
_HIDDEN: Final = (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY, ErrorKind.REGION_DISABLED)

Look = Callable[[], dict[Fact, str]]


class LogProbes:
    """Looks at one account and region over a window (start, end)."""

    def __init__(
        self,
        session: AccountSession,
        connection: Connection,
        region: str,
        window: tuple[datetime, datetime],
    ) -> None:
        self._session = session
        self._own = connection.settings
        self._region = region
        self._start, self._end = window
        self._config: LoggingConfiguration | None = None

    def run(self, other_regions: Sequence[str]) -> Iterator[ProbeResult]:
        """Settings, log group, bucket; other regions only where something is amiss here."""
        setting = self._setting()
        group, bucket = self._group(), self._bucket()
        yield from (setting, group, bucket)
        seen = [count for one in (group, bucket) if (count := one.number(Fact.LOGGED)) is not None]
        missing = group.failure is not None and group.failure.kind is ErrorKind.NOT_FOUND
        if setting.fact(Fact.LOGGING) == "off" or missing or not any(seen):
            yield self._elsewhere(other_regions)
        else:
            yield ProbeResult.not_made(Probe.OTHER_REGIONS, "logs arrive here")

    def _setting(self) -> ProbeResult:
        def look() -> dict[Fact, str]:
            self._config = read_logging(self._session, self._region)
            if self._config is None:
                return {Fact.LOGGING: "off"}
            told = {
                Fact.LOGGING: "on",
                Fact.LOG_GROUP: self._config.log_group,
                Fact.BUCKET: self._config.bucket,
            }
            return {key: value for key, value in told.items() if value}

        return attempt(Probe.LOGGING_CONFIGURATION, self._session, self._region, look)

    def _group(self) -> ProbeResult:
        named = group_name(self._own.log_group_arn)
        group = named or (self._config.log_group if self._config else "")
        if not group:
            return ProbeResult.not_made(Probe.LOG_GROUP, "no log group is named")
        facts = {Fact.LOG_GROUP: group}

        def look() -> dict[Fact, str]:
            events = read_log_events(
                self._session, self._region, group, self._start, self._end, page_events=ENOUGH
            )
            return {Fact.LOGGED: str(sum(1 for _ in islice(events, ENOUGH)))}

        return attempt(Probe.LOG_GROUP, self._session, self._region, look, facts)

    def _bucket(self) -> ProbeResult:
        config = self._config
        if self._own.log_bucket:
            place = LogBucket(self._own.log_bucket, self._own.log_prefix, self._region)
        elif config is not None and config.bucket:
            place = LogBucket(config.bucket, config.prefix, self._region)
        else:
            return ProbeResult.not_made(Probe.LOG_BUCKET, "no bucket is named")

        def look() -> dict[Fact, str]:
            return {Fact.LOGGED: str(self._count_objects(place))}

        return attempt(
            Probe.LOG_BUCKET, self._session, self._region, look, {Fact.BUCKET: place.bucket}
        )

    def _count_objects(self, place: LogBucket) -> int:
        """Objects of the window's days; one is opened, for only reading needs the key."""
        count, day = 0, self._end.date()
        while day >= self._start.date() and count < ENOUGH:
            found = list_log_objects(self._session, place, self._region, day)
            for one in islice(found, ENOUGH - count):
                if count == 0:
                    with open_object(self._session, one.bucket, one.key, place.region) as chunks:
                        next(chunks, b"")
                count += 1
            day -= timedelta(days=1)
        return count

    def _elsewhere(self, regions: Sequence[str]) -> ProbeResult:
        named = group_name(self._own.log_group_arn)

        def is_there(region: str) -> bool:
            try:
                if read_logging(self._session, region) is not None:
                    return True
                return bool(named) and group_exists(self._session, region, named)
            except ProviderError as error:
                if error.kind in _HIDDEN:
                    return False
                raise

        def look() -> dict[Fact, str]:
            with ThreadPoolExecutor(_PARALLEL) as pool:
                found = [
                    r for r, yes in zip(regions, pool.map(is_there, regions), strict=True) if yes
                ]
            return {Fact.FOUND_IN: ",".join(found)}

        return attempt(Probe.OTHER_REGIONS, self._session, self._region, look)


def attempt(
    name: Probe,
    session: AccountSession,
    region: str,
    look: Look,
    known: dict[Fact, str] | None = None,
) -> ProbeResult:
    """What was ``known`` before with the facts that ``look`` finds, or with its failure."""
    account, known = session.account_id, known or {}
    try:
        return ProbeResult(name, True, account, region, facts=known | look())
    except ProviderError as error:
        return ProbeResult(name, False, account, region, error.failure, known)
