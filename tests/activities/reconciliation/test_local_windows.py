"""Windows over generated worlds: nothing falls between two of them and nothing is in both.

Sums are kept by the hour in UTC, so a tenant's local days may be asked for wherever local
midnights are whole hours; days on which the clocks change have 23 or 25 of them.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.query import CostBasis, CostQuery
from tensorcost.domain.cost.query_window import Window, midnight
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.cost.summary import NOTHING, Fact, Verdict
from tensorcost.domain.spend.facts import Grain
from tensorcost.services.cost.asking import CostRequest, query_of
from tensorcost.storage.session import Database
from tests.activities.reconciliation.roads import AUTUMN, Road, cost_of
from tests.activities.reconciliation.worlds import (
    PATIENT,
    Arrival,
    Reconciled,
    all_uses,
    closed_worlds,
)
from tests.support import databases
from tests.support.faults import examples
from tests.support.spend_rows import Use

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1_800)]

ZONES = {
    "Europe/Berlin": (date(2026, 10, 25), 25),
    "America/New_York": (date(2026, 11, 1), 25),
    "Australia/Sydney": (date(2026, 10, 4), 23),
    "America/Santiago": (date(2026, 9, 6), 23),
    "Pacific/Kiritimati": (date(2026, 10, 25), 24),
}
"""A local day on which the clocks change, and how many hours it has; the last never does."""
Sums = dict[tuple[Grain, Verdict, str, bool], RollupMeasures]
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@given(
    world=closed_worlds,
    cuts=st.lists(st.integers(1, AUTUMN.length.days - 1), min_size=1, max_size=4, unique=True),
)
@settings(PATIENT, max_examples=examples(5))
async def test_windows_cut_at_any_midnights_in_utc_add_up_in_every_basis(
    db: Database, database: databases.Database, world: list[Arrival], cuts: list[int]
) -> None:
    """Over month ends too, and by every verdict and currency."""
    road = await Road.begin(db, database)
    await road.take(*world, Reconciled())
    edges = sorted({AUTUMN.start, *(_days_on(n) for n in cuts), AUTUMN.end})
    for basis in CostBasis:
        whole = await _sums(road, [AUTUMN], basis)
        assert await _sums(road, [Window(*pair) for pair in pairwise(edges)], basis) == whole


@given(world=closed_worlds, zone=st.sampled_from(sorted(ZONES)))
@settings(PATIENT, max_examples=examples(5))
async def test_local_days_add_up_to_the_months_over_both_changes_of_the_clocks(
    db: Database, database: databases.Database, world: list[Arrival], zone: str
) -> None:
    """Each local day holds the uses of its own hours; billed money is of whole UTC days alone,
    and a window of any hours is its whole UTC days and the estimates of the hours around."""
    road = await Road.begin(db, database)
    await road.take(*world, Reconciled())
    uses = all_uses(world)
    changed, hours = ZONES[zone]
    days = [date(2026, 8, 31), date(2026, 10, 1), changed, changed + timedelta(days=1)]
    days += [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)]
    local = [await _local(road, zone, *pair) for pair in pairwise(sorted(set(days)))]
    (day,) = (one for one in local if one.start == _midnight(changed, zone).astimezone(UTC))
    assert day.length == timedelta(hours=hours)
    for window in local:
        facts = await road.facts(CostQuery(window, basis=CostBasis.ESTIMATE))
        assert _requests(facts) == _used(uses, window)
        billed = await road.facts(CostQuery(window))
        assert _requests(billed) == _used(uses, window)
        assert cost_of(billed) == await _cost_in_parts(road, window)
    whole = Window(local[0].start, local[-1].end)
    parts = await _sums(road, local, CostBasis.ESTIMATE)
    assert _of_usage(parts) == _of_usage(await _sums(road, [whole], CostBasis.ESTIMATE))


async def _local(road: Road, zone: str, first: date, end: date) -> Window:
    """From one local midnight to the other, asked for as a caller writes it."""
    start, until = (_midnight(day, zone).isoformat() for day in (first, end))
    async with road.db.tenant(road.tenant) as tx:
        asked = await query_of(tx, CostRequest(start, until), lambda: NOW)
    return asked.window


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone))


async def _cost_in_parts(road: Road, window: Window) -> int:
    """The whole UTC days by the bill and the hours around them by estimates."""
    found = [
        cost_of(await road.facts(CostQuery(Window(*edge), basis=CostBasis.ESTIMATE)))
        for edge in window.hour_edges()
    ]
    if days := window.whole_days():
        found.append(cost_of(await road.facts(CostQuery(Window.of_days(*days)))))
    return sum(found)


async def _sums(road: Road, windows: list[Window], basis: CostBasis) -> Sums:
    """Sums of all of the windows by grain, verdict, currency and whether billed."""
    found: Sums = {}
    for window in windows:
        for fact in await road.facts(CostQuery(window, basis=basis)):
            key = (fact.grain, fact.verdict, fact.currency, fact.is_billed)
            found[key] = found.get(key, NOTHING) + fact.measures
    return {key: sums for key, sums in found.items() if sums != NOTHING}


def _of_usage(sums: Sums) -> Sums:
    """Without bill lines, which no part of a day has."""
    return {key: measures for key, measures in sums.items() if key[0] is not Grain.BILL}


def _used(uses: list[Use], window: Window) -> int:
    """Requests of the window's hours, those that finer rows explain too."""
    return sum(use.requests for use in uses if window.start <= use.at < window.end)


def _requests(facts: list[Fact]) -> int:
    return sum(fact.measures.requests for fact in facts)


def _days_on(days: int) -> datetime:
    return midnight(AUTUMN.first_day + timedelta(days=days))
