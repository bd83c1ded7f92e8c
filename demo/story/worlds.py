"""The emulated world of a home: built at the first run, found again at every later one."""

from __future__ import annotations

import asyncio
import shutil
import threading
from datetime import UTC, datetime, timedelta

from demo.story.board import Stage, StageFailed
from demo.story.settings import DAYS, Options
from demo.world.build import build_world
from demo.world.spec import NotAWorld, World, WorldSpec, read_world
from tensorcost.domain.integration.plan import backfill_window


class _Stopped(Exception):
    """The demo was interrupted while it built."""


async def prepare_world(options: Options, stage: Stage, *, connected: bool) -> World:
    """The world in ``home/world``, ending at the last full hour of the run that connected it.

    Before anything is ``connected``, a world of another size is built anew, and one that begins
    before the days which a backfill of today reads.
    """
    now = datetime.now(UTC)
    world = _known(options)
    if world is not None and connected and not _fits(options, world):
        raise StageFailed(
            f"{options.home} holds {_told(world)}: ask for that size, give another --home, or"
            " remove it (make clean)"
        )
    if world is not None and (connected or (_fits(options, world) and _in_reach(world, now))):
        stage.detail = f"found again {_told(world)}"
        return world
    # Also a folder without facts, which is a build that was interrupted.
    shutil.rmtree(options.world, ignore_errors=True)
    world = await _build(options, stage, now)
    stage.detail = f"built {_told(world)}"
    return world


async def _build(options: Options, stage: Stage, now: datetime) -> World:
    spec = WorldSpec.until(now, days=options.days, requests=options.requests)
    stopped = threading.Event()

    def progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise _Stopped
        stage.bar(done, total, "days of invocation logs, metrics and bill")

    try:
        return await asyncio.to_thread(build_world, options.world, spec, progress)
    finally:
        stopped.set()


def _known(options: Options) -> World | None:
    try:
        return read_world(options.world)
    except NotAWorld:
        return None


def _fits(options: Options, world: World) -> bool:
    days = (world.end - world.start) // timedelta(days=1)
    return (world.requests, days) == (options.requests, options.days)


def _in_reach(world: World, now: datetime) -> bool:
    return backfill_window(now, DAYS).start <= world.start


def _told(world: World) -> str:
    return (
        f"{world.requests:,} calls of {len(world.accounts)} accounts, "
        f"{world.start:%Y-%m-%d} to {world.end:%Y-%m-%d %H:%M} UTC"
    )
