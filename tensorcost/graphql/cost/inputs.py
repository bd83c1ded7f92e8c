"""Arguments that every cost question shares."""

import strawberry

from tensorcost.domain.cost.query import Charges, CostBasis, GroupBy, SpendFilter, Step
from tensorcost.domain.spend.facts import Source
from tensorcost.graphql.scalars import Moment
from tensorcost.services.cost.asking import CostRequest

strawberry.enum(GroupBy, name="CostDimension", description="What cost can be broken down by.")
strawberry.enum(Step, name="CostStep")
strawberry.enum(
    CostBasis,
    name="CostBasis",
    description="How reconciled days are costed: in one of the bill's bases, or estimated.",
)
strawberry.enum(
    Charges,
    name="CostCharges",
    description="What counts on reconciled days: AI usage, or everything on the invoice. Other "
    "days, and parts of a day, count list estimates either way.",
)
strawberry.enum(Source, name="SpendSource", description="Where the spend was incurred.")


@strawberry.input(description="`[from, to)` in UTC; without them the last 30 days until today.")
class WindowInput:
    from_: Moment | None = strawberry.field(name="from", default=None)
    to: Moment | None = None
    as_of: Moment | None = strawberry.field(
        default=None, description="Answer with what was known then."
    )


@strawberry.input(
    description="Rows to keep. Null keeps all; the empty text keeps the rows that name nothing."
)
class SpendFilterInput:
    source: Source | None = None
    provider: str | None = None
    model_id: str | None = None
    account: str | None = None
    region: str | None = None
    application: str | None = None
    team: str | None = None
    environment: str | None = None
    owner: str | None = None
    user: str | None = None
    agent: str | None = None
    workflow: str | None = None
    ai_only: bool = strawberry.field(default=False, description="Leave GPU hours out.")

    def to_domain(self) -> SpendFilter:
        """The filter as the services take it."""
        return SpendFilter(**vars(self))


def cost_request(
    window: WindowInput | None,
    spend_filter: SpendFilterInput | None,
    basis: CostBasis,
    charges: Charges,
) -> CostRequest:
    """The question as the services take it; they check it."""
    given = window or WindowInput()
    return CostRequest(
        start=given.from_,
        end=given.to,
        as_of=given.as_of,
        filter=spend_filter.to_domain() if spend_filter else SpendFilter(),
        basis=basis,
        charges=charges,
    )
