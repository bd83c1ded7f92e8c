"""The rollups' answers against a model that looks at single rows and knows no SQL."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.query import CostQuery, GroupBy, SpendFilter
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Verdict
from tensorcost.domain.spend.facts import Actor, Dimension, Grain
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.spend import dimension
from tests.support.spend_rows import Billed, Use, add_bill, add_uses, at
from tests.support.tenants import make_tenant

FIRST = date(2026, 2, 26)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
LOADED = [datetime(2026, 3, 10, hour, tzinfo=UTC) for hour in (1, 2, 3)]
Totals = dict[tuple[str, Grain, Verdict, str], int]

wheres = st.builds(
    dimension,
    model_id=st.sampled_from(["", "m-1", "m-2"]),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    usage_account_id=st.sampled_from(["111122223333", "444455556666"]),
    team=st.sampled_from(["", "care"]),
)
uses = st.builds(
    Use,
    at=st.builds(at, st.sampled_from(DAYS), st.integers(0, 23)),
    where=wheres,
    cost_nano=st.one_of(st.none(), st.integers(0, 10**12)),
    who=st.sampled_from([Actor(), Actor(agent="triage"), Actor(user="ana")]),
    grain=st.sampled_from([Grain.REQUEST, Grain.METRIC, Grain.METRIC]),
)
categories = st.sampled_from(["Usage", "Usage", "Usage", "Tax", "Credit"])
bills = st.builds(
    Billed,
    day=st.sampled_from(DAYS),
    where=wheres,
    unblended_nano=st.integers(-(10**6), 10**12),
    category=categories,
    in_scope=st.sampled_from([True, True, False]),
    currency=st.sampled_from(["USD", "USD", "EUR"]),
)


@dataclass(frozen=True)
class World:
    """Three loads, each of usage rows and of a restatement of the bill."""

    uses: tuple[list[Use], ...]
    bills: tuple[list[Billed], ...]


worlds = st.builds(
    World,
    uses=st.tuples(*(st.lists(uses, max_size=8) for _ in LOADED)),
    bills=st.tuples(
        *(st.lists(bills, max_size=6, unique_by=lambda b: _bill_key(b)) for _ in LOADED)
    ),
)
windows = st.lists(st.sampled_from([*DAYS, DAYS[-1] + timedelta(days=1)]), min_size=2, unique=True)


@given(
    world=worlds,
    edges=windows,
    loads=st.integers(0, len(LOADED)),
    by=st.sampled_from([GroupBy.MODEL, GroupBy.TEAM, GroupBy.AGENT]),
    only_model=st.sampled_from([None, None, "m-1"]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_what_counts_and_what_stands_beside_agree_with_a_naive_model(
    db: Database,
    database: databases.Database,
    world: World,
    edges: list[date],
    loads: int,
    by: GroupBy,
    only_model: str | None,
) -> None:
    tenant = await make_tenant(database)
    neighbour = await make_tenant(database)
    for n, known in enumerate(LOADED):
        for owner in (tenant, neighbour):
            if world.uses[n]:
                await add_uses(db, owner, _anew(world.uses[n]), known_at=known)
            if world.bills[n]:
                await add_bill(db, owner, world.bills[n], period=FIRST, known_at=known)
    window = Window.of_days(min(edges), max(edges))
    only = SpendFilter(model_id=only_model)
    for as_of, known_loads in (
        (None, len(LOADED)),
        (LOADED[0] + timedelta(hours=loads - 1, minutes=30), loads),
    ):
        query = CostQuery(window, group_by=(by,), filter=only, as_of=as_of)
        async with db.tenant(tenant) as tx:
            facts = await read_facts(tx, query)
        got: Totals = {
            (f.key[0], f.grain, f.verdict, f.currency): f.measures.cost_nano for f in facts
        }
        assert got == _naive(world, known_loads, window, by, only_model)


def _naive(world: World, loads: int, window: Window, by: GroupBy, only_model: str | None) -> Totals:
    known = [use for load in world.uses[:loads] for use in load]
    stated = [load for load in world.bills[:loads] if load]
    finest: dict[tuple[date, str, str, str], Grain] = {}
    for use in known:
        cell = _cell(use.at.date(), use.where)
        finest[cell] = min(finest.get(cell, use.grain), use.grain)
    areas = {cell[:3] for cell in finest}
    totals: Totals = defaultdict(int)
    for use in known:
        if window.start <= use.at < window.end and only_model in (None, use.where.model_id):
            counts = use.grain is finest[_cell(use.at.date(), use.where)]
            verdict = Verdict.COUNTED if counts else Verdict.FINER_GRAIN
            key = _group(by, use.where, use.who)
            totals[(key, use.grain, verdict, "USD")] += use.cost_nano or 0
    for line in stated[-1] if stated else []:
        if window.start <= at(line.day) < window.end and only_model in (None, line.where.model_id):
            key = _billed_key(by, line)
            verdict = _bill_verdict(line, finest, areas)
            totals[(key, Grain.BILL, verdict, line.currency)] += line.unblended_nano
    return dict(totals)


def _bill_verdict(
    line: Billed,
    finest: dict[tuple[date, str, str, str], Grain],
    areas: set[tuple[date, str, str]],
) -> Verdict:
    cell = _cell(line.day, line.where)
    if line.category != "Usage":
        return Verdict(line.category.lower())
    if not line.in_scope:
        return Verdict.OUT_OF_SCOPE
    if line.currency != "USD":
        return Verdict.OTHER_CURRENCY
    if cell in finest or (not line.where.model_id and cell[:3] in areas):
        return Verdict.FINER_GRAIN
    return Verdict.COUNTED


def _billed_key(by: GroupBy, line: Billed) -> str:
    if line.category != "Usage":
        return f"({line.category.lower()})"
    if not line.in_scope:
        return "(out of scope)"
    nothing = "(unclassified)" if by is GroupBy.MODEL else "(unattributed)"
    return _group(by, line.where, Actor()) or nothing


def _cell(day: date, where: Dimension) -> tuple[date, str, str, str]:
    return (day, where.usage_account_id, where.region, where.model_id)


def _group(by: GroupBy, where: Dimension, who: Actor) -> str:
    if by is GroupBy.AGENT:
        return who.agent
    return where.team if by is GroupBy.TEAM else where.model_id


def _bill_key(line: Billed) -> tuple[object, ...]:
    return (line.day, line.where, line.category, line.in_scope, line.currency)


def _anew(rows: list[Use]) -> list[Use]:
    """The same rows under ids of their own: two tenants, and examples that hypothesis repeats."""
    return [
        Use(at=r.at, where=r.where, cost_nano=r.cost_nano, who=r.who, grain=r.grain) for r in rows
    ]
