"""Re-ratings over REST: the difference by month and model, and decisions about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tensorcost.domain.identity.scopes import Role
from tensorcost.gateway.routes import rerating
from tensorcost.services.rerating import ReratingService
from tensorcost.services.tenancy.create import CreatedTenant
from tests.gateway.world import World
from tests.support.rerated import Books, NoDecisions, waiting_books
from tests.support.spend import MODEL

ROOT = "/v1/cost/reratings"


@dataclass(frozen=True)
class Desk:
    """A tenant with a re-rating that waits, and a client of its owner."""

    world: World
    tenant: CreatedTenant
    books: Books
    asked: NoDecisions

    @property
    def path(self) -> str:
        return f"{ROOT}/{self.books.ids[-1]}"

    @asynccontextmanager
    async def client(self, token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        processes: Any = self.asked
        service = ReratingService(self.world.database, processes, self.world.clock)
        routers = [rerating.router(service)]
        async with self.world.client(token or self.world.token(self.tenant), routers=routers) as c:
            yield c


@pytest.fixture
async def desk(world: World) -> Desk:
    tenant = await world.tenant()
    books = await waiting_books(world.database, tenant.tenant_id)
    return Desk(world, tenant, books, NoDecisions())


async def test_the_difference_is_shown_by_month_and_model(desk: Desk) -> None:
    async with desk.client() as client:
        (listed,) = (await client.get(ROOT)).json()["data"]
        shown = (await client.get(desk.path)).json()["data"]
    assert listed["id"] == shown["id"] == str(desk.books.ids[-1])
    assert (listed["state"], listed["preview"]) == ("previewed", 1)
    assert (shown["automatic_rows"], shown["approval_rows"]) == (0, 1)
    assert shown["approval_requests"] == 1
    assert shown["approval_delta_usd"] == shown["approval_totals_delta_usd"] == "0.000110000"
    assert shown["approval_drift_usd"] == "0.000000000"
    assert shown["imported_by"] == ["user:importer"]
    assert shown["changes"] == [
        {
            "period": "2026-10",
            "period_state": "closing",
            "provider": "bedrock",
            "model_id": MODEL,
            "kind": "changed",
            "needs_approval": True,
            "rows": 1,
            "beside_rows": 0,
            "requests": 1,
            "before_usd": "0.000220000",
            "after_usd": "0.000330000",
            "delta_usd": "0.000110000",
            "drift_usd": "0.000000000",
            "totals_delta_usd": "0.000110000",
            "unpriced_rows": 0,
        }
    ]


async def test_a_list_is_read_on_from_its_cursor(desk: Desk) -> None:
    await desk.books.reject()
    await desk.books.price("4")
    await desk.books.preview()
    async with desk.client() as client:
        first = (await client.get(ROOT, params={"limit": 1})).json()
        second = (
            await client.get(ROOT, params={"limit": 1, "cursor": first["next_cursor"]})
        ).json()
        odd = await client.get(ROOT, params={"cursor": "W10"})
    ids = [first["data"][0]["id"], second["data"][0]["id"]]
    assert ids == [str(one) for one in reversed(desk.books.ids[1:])]
    assert odd.status_code == 400


async def test_an_approval_names_the_preview_that_was_looked_at(desk: Desk) -> None:
    async with desk.client() as client:
        done = await client.post(f"{desk.path}/approve", json={"preview": 1, "reason": "agreed"})
        other = await client.post(f"{desk.path}/approve", json={"preview": 2})
        unnamed = await client.post(f"{desk.path}/approve", json={})
    assert done.status_code == 200, done.text
    (asked,) = desk.asked.approved
    assert asked.decided_by == f"user:{desk.tenant.owner_id}"
    assert (asked.preview, asked.reason) == (1, "agreed")
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    assert (unnamed.status_code, unnamed.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_what_has_ended_takes_no_decision(desk: Desk) -> None:
    await desk.books.reject()
    async with desk.client() as client:
        approved = await client.post(f"{desk.path}/approve", json={"preview": 1})
        rejected = await client.post(f"{desk.path}/reject")
        reverted = await client.post(f"{desk.path}/revert")
    for answer, why in ((approved, "ended"), (rejected, "ended"), (reverted, "changed no row")):
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert why in answer.json()["error"]
    assert (desk.asked.approved, desk.asked.rejected, desk.asked.begun) == ([], [], [])


async def test_every_row_is_looked_at_on_request_unless_one_is_open(desk: Desk) -> None:
    async with desk.client() as client:
        refused = await client.post(ROOT)
        await desk.books.reject()
        begun = await client.post(ROOT)
    assert refused.status_code == 409
    assert begun.status_code == 202, begun.text
    (asked,) = desk.asked.begun
    assert asked.every_row
    assert begun.json()["data"] == {
        "workflow_id": f"tenant/{desk.tenant.tenant_id}/rerate/{asked.price_version}",
        "price_version": asked.price_version,
        "joined": False,
    }


async def test_who_does_not_administer_prices_reads_and_decides_nothing(desk: Desk) -> None:
    _, token = await desk.world.member(desk.tenant.tenant_id, Role.ENGINEER)
    async with desk.client(token) as client:
        assert (await client.get(desk.path)).status_code == 200
        for path in (ROOT, f"{desk.path}/approve", f"{desk.path}/reject", f"{desk.path}/revert"):
            assert (await client.post(path, json={"preview": 1})).status_code == 403


async def test_nothing_of_another_tenant_is_found(desk: Desk) -> None:
    stranger = desk.world.token(await desk.world.tenant())
    async with desk.client(stranger) as client:
        assert (await client.get(ROOT)).json()["data"] == []
        assert (await client.get(desk.path)).status_code == 404
        answer = await client.post(f"{desk.path}/approve", json={"preview": 1})
        assert answer.status_code == 404
        assert (await client.get(f"{ROOT}/{UUID(int=1)}")).status_code == 404
    assert desk.asked.approved == []
