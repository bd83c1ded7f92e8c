"""Amounts in the bill's cost bases, and the closed sets of the reconciliation."""

import strawberry

from tensorcost.domain.cost.reconciliation import facts
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.cost.reconciliation.facts import Basis, GapClass, LineClass, Share
from tensorcost.domain.cost.reconciliation.shortfall import ShortfallCause
from tensorcost.domain.cost.reconciliation.silence import SilenceCause
from tensorcost.graphql.scalars import Money
from tensorcost.storage.reconciliation.ledger import LedgerOrder

strawberry.enum(Basis, name="BilledBasis", description="Only unblended is the invoice's.")
strawberry.enum(GapClass, name="GapClass", description="Why a bill differs from its estimate.")
strawberry.enum(
    LedgerOrder,
    name="LedgerOrder",
    description="The newest day first, or the largest amount of a class (of the one asked for).",
)
strawberry.enum(LineClass, name="BilledClass", description="What lines of a bill charge for.")
strawberry.enum(Cause, name="RestatementCause")
strawberry.enum(PeriodState, name="BillingState")
strawberry.enum(Share, name="BilledShare", description="Where billed money went.")
strawberry.enum(SilenceCause, name="SilenceCause")
strawberry.enum(ShortfallCause, name="ShortfallCause")


@strawberry.type(description="One amount in the bill's three cost bases.")
class BilledAmount:
    unblended: Money
    amortized: Money
    net: Money

    @classmethod
    def from_domain(cls, found: facts.Money) -> "BilledAmount":
        return cls(
            unblended=Money(found.unblended),
            amortized=Money(found.amortized),
            net=Money(found.net),
        )
