"""Wait for the bill to be reconciled, let AWS restate a month, and see the new version come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from demo.aws.control import SimControl
from demo.story.api import Json, Session
from demo.story.board import Stage, StageFailed
from demo.story.connecting import CONNECTIONS
from demo.story.invoice import MONTHS, RECONCILIATION, Month, amount, month_of, shares_of
from demo.story.processes import Processes
from demo.world.restate import publish_restatement
from demo.world.spec import World

RECONCILED_WITHIN, RESTATED_WITHIN = 300.0, 600.0
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Restatement:
    """A month that AWS restated: what its bill said before and says now."""

    period: str
    former: int
    latter: int
    before: Month
    """As it is still told as of then."""
    after: Decimal

    @property
    def delta(self) -> Decimal:
        return self.after - self.before.shares.billed


async def ensure_reconciled(session: Session, processes: Processes, stage: Stage) -> None:
    """Wait until every month with a bill has been reconciled; the product begins by itself."""
    begin = time.monotonic()
    while True:
        months = await session.get(RECONCILIATION, limit=str(MONTHS))
        done = [month for month in months if month["version"] and not month["pending"]]
        stage.bar(len(done), max(len(months), 1), "months")
        if months and len(done) == len(months):
            break
        _in_time(begin, RECONCILED_WITHIN, f"{len(done)} of {len(months)} months are reconciled")
        await asyncio.sleep(_LOOK_EVERY)
    await _settle(session, processes)
    months = await session.get(RECONCILIATION, limit=str(MONTHS))
    days = max(month["closed_until"] for month in months)
    stage.detail = f"{len(months)} month(s) held against the bill, the days before {days}"


async def ensure_restated(
    session: Session, processes: Processes, world: World, cloud: str, connection: str, stage: Stage
) -> Restatement | None:
    """Have AWS close its last month and the connection look again.

    None where no month has ended, and where nothing was read before AWS restated it.
    """
    period = world.restated_period
    if not period:
        stage.detail = "no billing month has ended yet: nothing to restate"
        return None
    already = _is_restated(await _month(session, period))
    if not already:
        stage.say(f"AWS restates {period}")
        await asyncio.to_thread(publish_restatement, world.path, SimControl(cloud))
        await processes.sync_now(connection)
        await _until_restated(session, connection, period, stage)
        await _settle(session, processes)
    found = await _restatement(session, period)
    if found is None:
        stage.detail = f"{period} was restated already before it was first read"
        return None
    before = f"{found.before.shares.billed:,.2f}"
    stage.detail = (
        f"{period}{' already' if already else ''}: version {found.former} → {found.latter}, "
        f"{before} → {found.after:,.2f} USD ({found.delta:+,.2f}); as of before still {before}"
    )
    return found


def change_of_bill(versions: Sequence[Json]) -> tuple[Json, Json] | None:
    """Of a month's versions the last one before the bill of today, and the first one with it."""
    bills = {one["version"]: sorted(one["deliveries"]) for one in versions}
    by_number = {one["version"]: one for one in versions}
    latter = min(number for number, bill in bills.items() if bill == bills[max(bills)])
    if latter - 1 not in by_number:
        return None
    return by_number[latter - 1], by_number[latter]


async def _settle(session: Session, processes: Processes) -> None:
    """Have it look once more, so that no usage is left which became known beside the bill."""
    asked = await session.post(f"{RECONCILIATION}/runs")
    outcome = await processes.outcome(asked["workflow_id"], RECONCILED_WITHIN)
    if failed := outcome["failed"]:
        raise StageFailed(f"{failed[0]['period']} cannot be reconciled: {failed[0]['error']}")


async def _until_restated(session: Session, connection: str, period: str, stage: Stage) -> None:
    begin = time.monotonic()
    while not _is_restated(await _month(session, period)):
        runs = await session.get(f"{CONNECTIONS}/{connection}/sync-history", kind="sync", limit="1")
        text = f"sync {runs[0]['state']}" if runs else "waiting for the sync"
        if runs:
            stage.bar(runs[0]["items_done"], max(runs[0]["items_total"], 1), text)
        else:
            stage.say(text)
        _in_time(begin, RESTATED_WITHIN, f"{period} is not restated, {text}")
        await asyncio.sleep(_LOOK_EVERY)


async def _month(session: Session, period: str, **asked: str) -> Json:
    return dict(await session.get(f"{RECONCILIATION}/{period}", **asked))


def _is_restated(month: Json) -> bool:
    """Whether the bill that brings the invoice id is the one that is reconciled."""
    bills = [bill for bill in month["bills"] if bill["counted"]]
    return not month["pending"] and all(bill["invoice_id"] for bill in bills)


async def _restatement(session: Session, period: str) -> Restatement | None:
    """What became of the month; None where no version is older than the bill of today."""
    month = await _month(session, period)
    if (change := change_of_bill(month["versions"])) is None:
        return None
    former, latter = change
    past = await _month(session, period, as_of=former["known_at"])
    found = Restatement(
        period, former["version"], latter["version"], month_of(past), shares_of(month).billed
    )
    await _check_delta(session, found)
    await _check_past(session, found, former)
    return found


async def _check_delta(session: Session, found: Restatement) -> None:
    told = await session.get(
        f"{RECONCILIATION}/{found.period}/diff",
        **{"from": str(found.former), "to": str(found.latter)},
    )
    delta = sum((amount(one["billed"]) for one in told["totals"]), Decimal(0))
    if delta != found.delta or not delta:
        raise StageFailed(
            f"{found.period}: the versions differ by {delta} USD, the bills by {found.delta}"
        )


async def _check_past(session: Session, found: Restatement, former: Json) -> None:
    """Costs as they were known before the restatement are what they were."""
    asked = {"as_of": former["known_at"], "charges": "invoice"}
    past = await session.get("/v1/cost/summary", **found.before.window, **asked)
    cost, billed = Decimal(past["totals"]["cost_usd"]), found.before.shares.billed
    if cost != billed:
        raise StageFailed(f"{found.period} cost {billed} USD, now as of then {cost}")


def _in_time(begin: float, within: float, otherwise: str) -> None:
    if time.monotonic() - begin > within:
        raise StageFailed(f"after {within:.0f} s {otherwise}")
