"""Cost of the tenant: GPU hours, managed inference and agent workloads together."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.query import (
    DAILY,
    HOURLY,
    MAX_SERIES,
    TAGS,
    CostQuery,
    GroupBy,
    Step,
    check_rows,
)
from tensorcost.domain.cost.summary import Row, Sums, Table, add_up, draw, set_beside, tabulate
from tensorcost.domain.cost.summary_freshness import Watermark, watermark
from tensorcost.domain.cost.summary_unpriced import UnpricedPart, explain_unpriced
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.spend.facts import Source
from tensorcost.services.authorise import requires
from tensorcost.services.cost.answers import Breakdown, CostSummary, TimeSeries
from tensorcost.services.cost.asking import CostRequest, find, query_of
from tensorcost.services.cost.series import buckets_of
from tensorcost.services.spend.access import AuditedReads
from tensorcost.storage.cost_queries.freshness import read_seen, read_synced
from tensorcost.storage.cost_queries.unpriced import read_unpriced
from tensorcost.storage.price_queries import read_model_prices
from tensorcost.storage.session import Database, TenantTx

LOOK_BACK: Final = timedelta(days=92)
"""A source without rows for longer has no watermark."""
DEFAULT_LINES: Final = 10
SOURCES: Final = tuple(source for source in Source if source is not Source.OTHER)


class CostService:
    """Reads over the rollups; every answer counts a use once (decisions 1)."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._clock = clock
        self._reads = AuditedReads(db, clock)

    @requires(Scope.COST_READ)
    async def summary(self, principal: Principal, ask: CostRequest) -> CostSummary:
        """Totals by workload and source, the unpriced part, and each source's watermark."""
        async with self._reads.sums(principal, "cost.summary") as tx:
            query = await query_of(
                tx, ask, self._clock, group_by=(GroupBy.SOURCE, GroupBy.WORKLOAD)
            )
            found = await find(tx, query)
            facts = found.facts
            by_source = tabulate(facts, key=lambda fact: fact.key[:1])
            return CostSummary(
                window=query.window,
                as_of=query.as_of,
                settlement=found.settlement(),
                by_workload=tabulate(facts, key=lambda fact: fact.key[1:]),
                by_source=_with_all_sources(by_source),
                unpriced=await unpriced_parts(tx, query, by_source.sums),
                freshness=() if query.as_of else await self._freshness(tx),
            )

    @requires(Scope.COST_READ)
    async def by_source(self, principal: Principal, ask: CostRequest) -> Breakdown:
        """Every source, those without cost at zero."""
        found = await self._breakdown(principal, ask, GroupBy.SOURCE, None, "cost.by_source")
        return replace(found, table=_with_all_sources(found.table))

    @requires(Scope.COST_READ)
    async def by_tag(
        self, principal: Principal, ask: CostRequest, tag: GroupBy, limit: int | None = None
    ) -> Breakdown:
        """By application, team, environment or owner; what names none is a row of its own."""
        if tag not in TAGS:
            choices = ", ".join(choice.value for choice in TAGS)
            raise ValidationFailed(f"'tag' must be one of {choices}", field="tag")
        return await self._breakdown(principal, ask, tag, check_rows(limit), "cost.by_tag")

    @requires(Scope.COST_READ)
    async def breakdown(
        self, principal: Principal, ask: CostRequest, group_by: GroupBy, limit: int | None = None
    ) -> Breakdown:
        """By anything in ``GroupBy``: model, account, region, user, agent, workflow …"""
        return await self._breakdown(principal, ask, group_by, check_rows(limit), "cost.breakdown")

    @requires(Scope.COST_READ)
    async def timeseries(
        self,
        principal: Principal,
        ask: CostRequest,
        step: Step = Step.DAY,
        group_by: GroupBy | None = None,
        lines: int | None = None,
    ) -> TimeSeries:
        """Cost by day or hour, one line a group: the largest ``lines``, the others in one."""
        most = check_rows(lines, default=DEFAULT_LINES, most=MAX_SERIES)
        async with self._reads.sums(principal, "cost.timeseries") as tx:
            query = await query_of(
                tx,
                ask,
                self._clock,
                group_by=() if group_by is None else (group_by,),
                step=step,
                rule=HOURLY if step is Step.HOUR else DAILY,
            )
            found = await find(tx, query)
        facts = found.facts
        buckets = buckets_of(query.window, step, self._clock())
        return TimeSeries(
            window=query.window,
            as_of=query.as_of,
            settlement=found.settlement(),
            step=step,
            group_by=group_by,
            buckets=buckets,
            lines=draw(facts, [bucket.start for bucket in buckets], most=most),
            sums=add_up(facts),
            beside=set_beside(facts),
        )

    async def _breakdown(
        self,
        principal: Principal,
        ask: CostRequest,
        group_by: GroupBy,
        limit: int | None,
        use_case: str,
    ) -> Breakdown:
        async with self._reads.sums(principal, use_case) as tx:
            query = await query_of(tx, ask, self._clock, group_by=(group_by,))
            found = await find(tx, query)
        return Breakdown(
            window=query.window,
            as_of=query.as_of,
            settlement=found.settlement(),
            group_by=group_by,
            table=tabulate(found.facts, limit=limit),
        )

    async def _freshness(self, tx: TenantTx) -> tuple[Watermark, ...]:
        now = self._clock()
        seen = await read_seen(tx, (now - LOOK_BACK).date())
        synced = await read_synced(tx)
        return tuple(watermark(s, synced_at=synced.get(s.source), now=now) for s in seen)


async def unpriced_parts(tx: TenantTx, query: CostQuery, sums: Sums) -> tuple[UnpricedPart, ...]:
    """What is missing from ``sums`` for want of a price, by model and reason."""
    total = sums.total
    if not total.unpriced_requests and not total.unpriced_tokens:
        return ()
    usages = await read_unpriced(tx, query)
    prices = await read_model_prices(tx, {usage.where.model_id for usage in usages})
    return explain_unpriced(usages, prices.book())


def _with_all_sources(table: Table) -> Table:
    present = {row.key for row in table.rows}
    absent = tuple(Row((s.value,), Sums()) for s in SOURCES if (s.value,) not in present)
    return replace(table, rows=table.rows + absent)
