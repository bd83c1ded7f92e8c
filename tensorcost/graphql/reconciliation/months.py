"""Reconciled months, their versions and bills, and what a version changed."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import strawberry

from tensorcost.domain.cost.query import DEFAULT_ROWS
from tensorcost.domain.cost.reconciliation import facts
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.cost.reconciliation.facts import GapClass, LineClass, Share
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.cost.reconciliation.remedies import explain, explain_places
from tensorcost.graphql.execution.sizes import CURRENCIES, listed
from tensorcost.graphql.reconciliation.amounts import BilledAmount
from tensorcost.graphql.scalars import Count, Money
from tensorcost.services.reconciliation import answers
from tensorcost.storage.reconciliation import versions
from tensorcost.storage.reconciliation.contributors import MOST_CONTRIBUTORS, Contributor
from tensorcost.storage.spend import bill_periods


@strawberry.type(description="Billed money that no row explains.")
class UnattributedPart:
    share: Share
    amount: BilledAmount


@strawberry.type(description="A part of billed less estimate.")
class GapPart:
    gap_class: GapClass
    amount: BilledAmount


@strawberry.type(description="A place's part of a class, and what to do about it.")
class GapContributor:
    account_id: str
    region: str
    model_id: str
    amount: BilledAmount
    days: int
    remedy: str

    @classmethod
    def from_domain(cls, gap_class: GapClass, found: Contributor) -> "GapContributor":
        return cls(
            account_id=found.cell.account_id,
            region=found.cell.region,
            model_id=found.cell.model_id,
            amount=BilledAmount.from_domain(found.money),
            days=found.days,
            remedy=explain(gap_class, found.evidence, found.cell).remedy,
        )


@strawberry.type(description="A class of a month's gap in one currency, and where it comes from.")
class ExplainedGap:
    currency: str
    gap_class: GapClass
    meaning: str
    remedy: str
    contributors: list[GapContributor] = listed(
        MOST_CONTRIBUTORS, "The places that weigh most, the largest first."
    )


@strawberry.type(description="The closed days of a month in one currency.")
class ReconciliationTotal:
    currency: str
    billed: BilledAmount = strawberry.field(description="As the bill's own lines add up.")
    attributed: BilledAmount
    unattributed: list[UnattributedPart] = listed(len(Share) - 1)
    difference: BilledAmount = strawberry.field(
        description="`billed` less `attributed` and `unattributed`: always zero."
    )
    estimate: Money = strawberry.field(description="By list price, before the bill.")
    gaps: list[GapPart] = listed(len(GapClass), "They add up to `billed` less `estimate`.")

    @classmethod
    def from_domain(cls, found: answers.MonthTotal) -> "ReconciliationTotal":
        return cls(
            currency=found.currency,
            billed=BilledAmount.from_domain(found.billed),
            attributed=BilledAmount.from_domain(found.attributed),
            unattributed=[
                UnattributedPart(share=share, amount=BilledAmount.from_domain(money))
                for share, money in found.unattributed.items()
            ],
            difference=BilledAmount.from_domain(found.difference),
            estimate=Money(found.estimate_nano),
            gaps=_gaps(found.gaps),
        )


@strawberry.type(description="One reconciliation of a month.")
class ReconciliationVersion:
    version: int
    known_at: datetime
    closed_until: date = strawberry.field(description="Days before this one are in it.")
    requested_by: str
    days: int
    days_changed: int
    causes: list[Cause] = listed(
        len(Cause),
        "What it saw that the version before did not. None: prices alone may differ.",
    )

    @classmethod
    def from_domain(cls, found: versions.Version) -> "ReconciliationVersion":
        return cls(
            version=found.version,
            known_at=found.known_at,
            closed_until=found.closed_until,
            requested_by=found.requested_by,
            days=found.days,
            days_changed=found.days_changed,
            causes=list(found.causes),
        )


@strawberry.type(description="A billing month and the newest version of its reconciliation.")
class ReconciliationPeriod:
    period: str
    state: PeriodState = strawberry.field(
        description="Of the bill; as it was then for an `asOf` question."
    )
    pending: bool = strawberry.field(
        description="A bill is known that the version does not hold yet."
    )
    older_rules: bool = strawberry.field(
        description="The version was made by older rules of ours. A month that is not final is "
        "reconciled anew with the next sync, a final one when it is asked for."
    )
    version: ReconciliationVersion | None
    totals: list[ReconciliationTotal] = listed(CURRENCIES)

    @classmethod
    def from_domain(cls, found: answers.Month) -> "ReconciliationPeriod":
        return cls(**_fields(found))


@strawberry.type(description="Everything on a bill in one currency.")
class BillTotal:
    currency: str
    amount: BilledAmount


@strawberry.type(description="One export's delivery of a month.")
class BillDelivery:
    delivery_id: strawberry.ID
    export_name: str
    payer_account_id: str
    counted: bool = strawberry.field(
        description="False where another export of the payer is the bill."
    )
    state: PeriodState
    invoice_id: str
    invoice_since: datetime | None
    known_at: datetime
    lines: Count
    totals: list[BillTotal] = listed(CURRENCIES)

    @classmethod
    def from_domain(cls, found: bill_periods.BilledPeriod) -> "BillDelivery":
        return cls(
            delivery_id=strawberry.ID(str(found.delivery_id)),
            export_name=found.export_name,
            payer_account_id=found.payer_account_id,
            counted=found.counted,
            state=found.state,
            invoice_id=found.invoice_id,
            invoice_since=found.invoice_since,
            known_at=found.known_at,
            lines=Count(found.lines),
            totals=[
                BillTotal(currency=currency, amount=BilledAmount.from_domain(money))
                for currency, money in found.totals.items()
            ],
        )


@strawberry.type(description="A month with its versions and the exports that bill it.")
class ReconciliationPeriodDetail(ReconciliationPeriod):
    versions: list[ReconciliationVersion] = strawberry.field(description="The newest first.")
    bills: list[BillDelivery] = strawberry.field(description="None for an `asOf` question.")
    explained: list[ExplainedGap] = listed(
        CURRENCIES * len(GapClass), "Each class of the gap in each currency."
    )

    @classmethod
    def with_versions(cls, found: answers.MonthDetail) -> "ReconciliationPeriodDetail":
        return cls(
            **_fields(found.month),
            versions=[ReconciliationVersion.from_domain(one) for one in found.versions],
            bills=[BillDelivery.from_domain(one) for one in found.bills],
            explained=[
                _explained(currency, name, places)
                for (currency, name), places in found.contributors.items()
            ],
        )


@strawberry.type(description="Signed. A sum names neither account, model nor class.")
class ReconciliationDelta:
    account_id: str | None
    model_id: str | None
    line_class: LineClass | None = strawberry.field(
        description="What was billed; estimates and what is attributed belong to usage."
    )
    currency: str
    estimate: Money
    billed: BilledAmount
    attributed: BilledAmount


@strawberry.type(description="What one version of a month changed against another.")
class ReconciliationDiff:
    period: str
    from_version: int
    to_version: int
    causes: list[Cause] = listed(len(Cause), "Of the versions from the one to the other.")
    totals: list[ReconciliationDelta] = listed(CURRENCIES)
    deltas: list[ReconciliationDelta] = listed(
        DEFAULT_ROWS, "The largest change of the bill first.", by_limit=True
    )
    rest_count: int = strawberry.field(description="Deltas beyond the limit.")

    @classmethod
    def from_domain(cls, found: answers.Difference) -> "ReconciliationDiff":
        return cls(
            period=month_name(found.period),
            from_version=found.former,
            to_version=found.latter,
            causes=list(found.causes),
            totals=[_delta(one) for one in found.totals],
            deltas=[_delta(one, one) for one in found.deltas],
            rest_count=found.rest_count,
        )


def _fields(found: answers.Month) -> dict[str, Any]:
    version = found.version
    return {
        "period": month_name(found.period),
        "state": found.state,
        "pending": found.is_pending,
        "older_rules": found.has_older_rules,
        "version": None if version is None else ReconciliationVersion.from_domain(version),
        "totals": [ReconciliationTotal.from_domain(total) for total in found.totals],
    }


def _explained(currency: str, name: GapClass, places: Sequence[Contributor]) -> ExplainedGap:
    known = explain_places(name, [one.evidence for one in places])
    return ExplainedGap(
        currency=currency,
        gap_class=name,
        meaning=known.meaning,
        remedy=known.remedy,
        contributors=[GapContributor.from_domain(name, one) for one in places],
    )


def _gaps(found: Mapping[GapClass, facts.Money]) -> list[GapPart]:
    return [
        GapPart(gap_class=name, amount=BilledAmount.from_domain(money))
        for name, money in found.items()
    ]


def _delta(
    found: answers.DeltaTotal | versions.Delta, named: versions.Delta | None = None
) -> ReconciliationDelta:
    return ReconciliationDelta(
        account_id=None if named is None else named.account_id,
        model_id=None if named is None else named.model_id,
        line_class=None if named is None else named.line_class,
        currency=found.currency,
        estimate=Money(found.estimate_nano),
        billed=BilledAmount.from_domain(found.billed),
        attributed=BilledAmount.from_domain(found.attributed),
    )
