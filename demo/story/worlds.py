"""The emulated world of a home: built at the first run, found again at every later one."""

from __future__ import annotations

import asyncio
import shutil
import threading
from datetime import UTC, datetime, timedelta

from demo.story.board import Stage, StageFailed
from demo.story.settings import Options
from demo.world.build import build_world
from demo.world.spec import NotAWorld, World, WorldSpec, read_world


class _Stopped(Exception):
    """The demo was interrupted while it built."""


async def prepare_world(options: Options, stage: Stage) -> World:
    """The world in ``home/world``, ending at the first run's last full hour."""
    try:
        world = read_world(options.world)
    except NotAWorld:
        # A folder without facts is a build that was interrupted.
        shutil.rmtree(options.world, ignore_errors=True)
        world = await _build(options, stage)
        stage.detail = f"built {_told(world)}"
    else:
        _check(options, world)
        stage.detail = f"found again {_told(world)}"
    return world


async def _build(options: Options, stage: Stage) -> World:
    spec = WorldSpec.until(datetime.now(UTC), days=options.days, requests=options.requests)
    stopped = threading.Event()

    def progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise _Stopped
        stage.bar(min(done, total), total, "days of invocation logs, metrics and bill")

    try:
        return await asyncio.to_thread(build_world, options.world, spec, progress)
    finally:
        stopped.set()


def _check(options: Options, world: World) -> None:
    days = (world.end - world.start) // timedelta(days=1)
    if (world.requests, days) != (options.requests, options.days):
        raise StageFailed(
            f"{options.home} holds a world of {world.requests:,} calls over {days} days: give"
            " these numbers, another --home, or remove it (make clean)"
        )


def _told(world: World) -> str:
    return (
        f"{world.requests:,} calls of {len(world.accounts)} accounts, "
        f"{world.start:%Y-%m-%d} to {world.end:%Y-%m-%d %H:%M} UTC"
    )
