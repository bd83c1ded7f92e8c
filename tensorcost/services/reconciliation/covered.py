"""Covered places put together, each silent one with its cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tensorcost.domain.cost.reconciliation.coverage import Coverage, Place
from tensorcost.domain.cost.reconciliation.facts import Basis, Money
from tensorcost.domain.cost.reconciliation.shortfall import Shortfall
from tensorcost.domain.cost.reconciliation.silence import REMEDIES, SilenceCause, silence_cause
from tensorcost.domain.cost.reconciliation.surroundings import Surroundings
from tensorcost.services.reconciliation.answers import CoveredPlace, Silence
from tensorcost.storage.reconciliation.coverage import Explained

_EVERYWHERE: Place = ("", "")
_NOTHING = Explained(Money(), Money(), Money())


@dataclass(frozen=True, slots=True)
class Known:
    """A place before its history is read."""

    place: Place
    coverage: Coverage
    silence: Silence | None
    is_short: bool
    """Some calls are logged, and too few."""

    def with_history(
        self,
        days: Mapping[date, Explained],
        basis: Basis,
        around: Surroundings | None,
        why: Sequence[Shortfall],
    ) -> CoveredPlace:
        account = around.accounts.get(self.place[0]) if around else None
        return CoveredPlace(
            account_name=account.name if account else "",
            coverage=self.coverage,
            history=by_day(days, basis, self.place),
            silence=self.silence,
            shortfalls=tuple(why),
        )


@dataclass(frozen=True, slots=True)
class Covered:
    """Billed usage of the places asked for, and what is known around them."""

    by_place: Mapping[Place, Explained]
    basis: Basis
    around: Surroundings | None
    """None where causes are not to be named."""
    extra: Sequence[Place]
    """Places without billed usage that may be silent all the same."""
    names_findings: bool

    def places(self) -> list[Known]:
        """The largest unlogged amount first; without a bill only those that are silent."""
        told = [self._known(place, usage) for place, usage in self.by_place.items()]
        others = (self._known(p, _NOTHING) for p in self.extra if p not in self.by_place)
        return sorted([*told, *(place for place in others if place.silence)], key=_order)

    def _known(self, place: Place, usage: Explained) -> Known:
        silence = self._silence(place, usage.billed.unblended)
        return Known(
            place,
            coverage_of(usage, self.basis, place),
            silence,
            is_short=self.around is not None
            and silence is None
            and self.around.logged_days(place) is not None
            and coverage_of(usage, Basis.UNBLENDED, place).is_below_service_level,
        )

    def _silence(self, place: Place, billed_nano: int) -> Silence | None:
        if self.around is None:
            return None
        cause = silence_cause(self.around.facts(place, billed_nano))
        if cause is None:
            return None
        findings = self.around.findings_about(place) if self.names_findings else ()
        kept = self.around.kept_logs.get(place)
        seen = kept.seen if kept and cause is SilenceCause.LOGS_EXPIRED else ""
        return Silence(cause, REMEDIES[cause], seen, tuple(findings))


def by_day(
    days: Mapping[date, Explained], basis: Basis, place: Place = _EVERYWHERE
) -> dict[date, Coverage]:
    """Each day's coverage in one basis."""
    return {day: coverage_of(usage, basis, place) for day, usage in days.items()}


def coverage_of(usage: Explained, basis: Basis, place: Place = _EVERYWHERE) -> Coverage:
    """The amounts of one basis."""
    return Coverage(
        *place,
        by_request=getattr(usage.by_requests, basis.value),
        by_metric=getattr(usage.by_metrics, basis.value),
        unlogged=getattr(usage.unlogged, basis.value),
    )


def _order(known: Known) -> tuple[int, int, Place]:
    sums = known.coverage
    return -sums.unlogged, -sums.billed, known.place
