"""The ledger: logged against billed by day and place, and why they differ."""

from datetime import date

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.cost.reconciliation.facts import Gap, GapClass
from tensorcost.domain.cost.reconciliation.remedies import explain
from tensorcost.domain.spend.facts import Grain
from tensorcost.graphql.cost.inputs import WindowInput
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.reconciliation.amounts import BilledAmount
from tensorcost.graphql.scalars import BigInt, Count, Money
from tensorcost.services.reconciliation.asking import LedgerAsk
from tensorcost.storage.reconciliation.ledger import LedgerRow


@strawberry.input(
    description="Rows to keep. Null keeps all; the empty text keeps the rows that name nothing."
)
class LedgerFilterInput:
    account: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = strawberry.field(
        default=None, description="Rows whose gap has this class."
    )
    min_gap: Money | None = strawberry.field(
        default=None,
        description="Rows of which a class (the one asked for) is at least this much, up or down.",
    )


@strawberry.type(description="One class of a row's gap, what it means and what to do.")
class LedgerGap:
    gap_class: GapClass
    amount: BilledAmount
    meaning: str
    remedy: str
    evidence: JSON

    @classmethod
    def from_domain(cls, found: Gap) -> "LedgerGap":
        known = explain(found.gap_class, found.evidence, found.cell)
        return cls(
            gap_class=found.gap_class,
            amount=BilledAmount.from_domain(found.money),
            meaning=known.meaning,
            remedy=known.remedy,
            evidence=JSON({name: str(value) for name, value in found.evidence.items()}),
        )


@strawberry.type(description="One account, region and model on one day.")
class LedgerEntry:
    day: date
    account_id: str
    region: str
    model_id: str
    currency: str
    grain: Grain | None = strawberry.field(
        description="Of the logged rows; null where there are none."
    )
    requests: Count
    logged_tokens: BigInt
    billed_tokens: BigInt
    lines: Count
    estimate: Money
    billed: BilledAmount
    attributed: BilledAmount
    residual: BilledAmount = strawberry.field(description="`billed` less `attributed`.")
    gaps: list[LedgerGap] = listed(len(GapClass), "They add up to `billed` less `estimate`.")

    @classmethod
    def from_domain(cls, found: LedgerRow) -> "LedgerEntry":
        total = found.total
        return cls(
            day=found.day,
            account_id=total.cell.account_id,
            region=total.cell.region,
            model_id=total.cell.model_id,
            currency=total.currency,
            grain=total.grain,
            requests=Count(total.requests),
            logged_tokens=BigInt(total.logged_tokens),
            billed_tokens=BigInt(total.billed_tokens),
            lines=Count(total.lines),
            estimate=Money(total.estimate_nano),
            billed=BilledAmount.from_domain(total.billed),
            attributed=BilledAmount.from_domain(total.attributed),
            residual=BilledAmount.from_domain(total.billed.minus(total.attributed)),
            gaps=[LedgerGap.from_domain(gap) for gap in found.gaps],
        )


def ledger_ask(
    period: str | None, window: WindowInput | None, kept: LedgerFilterInput | None
) -> LedgerAsk:
    """The question as the service takes it; it checks it."""
    given, rows = window or WindowInput(), kept or LedgerFilterInput()
    return LedgerAsk(
        period=period,
        start=given.from_,
        end=given.to,
        as_of=given.as_of,
        account=rows.account,
        region=rows.region,
        model_id=rows.model_id,
        gap_class=rows.gap_class,
        min_gap_nano=rows.min_gap,
    )
