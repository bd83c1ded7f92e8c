"""Building a world: a folder that the simulator serves, with an answer key beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np

from demo.aws.metrics import CallRows, save_rows
from demo.aws.state import dump_state
from demo.world import prices
from demo.world.bill import Bill, make_bill
from demo.world.billkey import reconciliation_cells
from demo.world.billline import month_of
from demo.world.curfiles import PREFIX, Delivery, write_delivery
from demo.world.dirty import plant_bill, plant_logs
from demo.world.estate import EXPORTS, estate, facts
from demo.world.logfiles import LogFiles
from demo.world.restate import RESTATEMENTS
from demo.world.samples import Ints
from demo.world.spec import CurExport, CurFormat, World, WorldSpec
from demo.world.tally import Tally
from demo.world.traffic import Calls, generate
from demo.world.truth import Planted, answer_key

_REPEATS = 40


class FolderNotEmpty(ValueError):
    """The target holds something else; a world is only built into an empty folder."""


def build_world(
    out: Path, spec: WorldSpec, progress: Callable[[int, int], None] = lambda done, total: None
) -> World:
    """Build the world of ``spec`` in ``out``; ``progress`` hears of days done and days in all.

    Equal specs give equal worlds. Raises FolderNotEmpty.
    """
    if out.exists() and any(out.iterdir()):
        raise FolderNotEmpty(str(out))
    out.mkdir(parents=True, exist_ok=True)
    files, tally, kept = LogFiles(spec, out), Tally(spec), _Metrics(spec)
    twice, repeats = 0, list[bytes]()
    days = len(spec.calendar_days())
    for number, day in enumerate(generate(spec)):
        rng = np.random.default_rng((spec.seed, number))
        tally.add(day.start.date(), day.calls, files.logged(day.calls))
        twice += files.add(day.calls, rng)
        repeats = repeats or files.sample(_REPEATS)
        kept.add(day.calls)
        files.flush(day.end)
        progress(number + 1, days)
    files.flush(spec.end + timedelta(hours=1))
    planted = plant_logs(spec, files, repeats) if spec.dirty else Planted()
    files.close()
    kept.save(out / "metrics")
    bill = make_bill(spec, tally)
    exports = _write_bill(spec, out, bill, planted)
    world = facts(spec, out, exports, bill.restated_period)
    (out / "world.json").write_bytes(dump_state(estate(spec, exports)))
    (out / "prices.json").write_bytes(prices.PRICE_FILE.read_bytes())
    key = answer_key(spec, tally, bill, files.records.canaries, planted, twice)
    (out / "truth.json").write_bytes(msgspec.json.encode(key))
    (out / "cells.json").write_bytes(msgspec.json.encode(reconciliation_cells(tally, bill)))
    # Last, so that a folder with facts is a finished world.
    (out / "facts.json").write_bytes(msgspec.json.encode(world))
    return world


def _write_bill(spec: WorldSpec, out: Path, bill: Bill, planted: Planted) -> list[CurExport]:
    bucket, payer = spec.story.cur_bucket, spec.story.payer
    folder, later = out / "s3" / bucket, out / RESTATEMENTS / bucket
    written: list[CurExport] = []
    formats = {True, False} if spec.cur is CurFormat.BOTH else {spec.cur is CurFormat.PARQUET}
    periods = sorted({line.period for line in bill.first})
    for parquet in sorted(formats, reverse=True):
        name = EXPORTS[parquet]
        for period in periods:
            is_final = month_of(period)[1] <= spec.end and period != bill.restated_period
            invoice = f"DEMO-{period}" if is_final else ""
            found = [line for line in bill.first if line.period == period]
            write_delivery(folder, bucket, Delivery(name, period, payer, invoice, parquet), found)
        if period := bill.restated_period:
            again = Delivery(name, period, payer, f"DEMO-{period}", parquet, number=2)
            write_delivery(later, bucket, again, bill.restated)
        if spec.dirty and parquet:
            plant_bill(spec, folder, name, planted)
        written.append(
            CurExport(
                name=name,
                arn=f"arn:aws:bcm-data-exports:us-east-1:{payer}:export/{name}",
                bucket=bucket,
                prefix=PREFIX,
                parquet=parquet,
                periods=periods,
            )
        )
    return written


class _Metrics:
    """Rows of calls per account and region, kept until the world is complete."""

    def __init__(self, spec: WorldSpec) -> None:
        self._streams = spec.story.streams
        self._parts: dict[tuple[str, str], list[Calls]] = {}

    def add(self, calls: Calls) -> None:
        for place in {(s.account, s.region) for s in self._streams}:
            here = np.array([(s.account, s.region) == place for s in self._streams])
            where = np.flatnonzero(here[calls.stream])
            if len(where):
                self._parts.setdefault(place, []).append(calls.at(where))

    def save(self, folder: Path) -> None:
        folder.mkdir()
        for (account, region), parts in self._parts.items():
            save_rows(folder / f"{account}_{region}.npz", self._rows(parts))

    def _rows(self, parts: list[Calls]) -> CallRows:
        def joined(name: str) -> Ints:
            return np.concatenate([getattr(part, name) for part in parts])

        stream = joined("stream")
        called = [self._streams[at].called_model for at in range(len(self._streams))]
        models = tuple(dict.fromkeys(called[at] for at in np.unique(stream).tolist()))
        lookup = np.array([models.index(name) if name in models else -1 for name in called])
        latency, first = joined("latency").astype(float), joined("first_token").astype(float)
        return CallRows(
            models=models,
            ints={
                "ts": joined("ts") // 1000,
                "model": lookup[stream],
                "outcome": joined("outcome"),
                "weight": np.ones(len(stream), np.int64),
                "input": joined("input"),
                "output": joined("output"),
                "read": joined("cached"),
                "write": joined("write_5m") + joined("write_1h"),
            },
            latency=np.where(latency < 0, np.nan, latency),
            first_token=np.where(first < 0, np.nan, first),
        )
