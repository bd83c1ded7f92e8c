"""Connect an organisation, validate it, follow its backfill: over REST, watched over GraphQL."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from demo.story.api import Json, Session
from demo.story.board import Board, Stage, StageFailed
from demo.story.live import Live, subscribed
from demo.world.spec import World

CONNECTIONS = "/v1/integration/connections"
VALIDATED_WITHIN, BACKFILLED_WITHIN = 240.0, 1800.0
POLL_EVERY = 1.0
STALLED_AFTER = 180.0
"""Seconds without one more step or row, after which a backfill is said to stand still."""

_RUN = "run { kind state percent stepsTotal note tally { done accepted } }"
_CONNECTING = f"""subscription Connecting($id: ID!) {{
  connectionProgress(connectionId: $id) {{ event connection {{ state }} {_RUN} }}
}}"""
_BACKFILLING = f"""subscription Backfilling($id: ID!) {{
  backfillProgress(connectionId: $id) {{ event {_RUN} }}
}}"""


async def ensure_connection(session: Session, world: World, board: Board, stage: Stage) -> Json:
    """The organisation's connection, created as the wizard does when there is none."""
    known = await session.all(CONNECTIONS)
    mine = [one for one in known if one["account_id"] == world.reader_account]
    if mine:
        stage.detail = f"{mine[0]['name']} is there already, {mine[0]['state']}"
        setup = await session.get(f"{CONNECTIONS}/{mine[0]['id']}/setup")
    else:
        setup = await session.post(CONNECTIONS, wizard(world))
        stage.detail = f"{setup['name']}, {setup['mode']} of {len(world.accounts)} accounts"
    if setup["role_arn"] != world.reader_role_arn:
        raise StageFailed(
            f"the stack's role would be {setup['role_arn']}, the organisation has"
            f" {world.reader_role_arn}"
        )
    board.note(f"    ExternalId    {setup['external_id']}", "dim")
    board.note(f"    role          {setup['role_arn']}", "dim")
    board.note(f"    launch link   {setup['launch_url']}", "dim")
    return dict(setup)


def wizard(world: World) -> Json:
    """What the owner answers to the wizard. The role's name follows from the ExternalId."""
    export = world.cur_exports[0]
    regions = {place.region for place in world.log_buckets}
    regions |= {place.region for place in world.log_groups}
    return {
        "provider": "bedrock",
        "name": "Northwind organisation",
        "account_id": world.reader_account,
        "mode": "Organization",
        "external_id": world.external_id,
        "settings": {
            "organization_role_name": world.jump_role_name,
            "home_region": world.region,
            "regions": sorted({world.region, *regions}),
            "cur_bucket": export.bucket,
            "cur_prefix": export.prefix,
            "cur_export": export.name,
            "cur_region": world.region,
        },
    }


async def ensure_valid(session: Session, connection: Json, stage: Stage) -> None:
    """Validate a connection that is not connected; StageFailed with the first remedy."""
    where = f"{CONNECTIONS}/{connection['id']}"
    if (await session.get(where))["state"] == "connected":
        stage.detail = "connected already"
        return
    await session.post(f"{where}/validate")
    begin = time.monotonic()
    async with subscribed(session, _CONNECTING, {"id": connection["id"]}) as live:
        while (state := (await session.get(where))["state"]) not in ("connected", "failed"):
            if time.monotonic() - begin > VALIDATED_WITHIN:
                raise StageFailed(f"still {state} after {VALIDATED_WITHIN:.0f} s")
            await live.wait(POLL_EVERY)
            _show_validation(live, state, stage)
        await _first_answer(live)
    if state == "failed":
        raise StageFailed(await _reason(session, where))
    accounts = await session.get(f"{where}/accounts")
    covered = sum(account["coverage"] == "covered" for account in accounts)
    stage.detail = (
        f"connected, {covered} of {len(accounts)} accounts covered ({live.count} live updates)"
    )


def _show_validation(live: Live, state: str, stage: Stage) -> None:
    progress = live.latest.get("connectionProgress") or {}
    run = progress.get("run") or {}
    note = f", {run['note']}" if run.get("note") else ""
    stage.say(f"{(progress.get('connection') or {}).get('state', state).lower()}{note}")


async def _reason(session: Session, where: str) -> str:
    found = await session.all(f"{where}/findings", state="open")
    errors = [one for one in found if one["severity"] == "error"] or found
    if not errors:
        return "the connection failed, and no finding says why"
    return f"{errors[0]['title']}. {errors[0]['remedy']} ({errors[0]['code']})"


async def ensure_backfilled(session: Session, connection: Json, stage: Stage) -> Json:
    """The completed backfill; follows the one under way."""
    where = f"{CONNECTIONS}/{connection['id']}/sync-history"
    run = await _backfill(session, where)
    if run is not None and run["state"] == "completed":
        stage.detail = f"completed already: {told(run)}"
        return run
    async with subscribed(session, _BACKFILLING, {"id": connection["id"]}) as live:
        run = await _until_it_ends(session, where, live, stage)
        await _first_answer(live)
    if run["state"] != "completed":
        raise StageFailed(f"the backfill {run['state']}: {run['note']}")
    if run["items_failed"]:
        failed = [step for step in await steps_of(session, run) if step["state"] == "failed"]
        first = f"{failed[0]['key']}: {failed[0]['detail']}" if failed else "none is named"
        raise StageFailed(f"{run['items_failed']} steps failed, the first {first}")
    stage.detail = f"{told(run)} ({live.count} live updates)"
    return run


async def steps_of(session: Session, run: Json) -> list[Json]:
    """Every step of a run."""
    return await session.all(f"/v1/integration/runs/{run['id']}/steps")


async def _until_it_ends(session: Session, where: str, live: Live, stage: Stage) -> Json:
    begin = moved = time.monotonic()
    seen: tuple[int, int] = (-1, -1)
    while True:
        run = await _backfill(session, where)
        if run is not None and run["state"] != "running":
            return run
        at = (run["items_done"], run["rows_read"]) if run else (0, 0)
        now = time.monotonic()
        if at != seen:
            seen, moved = at, now
        if now - moved > STALLED_AFTER or now - begin > BACKFILLED_WITHIN:
            raise StageFailed(f"the backfill stands still at {at[0]} steps, {at[1]:,} rows")
        if run is None:
            stage.say("waiting for the backfill to begin")
        else:
            _show_backfill(run, live, stage)
        await live.wait(POLL_EVERY)


def _show_backfill(run: Json, live: Live, stage: Stage) -> None:
    """What was read last, or the subscription's word where that is newer."""
    pushed = (live.latest.get("backfillProgress") or {}).get("run") or {}
    tally = pushed.get("tally") or {}
    done = max(run["items_done"], tally.get("done", 0))
    rows = max(run["rows_accepted"], tally.get("accepted", 0))
    stage.bar(done, max(run["items_total"], 1), f"{rows:,} rows{_estimate(run)}")


def _estimate(run: Json) -> str:
    if run["estimated_finish"] is None:
        return ""
    finish = datetime.fromisoformat(run["estimated_finish"])
    left = (finish - datetime.now(finish.tzinfo)).total_seconds()
    return f", about {max(1, round(left))} s left"


async def _backfill(session: Session, where: str) -> Json | None:
    found = await session.get(where, kind="backfill", limit="1")
    return dict(found[0]) if found else None


async def _first_answer(live: Live) -> None:
    """A subscription answers at once with the state now: one that does not is broken."""
    for _ in range(10):
        if live.count:
            return
        await asyncio.sleep(0.5)
    raise StageFailed("the GraphQL subscription said nothing")


def told(run: Json) -> str:
    """A finished run in words."""
    return (
        f"{run['items_done']} steps, {run['rows_accepted']:,} rows accepted, "
        f"{run['rows_duplicate']:,} duplicate, {run['rows_rejected']:,} rejected"
    )
