"""Peak memory of a process that backfills, at once, four and sixteen times the rows.

* ``one object``: a single object, read in chunks of 5,000 rows, in one transaction;
* ``objects``: objects of 200 rows through ``load_objects``, 500 in hand at a time;
* ``gzip logs``: a demo world's invocation logs, gunzipped, parsed, hashed, priced, loaded.

Each load runs in a process of its own; its peak is the kernel's high-water mark (Linux). The
generator makes rows as they are asked for, so that nothing but the load can hold them.

    python -m benchmarks.backfill_memory [--rows 10000]
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.harness import Servers, durable_database, make_tenant, peak_megabytes
from benchmarks.ingest_rows import chunks
from demo.world.build import build_world
from demo.world.spec import WorldSpec
from tensorcost.activities.ingest.pipeline import SpendIngest, SpendObject
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tests.support.prices import store_list_prices

TIMES: Final = (1, 4, 16)
CHUNK_ROWS: Final = 5_000
SMALL_ROWS: Final = 200
IN_HAND: Final = 500
WORLD_END: Final = datetime(2026, 11, 1, tzinfo=UTC)
WORLD_DAYS: Final = 10
TARGET: Final = 1.15
"""Sixteen times the rows over four times: caches are full by then."""
_BLOCK: Final = 1 << 18
_KEY: Final = b"fake-hashing-key"


def one_object(rows: int) -> Iterator[SpendObject]:
    def read() -> Iterator[ParsedSpend]:
        for number in range(rows // CHUNK_ROWS):
            yield from chunks(CHUNK_ROWS, CHUNK_ROWS, seed=number)

    yield SpendObject(ObjectRef("large", "1"), read)


def many_objects(rows: int) -> Iterator[SpendObject]:
    for number in range(rows // SMALL_ROWS):

        def read(seed: int = number) -> list[ParsedSpend]:
            return chunks(SMALL_ROWS, SMALL_ROWS, seed)

        yield SpendObject(ObjectRef(f"small-{number}", "1"), read)


def gzip_logs(folder: Path) -> Iterator[SpendObject]:
    for path in sorted((folder / "s3").rglob("*.json.gz")):
        if "/data/" in str(path):
            continue

        def read(path: Path = path) -> Iterator[ParsedSpend]:
            parse = LogParse(file=path.name, hash_key=_KEY, bounds=TimeBounds.at(WORLD_END))
            with path.open("rb") as file:
                yield from parse_object(iter(lambda: file.read(_BLOCK), b""), parse)

        yield SpendObject(ObjectRef(str(path.relative_to(folder)), "1"), read)


async def load(url: str, tenant: TenantId, objects: Iterator[SpendObject]) -> int:
    """Load them all; how many rows were accepted."""
    engine = make_engine(url, application_name="bench")
    db = Database(engine)
    ingest = SpendIngest(db, PriceBooks(db))
    accepted = 0
    while some := list(islice(objects, IN_HAND)):
        async for report in ingest.load_objects(tenant, Origin("bench"), some):
            accepted += report.accepted
    await engine.dispose()
    return accepted


async def in_a_process(servers: Servers, kind: str, size: str) -> tuple[int, float]:
    """Rows accepted and the peak in MB of a load in a process of its own."""
    tenant = await make_tenant(servers)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.backfill_memory", "--load", kind, size, servers.urls.app, str(tenant)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"the load of {kind} {size} failed")
    rows, peak = output.split()
    return int(rows), float(peak)


async def measure(name: str, run: Callable[[int], Awaitable[tuple[int, float]]]) -> bool:
    """Print a line; whether the target holds."""
    found = [await run(times) for times in TIMES]
    peaks = [peak for _, peak in found]
    cells = "   ".join(f"{rows:>8} rows {peak:6.0f} MB" for rows, peak in found)
    growth = peaks[-1] / peaks[-2]
    print(f"{name:11} {cells}   16x / 4x {growth:.2f}   target <= {TARGET}")
    return growth <= TARGET


async def main(rows: int) -> int:
    held = []
    async with durable_database() as servers:
        await store_list_prices(servers.urls.platform)
        with tempfile.TemporaryDirectory(prefix="tensorcost-bench-") as made:

            async def logs(times: int) -> tuple[int, float]:
                folder = Path(made) / str(times)
                spec = WorldSpec(WORLD_END, days=WORLD_DAYS, requests=rows // 2 * times)
                await asyncio.to_thread(build_world, folder, spec)
                return await in_a_process(servers, "logs", str(folder))

            for name, run in (
                ("one object", lambda n: in_a_process(servers, "one", str(rows * n))),
                ("objects", lambda n: in_a_process(servers, "many", str(rows * n // 2))),
                ("gzip logs", logs),
            ):
                held.append(await measure(name, run))
    return 0 if all(held) else 1


def load_here(kind: str, size: str, url: str, tenant: str) -> None:
    """What ``--load`` does: load, then print rows and peak."""
    if kind == "logs":
        objects = gzip_logs(Path(size))
    else:
        objects = (one_object if kind == "one" else many_objects)(int(size))
    accepted = asyncio.run(load(url, TenantId(UUID(tenant)), objects))
    print(accepted, peak_megabytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="at once")
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        load_here(*chosen.load)
    else:
        sys.exit(asyncio.run(main(chosen.rows)))
