"""Durable, de-duplicated, rolled-up ingest against the limit of binary COPY.

L: asyncpg's binary COPY of the same facts as tuples of 28 columns into an UNLOGGED table
without index, 5,000 a batch, one connection. Once with the product's event, its text in
every row ("wide"), once with our own rows, which hold ids instead ("narrow"; the harder one).

Ours: committed with fsync on; object checkpoints, primary key, hourly and daily rollups,
deltas, cells and the event in the same transaction.

* ``arrow``: from priced Arrow batches, rollups summed in the measured time;
* ``parsed``: from a parser's columns, pricing and Arrow included, through ``load_objects``;
* ``one by one``: the same through ``load_object``;
* ``small``: objects of 200 rows, both ways.

    python -m benchmarks.ingest [--rows 100000] [--rounds 5]
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count

import asyncpg

from benchmarks.harness import (
    ROUNDS,
    Servers,
    Spent,
    durable_database,
    make_tenant,
    recycle_wal,
    spent,
    spread,
    touch_buffers,
)
from benchmarks.ingest_rows import COPY_ROWS, START, Limit, chunks, narrow_tuples, wide_tuples
from tensorcost.activities.ingest.chunks import Prepared, prepare
from tensorcost.activities.ingest.groups import GROUP_ROWS, Part, Portion, Target
from tensorcost.activities.ingest.known import KnownDimensions
from tensorcost.activities.ingest.load import Load
from tensorcost.activities.ingest.pipeline import SpendIngest, SpendObject
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin, open_objects
from tensorcost.storage.spend.partitions import ensure_partitions
from tests.support.prices import store_list_prices

SMALL_ROWS = 200
DAYS = 5
"""Days of events that a round loads: each way in has its own."""
ORIGIN = Origin("bench")
LIMITS = ("L wide", "L narrow")
PARTS = ("wall", "client", "server")


class Ours:
    """The ways in. Each call loads objects of names not used before."""

    def __init__(self, db: Database, tenant: TenantId) -> None:
        self._db = db
        self._tenant = tenant
        self._prices = PriceBooks(db)
        self._ingest = SpendIngest(db, self._prices)
        self._known = KnownDimensions()
        self._names = count()

    async def prepared(self, made: list[ParsedSpend]) -> list[Prepared]:
        book = await self._prices.current(self._tenant)
        return [prepare(parsed, book) for parsed in made]

    async def arrow(self, prepared: list[Prepared]) -> None:
        """Groups as ``load_objects`` makes them."""
        group: list[Part] = []
        rows = 0
        for chunk in prepared:
            ref = self._ref()
            group.append(Part(Target(ref.key, list, ref, checked=False), chunk))
            rows += len(chunk.events)
            if rows >= GROUP_ROWS:
                await self._load(group)
                group, rows = [], 0
        if group:
            await self._load(group)

    async def together(self, made: list[ParsedSpend]) -> None:
        objects = [SpendObject(self._ref(), [parsed].copy) for parsed in made]
        reports = self._ingest.load_objects(self._tenant, ORIGIN, objects)
        accepted = sum([report.accepted async for report in reports])
        assert accepted == sum(map(len, made))

    async def one_by_one(self, made: list[ParsedSpend]) -> None:
        for parsed in made:
            report = await self._ingest.load_object(
                self._tenant, ORIGIN, self._ref(), [parsed].copy
            )
            assert report.accepted == len(parsed)

    async def _load(self, group: list[Part]) -> None:
        portion = Portion.of(group)
        targets = [part.target for part in group]
        async with self._db.tenant(self._tenant) as tx:
            refs = [target.ref for target in targets if target.ref is not None]
            opened = await open_objects(tx, ORIGIN, refs)
            load = Load(tx, ORIGIN, opened.batch_id, self._known)
            await load.add(portion)
            await load.close(targets)
        self._known.remember(self._tenant, load.stored)

    def _ref(self) -> ObjectRef:
        return ObjectRef(f"object-{next(self._names)}", "1")


class Bench:
    """Rounds of all measures; the first round warms up and does not count."""

    def __init__(self, servers: Servers, ours: Ours, superuser: asyncpg.Connection) -> None:
        self._servers = servers
        self._ours = ours
        self._superuser = superuser
        self._per_row: dict[str, list[Spent]] = defaultdict(list)

    async def round(self, number: int, rows: int) -> None:
        ours = self._ours
        day = DAYS * number
        made = [chunks(rows, COPY_ROWS, day + n, day + n) for n in range(3)]
        prepared = await ours.prepared(made[0])
        wide, narrow = wide_tuples(prepared), narrow_tuples(prepared)
        few = rows // 10
        small = [chunks(few, SMALL_ROWS, day + 3 + n, day + 3 + n) for n in range(2)]
        wide_limit = await Limit.wide(self._superuser, "wide")
        await self._measure("L wide", number, rows, lambda: wide_limit.copy(wide))
        await wide_limit.drop()
        narrow_limit = await Limit.narrow(self._superuser, "narrow")
        await self._measure("L narrow", number, rows, lambda: narrow_limit.copy(narrow))
        await narrow_limit.drop()
        await self._measure("arrow", number, rows, lambda: ours.arrow(prepared))
        await self._measure("parsed", number, rows, lambda: ours.together(made[1]))
        await self._measure("one by one", number, rows, lambda: ours.one_by_one(made[2]))
        await self._measure("small", number, few, lambda: ours.together(small[0]))
        await self._measure("small, one by one", number, few, lambda: ours.one_by_one(small[1]))

    async def _measure(
        self, name: str, number: int, rows: int, work: Callable[[], Awaitable[None]]
    ) -> None:
        used = await spent(self._servers, work)
        if number:
            self._per_row[name].append(used.per(rows))

    def show(self) -> None:
        print(f"{'microseconds a row':20} {'wall':26} {'client CPU':26} {'server CPU':26}")
        for name, rounds in self._per_row.items():
            figures = [spread([getattr(one, part) for one in rounds]) for part in PARTS]
            print(f"{name:20} " + " ".join(f"{figure:26}" for figure in figures))
        for limit in LIMITS:
            for name in self._per_row:
                if name not in LIMITS:
                    rate = spread(self._ratios(limit, name, "wall"))
                    target = "   target >= 0.75" if name in ("arrow", "parsed") else ""
                    print(f"{name + ' / ' + limit:30} {rate:26}{target}")
        for part, most in (("client", 0.75), ("server", 2.0)):
            cpu = spread([1 / ratio for ratio in self._ratios("L wide", "arrow", part)])
            print(f"{part + ' CPU, arrow / L wide':30} {cpu:26}   target <= {most}")
        rate = spread([1e6 / one.wall for one in self._per_row["small"]])
        print(f"rows/s at {SMALL_ROWS} rows an object: {rate}")

    def _ratios(self, limit: str, name: str, part: str) -> list[float]:
        pairs = zip(self._per_row[limit], self._per_row[name], strict=True)
        return [getattr(best, part) / getattr(one, part) for best, one in pairs]


async def main(rows: int, rounds: int) -> None:
    async with durable_database() as servers:
        tenant = await make_tenant(servers)
        await store_list_prices(servers.urls.platform)
        engine = make_engine(servers.urls.app, application_name="bench")
        superuser = await asyncpg.connect(servers.superuser)
        days = [START.date() + timedelta(days=n) for n in range(DAYS * (rounds + 1))]
        await ensure_partitions(Database(engine), tenant, days)
        bench = Bench(servers, Ours(Database(engine), tenant), superuser)
        await touch_buffers(servers)
        # A round writes about 3.2 times its rows at 350 bytes of log each.
        await recycle_wal(servers, rows * rounds * 1_300 // 1_000_000 + 64)
        for number in range(rounds + 1):
            await bench.round(number, rows)
        await superuser.close()
        await engine.dispose()
    print(f"{rows} rows a measure, {rounds} rounds")
    bench.show()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.rows, chosen.rounds))
