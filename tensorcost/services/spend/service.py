"""AI spend: single events with the origin of their price, totals, unit costs, attribution."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.query import (
    LISTING,
    GroupBy,
    SpendFilter,
    Step,
    check_rows,
)
from tensorcost.domain.cost.query_listing import EventKey, ListingQuery
from tensorcost.domain.cost.query_window import Moment, instant_window
from tensorcost.domain.cost.summary import Fact, Key, Row, add_up, draw, set_beside, tabulate
from tensorcost.domain.cost.unit_economics import unit_economics
from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.cost.asking import CostRequest, Found, find, query_of
from tensorcost.services.cost.series import buckets_of
from tensorcost.services.cost.service import unpriced_parts
from tensorcost.services.spend.access import AuditedReads
from tensorcost.services.spend.answers import (
    ActorCost,
    EventPage,
    PricedEvent,
    SpendSummary,
    UnitEconomicsAnswer,
    UnitRow,
)
from tensorcost.storage.cost_queries.actors import names_actor
from tensorcost.storage.price_queries import read_price_versions
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend_queries import read_events

_SUMMARY_GROUPS: Final = (GroupBy.PROVIDER, GroupBy.MODEL, GroupBy.APPLICATION, GroupBy.TEAM)
DEFAULT_EVENTS: Final = 100
MAX_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """``[start, end)`` as text or times; without them the last 24 hours. At most 92 days."""

    start: Moment | None = None
    end: Moment | None = None
    filter: SpendFilter = field(default_factory=SpendFilter)
    unpriced_only: bool = False


class SpendService:
    """Reads around ``ai.spend_event`` and its rollups."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._clock = clock
        self._reads = AuditedReads(db, clock)

    @requires(Scope.AI_READ)
    async def events(
        self,
        principal: Principal,
        ask: EventsRequest,
        limit: int | None = None,
        after: EventKey | None = None,
    ) -> EventPage:
        """Single events, newest first. Events that arrive later never shift a page."""
        query = ListingQuery(
            window=instant_window(ask.start, ask.end, now=self._clock(), rule=LISTING),
            limit=check_rows(limit, default=DEFAULT_EVENTS, most=MAX_EVENTS),
            filter=ask.filter,
            unpriced_only=ask.unpriced_only,
            after=after,
        )
        async with self._reads.rows(principal, "spend.events", _detail(query)) as tx:
            page = await read_events(tx, query)
            versions = {row.price_version for row in page.rows} - {None, 0}
            prices = await read_price_versions(tx, {v for v in versions if v is not None})
        rows = tuple(PricedEvent(row, prices.get(row.price_version or 0)) for row in page.rows)
        return EventPage(query.window, rows, page.has_more)

    @requires(Scope.AI_READ)
    async def summary(
        self, principal: Principal, ask: CostRequest, limit: int | None = None
    ) -> SpendSummary:
        """Totals by provider, model, application and team."""
        rows = check_rows(limit)
        async with self._reads.sums(principal, "spend.summary") as tx:
            found = await self._ai_facts(tx, ask, _SUMMARY_GROUPS)
            query, facts = found.query, found.facts
            sums = add_up(facts)
            unpriced = await unpriced_parts(tx, query, sums)
        provider, model, application, team = (
            tabulate(facts, limit=rows, key=_part(n)) for n in range(len(_SUMMARY_GROUPS))
        )
        return SpendSummary(
            window=query.window,
            as_of=query.as_of,
            settlement=found.settlement(),
            sums=sums,
            by_provider=provider,
            by_model=model,
            by_application=application,
            by_team=team,
            beside=set_beside(facts),
            unpriced=unpriced,
        )

    @requires(Scope.AI_READ)
    async def unit_economics(
        self,
        principal: Principal,
        ask: CostRequest,
        group_by: GroupBy = GroupBy.MODEL,
        limit: int | None = None,
    ) -> UnitEconomicsAnswer:
        """Cost per 1K tokens and per request, and the cache-hit rate, in all and by group."""
        rows = check_rows(limit)
        async with self._reads.sums(principal, "spend.unit_economics") as tx:
            found = await self._ai_facts(tx, ask, (group_by,))
        table = tabulate(found.facts, limit=rows)
        return UnitEconomicsAnswer(
            window=found.query.window,
            as_of=found.query.as_of,
            settlement=found.settlement(),
            group_by=group_by,
            total=_unit_row(Row((), table.sums)),
            rows=tuple(_unit_row(row) for row in table.rows),
            rest_count=table.rest_count,
        )

    @requires(Scope.AGENT_READ)
    async def agent_cost(self, principal: Principal, agent: str, ask: CostRequest) -> ActorCost:
        """What one agent cost; NotFound when no row ever named it."""
        only = replace(ask.filter, agent=agent)
        return await self._actor_cost(principal, GroupBy.AGENT, agent, replace(ask, filter=only))

    @requires(Scope.WORKLOAD_READ)
    async def workflow_cost(
        self, principal: Principal, workflow: str, ask: CostRequest
    ) -> ActorCost:
        """What one workflow cost; NotFound when no row ever named it."""
        only = replace(ask.filter, workflow=workflow)
        return await self._actor_cost(
            principal, GroupBy.WORKFLOW, workflow, replace(ask, filter=only)
        )

    async def _actor_cost(
        self, principal: Principal, kind: GroupBy, name: str, ask: CostRequest
    ) -> ActorCost:
        partner = GroupBy.WORKFLOW if kind is GroupBy.AGENT else GroupBy.AGENT
        async with self._reads.sums(principal, f"spend.{kind.value}_cost") as tx:
            if not await names_actor(tx, kind, name):
                raise NotFound(kind.value, name)
            query = await query_of(
                tx, ask, self._clock, group_by=(GroupBy.MODEL, partner), step=Step.DAY
            )
            found = await find(tx, query)
        facts = found.facts
        buckets = buckets_of(query.window, Step.DAY, self._clock())
        in_all = [replace(fact, key=()) for fact in facts]
        sums = add_up(facts)
        return ActorCost(
            name=name,
            window=query.window,
            as_of=query.as_of,
            settlement=found.settlement(),
            sums=sums,
            buckets=buckets,
            daily=draw(in_all, [bucket.start for bucket in buckets], most=1)[0],
            by_model=tabulate(facts, key=_part(0)),
            by_partner=tabulate(facts, key=_part(1)),
            beside=set_beside(facts),
            figures=unit_economics(sums.usage),
        )

    async def _ai_facts(
        self, tx: TenantTx, ask: CostRequest, group_by: tuple[GroupBy, ...]
    ) -> Found:
        only = replace(ask, filter=replace(ask.filter, ai_only=True))
        return await find(tx, await query_of(tx, only, self._clock, group_by=group_by))


def _part(n: int) -> Callable[[Fact], Key]:
    """The n-th part of a fact's key."""
    return lambda fact: fact.key[n : n + 1]


def _unit_row(row: Row) -> UnitRow:
    return UnitRow(row.key, unit_economics(row.sums.usage), row.sums)


def _detail(query: ListingQuery) -> dict[str, object]:
    return {
        "from": query.window.start.isoformat(),
        "to": query.window.end.isoformat(),
        "filter": query.filter.given(),
        "limit": query.limit,
    }
