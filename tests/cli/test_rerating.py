"""``tensorcost prices rerate``: the difference shown, and decided by another operator."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tensorcost.activities.ingest.price_import import import_overrides
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.rerating import Reratings
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.storage.rerating.runs import list_runs
from tests.support.command import Command, Outcome
from tests.support.databases import Database
from tests.support.rerated import AT_2, AT_3, NOVEMBER, OCTOBER, Books, waiting_books
from tests.support.scripted_connector import ScriptedConnector
from tests.support.spend import MODEL
from tests.support.temporal_house import open_house, utc_now
from tests.support.tenants import app_database, make_tenant

THREE_DOLLARS = {
    f"bedrock/{MODEL}": {
        "litellm_provider": "bedrock",
        "mode": "chat",
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 3e-06,
    }
}


@dataclass(frozen=True)
class Desk:
    """The commands as an operator gives them for one tenant."""

    command: Command
    tenant: str

    async def _run(self, *arguments: str) -> Outcome:
        given = ("prices", "rerate", *arguments, "--tenant", self.tenant, "--json")
        return await asyncio.to_thread(self.command, *given)

    async def told(self, *arguments: str) -> dict[str, Any]:
        done = await self._run(*arguments)
        assert done.code == 0, done.talk
        return done.json()

    async def refused(self, *arguments: str) -> str:
        done = await self._run(*arguments)
        assert done.code == 1, done.out
        return done.talk


async def newest(books: Books, state: RerateState) -> str:
    """Id of the newest re-rating once it is in ``state``."""
    async with asyncio.timeout(30):
        while True:
            async with books.db.tenant(books.tenant) as tx:
                found = await list_runs(tx, limit=1)
            if found and found[0].state is state:
                return str(found[0].rerating_id)
            await asyncio.sleep(0.1)


async def test_ids_and_amounts_are_whole_in_what_is_piped_on(
    database: Database, tmp_path: Path
) -> None:
    command, tenant = Command(database, tmp_path), await make_tenant(database)
    async with app_database(database) as db:
        run = str((await waiting_books(db, tenant)).ids[-1])
    tenant_named = ("--tenant", str(tenant))
    listed = await asyncio.to_thread(command, "prices", "rerate", "list", *tenant_named)
    assert run in listed.out.split(), listed.talk
    shown = await asyncio.to_thread(command, "prices", "rerate", "show", run, *tenant_named)
    (row,) = (line.split() for line in shown.out.splitlines() if MODEL in line)
    assert row == [
        *("2026-10", "closing", MODEL, "changed", "1", "0", "1"),
        *("0.000220000", "0.000330000", "0.000110000", "0.000000000"),
    ]
    assert "1 do (0.000110000 USD)" in shown.talk


async def test_an_operator_sees_and_decides_what_another_one_imported(
    database: Database,
    temporal_server: TemporalAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.frontend)
    monkeypatch.setenv("LOGNAME", "olga")
    command = Command(database, tmp_path)
    async with app_database(database) as db:
        books = Books(db, await make_tenant(database), Rerater(db, utc_now))
        desk = Desk(command, str(books.tenant))
        await books.price("2")
        await books.use(OCTOBER, NOVEMBER)
        await books.settled()
        since = datetime(2025, 1, 1, tzinfo=UTC)
        raw = json.dumps(THREE_DOLLARS).encode()
        await import_overrides(db, books.tenant, raw, "deal", since, actor="operator:olga")
        async with open_house(temporal_server, db, ScriptedConnector(), suffix="") as house:
            await Reratings(db, ReratingProcesses(house.processes)).begin_due()
            run = await newest(books, RerateState.AWAITING_APPROVAL)
            (listed,) = (await desk.told("list"))["reratings"]
            assert (listed["id"], listed["state"]) == (run, "awaiting_approval")
            shown = await desk.told("show", run)
            assert (shown["approval_rows"], shown["approval_delta_usd"]) == (1, "0.000110000")
            refusal = await desk.refused("approve", run, "--preview", "1")
            assert "cannot approve them: another member with the scope price:admin can" in refusal
            monkeypatch.setenv("LOGNAME", "pavel")
            approved = await desk.told("approve", run, "--preview", "1")
            assert approved["decided_by"] == "operator:pavel"
            assert await newest(books, RerateState.APPLIED) == run
            assert [cost for cost, _ in await books.costs()] == [AT_3, AT_3]

            started = await desk.told("revert", run)
            assert started["workflow_id"].endswith("/revert")
            back = await newest(books, RerateState.AWAITING_APPROVAL)
            assert [cost for cost, _ in await books.costs()] == [AT_3, AT_2]
            assert "is open" in await desk.refused("revert", run)
            rejected = await desk.told("reject", back, "--reason", "keep them")
            assert (rejected["state"], rejected["reason"]) == ("rejected", "keep them")
            assert not (await desk.told("now"))["joined"]
