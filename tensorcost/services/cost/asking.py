"""What every cost question has in common, as the faces hand it in."""

from dataclasses import dataclass, field

from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.query import (
    DAILY,
    Charges,
    CostBasis,
    CostQuery,
    GroupBy,
    SpendFilter,
    Step,
)
from tensorcost.domain.cost.query_window import (
    Moment,
    WindowRule,
    as_of_moment,
    day_window,
    today_in,
)
from tensorcost.domain.cost.summary import Fact, add_up
from tensorcost.services.cost.answers import Settlement
from tensorcost.storage.cost_queries.billed import ReconciledDays, read_reconciled_days
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.cost_queries.freshness import read_time_zone
from tensorcost.storage.session import TenantTx


@dataclass(frozen=True, slots=True)
class CostRequest:
    """``[start, end)`` and ``as_of`` as text or times; without them the last 30 days until today.

    ``as_of`` asks what was known then; a date means its end.
    """

    start: Moment | None = None
    end: Moment | None = None
    as_of: Moment | None = None
    filter: SpendFilter = field(default_factory=SpendFilter)
    basis: CostBasis = CostBasis.UNBLENDED
    charges: Charges = Charges.USAGE


async def query_of(
    tx: TenantTx,
    ask: CostRequest,
    clock: Clock,
    *,
    group_by: tuple[GroupBy, ...] = (),
    step: Step | None = None,
    rule: WindowRule = DAILY,
) -> CostQuery:
    """The checked question. Raises ValidationFailed naming the parameter that is wrong.

    The tenant's time zone is asked only where the window ends with today.
    """
    now = clock()
    today = now.date()
    if ask.end is None:
        today = today_in(await read_time_zone(tx), now)
    return CostQuery(
        window=day_window(ask.start, ask.end, today=today, rule=rule),
        group_by=group_by,
        filter=ask.filter,
        step=step,
        as_of=as_of_moment(ask.as_of, now),
        basis=ask.basis,
        charges=ask.charges,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What storage says about a question."""

    query: CostQuery
    facts: list[Fact]
    reconciled: ReconciledDays

    def settlement(self) -> Settlement:
        """How far the sum of the facts is billed."""
        sums = add_up(self.facts)
        return Settlement(
            basis=self.query.basis,
            charges=self.query.charges,
            reconciled=self.reconciled,
            billed_nano=sums.billed_nano,
            estimated_nano=sums.estimated_nano,
        )


async def find(tx: TenantTx, query: CostQuery) -> Found:
    """The sums of ``query``. A reconciliation that ends between the two reads leaves its days out
    of ``reconciled``, never its money out of the facts."""
    reconciled = await read_reconciled_days(tx, query)
    return Found(query, await read_facts(tx, query), reconciled)
