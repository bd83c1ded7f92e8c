"""What the reconciliation use cases answer. Amounts are integer nano-units of a currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.cost.reconciliation.coverage import Coverage
from tensorcost.domain.cost.reconciliation.facts import Basis, GapClass, Money, Share
from tensorcost.domain.cost.reconciliation.shortfall import Shortfall
from tensorcost.domain.cost.reconciliation.silence import SilenceCause
from tensorcost.domain.cost.reconciliation.surroundings import PlaceFinding
from tensorcost.storage.reconciliation.contributors import Contributor
from tensorcost.storage.reconciliation.versions import Delta, Version
from tensorcost.storage.spend.bill_periods import BilledPeriod


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The closed days of a month in one currency."""

    currency: str
    billed: Money
    """As the bill's own lines add up."""
    attributed: Money
    unattributed: Mapping[Share, Money]
    estimate_nano: int
    gaps: Mapping[GapClass, Money]
    """They add up to billed minus estimate."""

    @property
    def difference(self) -> Money:
        """Billed minus everything that became of it: nothing, or the reconciliation is wrong."""
        rest = self.billed.minus(self.attributed)
        for part in self.unattributed.values():
            rest = rest.minus(part)
        return rest


@dataclass(frozen=True, slots=True)
class Month:
    """A billing month and the newest version of its reconciliation."""

    period: date
    state: PeriodState
    """Of the bill, at the moment that is asked about."""
    version: Version | None
    """None before its first reconciliation."""
    is_pending: bool
    """A bill is known by then that the version does not hold yet."""
    has_older_rules: bool
    """The version was made by other rules of ours than today's."""
    totals: tuple[MonthTotal, ...]


@dataclass(frozen=True, slots=True)
class MonthDetail:
    month: Month
    versions: tuple[Version, ...]
    """The newest first."""
    bills: tuple[BilledPeriod, ...]
    """Every export of the month, counted or not; none for an ``as_of`` question."""
    contributors: Mapping[tuple[str, GapClass], Sequence[Contributor]]
    """By currency and class the places that weigh most, the largest first."""


@dataclass(frozen=True, slots=True)
class DeltaTotal:
    """All deltas in one currency."""

    currency: str
    estimate_nano: int
    billed: Money
    attributed: Money


@dataclass(frozen=True, slots=True)
class Difference:
    """What one version says that another did not; the largest change of the bill first."""

    period: date
    former: int
    latter: int
    causes: tuple[Cause, ...]
    """What the versions between the two, the later included, saw anew."""
    totals: tuple[DeltaTotal, ...]
    deltas: tuple[Delta, ...]
    rest_count: int
    """Deltas beyond the limit. The totals hold them too."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Why a place says nothing, what to do, and what its connections found out."""

    cause: SilenceCause
    remedy: str
    seen: str
    """What tells so, where it is more than the place's own figures; else empty."""
    findings: tuple[PlaceFinding, ...]
    """None for a caller who may not read connections."""


@dataclass(frozen=True, slots=True)
class CoveredPlace:
    """An account and region; the region is empty where the whole account is meant."""

    account_name: str
    coverage: Coverage
    history: Mapping[date, Coverage]
    """Reconciled days with usage, in order."""
    silence: Silence | None
    shortfalls: tuple[Shortfall, ...]
    """Why it is below its service level though some calls are logged; the dearest first."""


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """How much of the billed usage in dollars is explained, and where it is not."""

    window: Window
    as_of: datetime | None
    basis: Basis
    total: Coverage
    history: Mapping[date, Coverage]
    places: tuple[CoveredPlace, ...]
    """The largest unlogged amount first."""
    rest_count: int
    """Places beyond the limit. The total holds them too."""
    silent_places: int
    """How many of all places are silent."""


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """The process that reconciles; one a tenant, which looks again when asked while it runs."""

    workflow_id: str
