"""A month of events reconciled with a bill, against one pass of DuckDB over the same inputs.

* ``deliver``: the Cost and Usage Report, from Parquet to the period's current bill;
* ``first``: ``Reconciler.reconcile``, whole: inputs, prices, rules, result, report and events;
* ``again``: the same, with nothing changed;
* ``restated``: after a delivery that changes a tenth of the lines, and with them every day;
* ``days``: after one that changes three days;
* ``DuckDB``: one thread, in memory: events and lines summed by day, account, region, model and
  token kind, and joined.

The reconciler runs in a process of its own. Its peak is the kernel's high-water mark (Linux), at
the end and after the first days: a month must not need more memory than its days do.

    python -m benchmarks.reconcile [--events 10000000] [--lines 1000000]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import duckdb
from pydantic import TypeAdapter

from benchmarks.harness import Servers, Spent, durable_database, make_tenant, spent, spread
from benchmarks.reconcile_data import (
    CELLS,
    DAILY,
    DELIVERIES,
    ONE_PASS,
    Estate,
    actors,
    make_month,
    write_bill,
)
from benchmarks.reconcile_run import FIRST_DAYS, NOW, PERIOD, Outcome, Peaks, point_at
from benchmarks.summary_data import load_table
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.price_import import import_builtin_lists
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.ids import TenantId
from tensorcost.domain.money import format_nano
from tensorcost.domain.spend.bill import BillDelivery, ParsedBill
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.providers.bedrock.cur import BillParse, parse_parquet
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.dimensions import ensure_actors, ensure_dimensions

ROUNDS: Final = 3
RESTATED_TARGET: Final = 1
PEAK_TARGET: Final = 1.15


@dataclass(frozen=True, slots=True)
class Month:
    """A tenant with rollups and two deliveries of its bill, and the events in DuckDB."""

    tenant: TenantId
    deliveries: tuple[UUID, ...]
    """In the order of ``DELIVERIES``."""
    loads: tuple[Spent, ...]
    """What loading each of them cost, a million lines."""
    duck: duckdb.DuckDBPyConnection


async def make_month_of(
    servers: Servers, db: Database, folder: Path, *, events: int, lines: int
) -> Month:
    """Fill both databases, and say what that took."""
    tenant, estate = await make_tenant(servers), Estate.of_lines(lines)
    platform = make_engine(servers.urls.platform, application_name="bench")
    await import_builtin_lists(PlatformDatabase(platform), actor="bench")
    await platform.dispose()
    duck = make_month(events, estate, tenant, await PriceBooks(db).current(tenant))
    async with db.tenant(tenant) as tx:
        await ensure_dimensions(tx, list(estate.dimensions()))
        await ensure_actors(tx, actors())
    connection = await asyncpg.connect(servers.superuser)
    await load_table(connection, duck, DAILY, "spend_daily")
    await load_table(connection, duck, CELLS, "spend_cell")
    deliveries, loads = [], []
    for name, dearer in DELIVERIES.items():
        write_bill(duck, folder / f"{name}.parquet", dearer)
        took = await spent(servers, lambda name=name: deliver(db, tenant, folder, name))  # type: ignore[misc]
        delivery, rows = await _delivery(db, tenant, name)
        deliveries.append(delivery)
        loads.append(took.per(rows))  # Microseconds a line are seconds a million lines.
    await connection.execute("VACUUM ANALYZE")
    for table in ("spend_daily", "bill_line", "bill_daily"):
        print(f"{table:17} {await connection.fetchval(f'SELECT count(*) FROM ai.{table}'):>9} rows")
    await connection.close()
    return Month(tenant, tuple(deliveries), tuple(loads), duck)


async def deliver(db: Database, tenant: TenantId, folder: Path, name: str) -> None:
    """Parse and load a report as the period's bill."""
    parse = BillParse(name, TimeBounds.at(NOW))

    def parts() -> Iterator[ParsedBill]:
        with (folder / f"{name}.parquet").open("rb") as file:
            yield from parse_parquet(file, parse)

    delivery = BillDelivery("hourly", PERIOD, name, manifest_etag=name)
    report = await BillIngest(db).load_bill(tenant, Origin("bench"), delivery, parts)
    if report.rejected:
        raise SystemExit(f"{report.rejected} lines of the bill were rejected")


async def _delivery(db: Database, tenant: TenantId, etag: str) -> tuple[UUID, int]:
    """Its id, and the rows of its report."""
    async with db.tenant(tenant) as tx:
        row = await tx.first(
            "SELECT delivery_id, rows_read FROM ai.bill_delivery WHERE manifest_etag = :etag",
            etag=etag,
        )
    if row is None:
        raise SystemExit(f"the delivery {etag} was not loaded")
    return row.delivery_id, row.rows_read


async def in_a_process(servers: Servers, month: Month) -> Outcome:
    first, *later = month.deliveries
    await point_at(servers, month.tenant, first, forget=True)
    told = TypeAdapter(Servers).dump_json(servers).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.reconcile_run", told, str(month.tenant), *map(str, later)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("the reconciliation failed")
    return TypeAdapter(Outcome).validate_json(output)


def duckdb_pass(duck: duckdb.DuckDBPyConnection, billed: str) -> Spent:
    """One pass; its sum of the bill must be the report's."""
    start, cpu = time.perf_counter(), time.process_time()
    found = duck.execute(ONE_PASS).fetchone()
    took = Spent(time.perf_counter() - start, time.process_time() - cpu, 0.0)
    if found is None or format_nano(int(found[-1])) != billed:
        raise SystemExit(f"the bills differ: {found} and {billed}")
    return took


def show(outcomes: Sequence[Outcome], passes: Sequence[Spent]) -> None:
    for step in ("first", "again", "restated", "days"):
        took: list[Spent] = [getattr(outcome, step) for outcome in outcomes]
        print(f"{step:8} s                  {spread([one.wall for one in took])}")
        print(f"{step:8} CPU s, client      {spread([one.client for one in took])}")
        print(f"{step:8} CPU s, Postgres    {spread([one.server for one in took])}")
        walls = [one.wall / scan.wall for one, scan in zip(took, passes, strict=True)]
        print(f"{step:8} ÷ DuckDB           {spread(walls)}")
        cpus = [_cpu(one) / _cpu(scan) for one, scan in zip(took, passes, strict=True)]
        print(f"{step:8} ÷ DuckDB, by CPU   {spread(cpus)}")
    print(f"DuckDB   s                  {spread([scan.wall for scan in passes])}")
    for step in ("again", "restated", "days"):
        parts = [_cpu(getattr(one, step)) / _cpu(one.first) for one in outcomes]
        print(f"{step:8} ÷ first, by CPU    {spread(parts)}   target <= {RESTATED_TARGET}")
    for name in Peaks._fields:
        print(f"peak MB  {name:18} {spread([getattr(one.peaks, name) for one in outcomes])}")
    growth = [one.peaks.month / one.peaks.first_days for one in outcomes]
    print(f"peak     month ÷ {FIRST_DAYS} days     {spread(growth)}   target <= {PEAK_TARGET}")


def show_loads(loads: Sequence[Spent]) -> None:
    """Loading a report, a million lines."""
    print(f"deliver  s                  {spread([one.wall for one in loads])}")
    print(f"deliver  CPU s, client      {spread([one.client for one in loads])}")
    print(f"deliver  CPU s, Postgres    {spread([one.server for one in loads])}")


def _cpu(took: Spent) -> float:
    return took.client + took.server


async def main(events: int, lines: int, rounds: int) -> None:
    async with durable_database() as servers:
        engine = make_engine(servers.urls.app, application_name="bench")
        with tempfile.TemporaryDirectory(prefix="tensorcost-bench-") as folder:
            month = await make_month_of(
                servers, Database(engine), Path(folder), events=events, lines=lines
            )
        show_loads(month.loads)
        outcomes, passes = [], []
        for _ in range(rounds):
            outcomes.append(await in_a_process(servers, month))
            passes.append(duckdb_pass(month.duck, outcomes[-1].billed))
        show(outcomes, passes)
        month.duck.close()
        await engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the bill, about")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.events, chosen.lines, chosen.rounds))
