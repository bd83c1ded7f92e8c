"""Connection coverage: the share of billed AI dollars that is explained."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import strawberry

from tensorcost.domain.cost.query import DEFAULT_ROWS
from tensorcost.domain.cost.reconciliation.coverage import Coverage, share_shown
from tensorcost.domain.cost.reconciliation.facts import Basis
from tensorcost.domain.cost.reconciliation.shortfall import ShortfallCause
from tensorcost.domain.cost.reconciliation.silence import SilenceCause
from tensorcost.graphql.cost.types import CostWindow, window_of
from tensorcost.graphql.execution.sizes import listed
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
    seen: str = strawberry.field(
        description="What tells so beyond the figures of the place, or nothing."
    )
    remedy: str
    findings: list[PlaceFinding] = strawberry.field(description="Needs the scope integration:read.")

    @classmethod
    def from_domain(cls, found: answers.Silence) -> "Silence":
        return cls(
            cause=found.cause,
            seen=found.seen,
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


@strawberry.type(description="Why a place is logged in part: a probable cause and what was seen.")
class Shortfall:
    cause: ShortfallCause
    amount: Money = strawberry.field(description="Unblended dollars that it stands for.")
    seen: str
    remedy: str


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
    shortfalls: list[Shortfall] = listed(
        len(ShortfallCause),
        "Why single requests explain less than 95% though some are logged, the "
        "dearest cause first. As of now; empty for an `asOf` question.",
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
            shortfalls=[
                Shortfall(cause=one.cause, amount=Money(one.nano), seen=one.seen, remedy=one.remedy)
                for one in found.shortfalls
            ],
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
    places: list[CoveredPlace] = listed(
        DEFAULT_ROWS, "The largest unlogged amount first.", by_limit=True
    )
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
