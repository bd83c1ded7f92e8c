"""Connection coverage: the share of billed AI dollars that is explained."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import strawberry

from tensorcost.domain.cost.reconciliation.coverage import Coverage, share_shown
from tensorcost.domain.cost.reconciliation.facts import Basis
from tensorcost.domain.cost.reconciliation.silence import SilenceCause
from tensorcost.graphql.cost.types import CostWindow, window_of
from tensorcost.graphql.ids import global_id
from tensorcost.graphql.integration.findings import FINDING
from tensorcost.graphql.scalars import Money, Rate
from tensorcost.services.reconciliation import answers


@strawberry.type(description="Billed usage in scope, by what explains it; US dollars.")
class CoverageTotals:
    billed: Money
    by_requests: Money
    by_metrics: Money
    unlogged: Money
    explained: Rate | None = strawberry.field(
        description="Share of `billed` that any rows explain, cut off after six places."
    )
    explained_by_requests: Rate | None


@strawberry.type
class CoverageDay:
    day: date
    totals: CoverageTotals


@strawberry.type(description="An open finding of a connection about this place.")
class PlaceFinding:
    id: strawberry.ID
    code: str
    subject: str
    title: str
    remedy: str


@strawberry.type(description="Why a place says nothing.")
class Silence:
    cause: SilenceCause
    remedy: str
    findings: list[PlaceFinding] = strawberry.field(description="Needs the scope integration:read.")

    @classmethod
    def from_domain(cls, found: answers.Silence) -> "Silence":
        return cls(
            cause=found.cause,
            remedy=found.remedy,
            findings=[
                PlaceFinding(
                    id=global_id(FINDING, one.finding_id),
                    code=one.code,
                    subject=one.subject,
                    title=one.title,
                    remedy=one.remedy,
                )
                for one in found.findings
            ],
        )


@strawberry.type(description="An account and region; no region where the whole account is meant.")
class CoveredPlace:
    account_id: str
    account_name: str
    region: str
    totals: CoverageTotals
    history: list[CoverageDay]
    silence: Silence | None = strawberry.field(
        description="As of now; null for an `asOf` question."
    )

    @classmethod
    def from_domain(cls, found: answers.CoveredPlace) -> "CoveredPlace":
        return cls(
            account_id=found.coverage.account_id,
            account_name=found.account_name,
            region=found.coverage.region,
            totals=_totals(found.coverage),
            history=_history(found.history),
            silence=None if found.silence is None else Silence.from_domain(found.silence),
        )


@strawberry.type(description="How much of the billed usage is explained, and where it is not.")
class SpendCoverage:
    window: CostWindow
    as_of: datetime | None
    basis: Basis
    totals: CoverageTotals
    history: list[CoverageDay] = strawberry.field(
        description="Reconciled days with usage, the oldest first."
    )
    places: list[CoveredPlace] = strawberry.field(description="The largest unlogged amount first.")
    rest_count: int = strawberry.field(description="Places beyond the limit.")
    silent_places: int

    @classmethod
    def from_domain(cls, found: answers.CoverageReport) -> "SpendCoverage":
        return cls(
            window=window_of(found.window),
            as_of=found.as_of,
            basis=found.basis,
            totals=_totals(found.total),
            history=_history(found.history),
            places=[CoveredPlace.from_domain(place) for place in found.places],
            rest_count=found.rest_count,
            silent_places=found.silent_places,
        )


def _history(days: Mapping[date, Coverage]) -> list[CoverageDay]:
    return [CoverageDay(day=day, totals=_totals(sums)) for day, sums in days.items()]


def _totals(sums: Coverage) -> CoverageTotals:
    return CoverageTotals(
        billed=Money(sums.billed),
        by_requests=Money(sums.by_request),
        by_metrics=Money(sums.by_metric),
        unlogged=Money(sums.unlogged),
        explained=_rate(share_shown(sums.explained)),
        explained_by_requests=_rate(share_shown(sums.explained_by_request)),
    )


def _rate(share: Decimal | None) -> Rate | None:
    return None if share is None else Rate(share)
