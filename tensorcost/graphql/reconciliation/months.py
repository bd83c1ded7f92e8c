"""Reconciled months, their versions and bills, and what a version changed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import strawberry

from tensorcost.domain.cost.reconciliation import facts
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.facts import GapClass, Share
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.graphql.reconciliation.amounts import BilledAmount
from tensorcost.graphql.scalars import Count, Money
from tensorcost.services.reconciliation import answers
from tensorcost.storage.reconciliation import versions
from tensorcost.storage.spend import bill_periods


@strawberry.type(description="Billed money that no row explains.")
class UnattributedPart:
    share: Share
    amount: BilledAmount


@strawberry.type(description="A part of billed less estimate.")
class GapPart:
    gap_class: GapClass
    amount: BilledAmount


@strawberry.type(description="The closed days of a month in one currency.")
class ReconciliationTotal:
    currency: str
    billed: BilledAmount = strawberry.field(description="As the bill's own lines add up.")
    attributed: BilledAmount
    unattributed: list[UnattributedPart]
    difference: BilledAmount = strawberry.field(
        description="`billed` less `attributed` and `unattributed`: always zero."
    )
    estimate: Money = strawberry.field(description="By list price, before the bill.")
    gaps: list[GapPart] = strawberry.field(description="They add up to `billed` less `estimate`.")

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

    @classmethod
    def from_domain(cls, found: versions.Version) -> "ReconciliationVersion":
        return cls(
            version=found.version,
            known_at=found.known_at,
            closed_until=found.closed_until,
            requested_by=found.requested_by,
            days=found.days,
            days_changed=found.days_changed,
        )


@strawberry.type(description="A billing month and the newest version of its reconciliation.")
class ReconciliationPeriod:
    period: str
    state: PeriodState = strawberry.field(description="Of the bill, today.")
    pending: bool = strawberry.field(
        description="A bill is known that the version does not hold yet."
    )
    version: ReconciliationVersion | None
    totals: list[ReconciliationTotal]

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
    totals: list[BillTotal]

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

    @classmethod
    def with_versions(cls, found: answers.MonthDetail) -> "ReconciliationPeriodDetail":
        return cls(
            **_fields(found.month),
            versions=[ReconciliationVersion.from_domain(one) for one in found.versions],
            bills=[BillDelivery.from_domain(one) for one in found.bills],
        )


@strawberry.type(description="Signed. A sum names neither account nor model.")
class ReconciliationDelta:
    account_id: str | None
    model_id: str | None
    currency: str
    estimate: Money
    billed: BilledAmount
    attributed: BilledAmount


@strawberry.type(description="What one version of a month changed against another.")
class ReconciliationDiff:
    period: str
    from_version: int
    to_version: int
    totals: list[ReconciliationDelta]
    deltas: list[ReconciliationDelta] = strawberry.field(
        description="The largest change of the bill first."
    )
    rest_count: int = strawberry.field(description="Deltas beyond the limit.")

    @classmethod
    def from_domain(cls, found: answers.Difference) -> "ReconciliationDiff":
        return cls(
            period=month_name(found.period),
            from_version=found.former,
            to_version=found.latter,
            totals=[_delta(one, None, None) for one in found.totals],
            deltas=[_delta(one, one.account_id, one.model_id) for one in found.deltas],
            rest_count=found.rest_count,
        )


def _fields(found: answers.Month) -> dict[str, Any]:
    version = found.version
    return {
        "period": month_name(found.period),
        "state": found.state,
        "pending": found.is_pending,
        "version": None if version is None else ReconciliationVersion.from_domain(version),
        "totals": [ReconciliationTotal.from_domain(total) for total in found.totals],
    }


def _gaps(found: Mapping[GapClass, facts.Money]) -> list[GapPart]:
    return [
        GapPart(gap_class=name, amount=BilledAmount.from_domain(money))
        for name, money in found.items()
    ]


def _delta(
    found: answers.DeltaTotal | versions.Delta, account: str | None, model: str | None
) -> ReconciliationDelta:
    return ReconciliationDelta(
        account_id=account,
        model_id=model,
        currency=found.currency,
        estimate=Money(found.estimate_nano),
        billed=BilledAmount.from_domain(found.billed),
        attributed=BilledAmount.from_domain(found.attributed),
    )
