"""What connections, counters and bills say around the places of a tenant's calls."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.silence import KeptLogs, Logging, PlaceFacts
from tensorcost.domain.integration.diagnosis_codes import Code
from tensorcost.domain.integration.diagnosis_codes import place as subject_of
from tensorcost.domain.integration.states import Coverage
from tensorcost.domain.spend.facts import Grain

BILL_LAG: Final = timedelta(days=2)
"""A bill may name a call this much later; a missing line says nothing before."""
_OFF: Final = (Code.LOGGING_OFF, Code.WRONG_REGION)
_IN_THE_WAY: Final = (
    *_OFF,
    Code.LOG_GROUP_MISSING,
    Code.LOGS_DENIED,
    Code.LOG_BUCKET_DENIED,
    Code.LOG_BUCKET,
    Code.KMS_DENIED,
    Code.MEMBER_ROLE_MISSING,
    Code.MEMBER_ROLE_DENIED,
    Code.ACCOUNT_SUSPENDED,
    Code.ACCOUNT_LEFT,
)
"""What keeps an account's or a region's logs from being read."""


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account of the connections, and what became of it in each that names it."""

    name: str
    coverage: frozenset[Coverage]

    @property
    def is_shut(self) -> bool:
        """No connection can enter it."""
        return self.coverage <= {Coverage.ROLE_MISSING, Coverage.DENIED}

    @property
    def is_not_read(self) -> bool:
        """Every connection leaves it out, or cannot enter it."""
        left_out = {Coverage.SKIPPED, Coverage.ROLE_MISSING, Coverage.DENIED}
        return not self.is_shut and self.coverage <= left_out


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests of one grain in a place, and the first and the last of their days."""

    requests: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class PlaceFinding:
    """An open finding about an account, or about a region of one."""

    finding_id: UUID
    code: str
    subject: str
    """``account`` or ``account/region``."""
    title: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything but the bill's amounts, over the same days as those."""

    accounts: Mapping[str, KnownAccount]
    logged_places: Collection[Place]
    """Places whose invocation logs a connection reads."""
    calls: Mapping[tuple[Place, Grain], Calls]
    billed_accounts: Collection[str]
    """Accounts that a bill of these months names."""
    batch_nano: Mapping[Place, int]
    """Unblended nano-USD that batch jobs alone left unlogged."""
    findings: Sequence[PlaceFinding]
    today: date
    end_day: date | None = None
    """Day after the last one asked about."""
    kept_logs: Mapping[Place, KeptLogs] = field(default_factory=dict)
    """Places whose logs are deleted by age."""

    def places(self) -> Iterator[Place]:
        """Places with calls, and accounts that cannot be entered, with no region."""
        seen = {place for place, _ in self.calls}
        yield from seen
        inside = {account for account, _ in seen}
        for account, known in self.accounts.items():
            if known.is_shut and account not in inside:
                yield account, ""

    def facts(self, place: Place, billed_nano: int) -> PlaceFacts:
        """The place's facts; ``billed_nano`` is its billed usage, unblended nano-USD."""
        account, region = place
        known = self.accounts.get(account)
        counted = [self.calls[place, g] for g in Grain if (place, g) in self.calls]
        is_recent = all(self.today - one.first_day <= BILL_LAG for one in counted)
        return PlaceFacts(
            billed_nano=billed_nano,
            batch_nano=self.batch_nano.get(place, 0),
            logged_requests=self._requests(place, Grain.REQUEST),
            metered_requests=self._requests(place, Grain.METRIC),
            logging=self._logging(place),
            log_regions=frozenset(
                where
                for (other, where), grain in self.calls
                if other == account and where != region and grain is Grain.REQUEST
            ),
            is_role_missing=known is not None and known.is_shut,
            is_bill_delivered=account in self.billed_accounts or is_recent,
            is_not_read=known is not None and known.is_not_read,
            are_logs_gone=self._are_logs_gone(place),
        )

    def findings_about(self, place: Place) -> list[PlaceFinding]:
        """Open findings about the place or its whole account."""
        about = {place[0], subject_of(*place)}
        return [found for found in self.findings if found.subject in about]

    def logged_days(self, place: Place) -> tuple[date, date] | None:
        """The first and the last day with a logged call; None without any."""
        found = self.calls.get((place, Grain.REQUEST))
        return None if found is None else (found.first_day, found.last_day)

    def in_the_way(self, place: Place) -> list[PlaceFinding]:
        """Open findings that keep the place's logs from being read."""
        return [found for found in self.findings_about(place) if found.code in _IN_THE_WAY]

    def _requests(self, place: Place, grain: Grain) -> int:
        found = self.calls.get((place, grain))
        return found.requests if found else 0

    def _are_logs_gone(self, place: Place) -> bool:
        kept = self.kept_logs.get(place)
        return kept is not None and self.end_day is not None and self.end_day <= kept.since

    def _logging(self, place: Place) -> Logging:
        if place in self.logged_places:
            return Logging.ON
        here = subject_of(*place)
        is_off = any(f.subject == here and f.code in _OFF for f in self.findings)
        return Logging.OFF if is_off else Logging.UNKNOWN
