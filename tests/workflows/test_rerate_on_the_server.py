"""Re-ratings end to end: prices imported, previewed, decided, applied, on the real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.common import SearchAttributeKey

from tensorcost.activities.rerating.activities import rerate_process
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.cost.contracts import reconcile_workflow_id
from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.domain.errors import Conflict, NotFound, ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.rerating import ReratingDetail, Reratings, ReratingService
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase
from tests.support.principals import caller
from tests.support.rerated import AT_2, AT_3, NOVEMBER, OCTOBER, Books
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House, open_house, utc_now
from tests.support.tenants import make_tenant

AT_4 = 440_000


@dataclass(frozen=True)
class Office:
    """A tenant's books, the people who may decide about them, and the running product."""

    house: House
    books: Books
    service: ReratingService
    all: Reratings

    def person(self, name: str) -> Principal:
        return caller(self.books.tenant, subject=name)

    async def once(self, *states: RerateState, preview: int = 1) -> ReratingDetail:
        """The newest re-rating once it is in one of these states and was previewed so often."""
        async with asyncio.timeout(30):
            while True:
                found = await self.service.list(self.person("reader"), limit=1)
                if found and found[0].state in states and found[0].preview >= preview:
                    return await self.service.get(self.person("reader"), found[0].rerating_id)
                await asyncio.sleep(0.05)

    async def waiting(self, preview: int = 1) -> UUID:
        found = await self.once(RerateState.AWAITING_APPROVAL, preview=preview)
        return found.run.rerating_id

    async def costs(self) -> list[int | None]:
        return [cost for cost, _ in await self.books.costs()]

    def handle(self, workflow_id: str) -> Any:
        return self.house.client.get_workflow_handle(workflow_id)


@asynccontextmanager
async def office(
    db: Database, database: TestDatabase, server: TemporalAddress
) -> AsyncIterator[Office]:
    """Two rows at two dollars a million, one of a month that is over; the price is three now."""
    books = Books(db, await make_tenant(database), Rerater(db, utc_now))
    await books.price("2")
    await books.use(OCTOBER, NOVEMBER)
    await books.settled()
    async with open_house(server, db, ScriptedConnector()) as house:
        processes = ReratingProcesses(house.processes)
        service = ReratingService(db, processes, utc_now)
        made = Office(house, books, service, Reratings(db, processes))
        assert await made.all.begin_due() == 0
        await books.price("3", by="user:importer")
        assert await made.all.begin_due() == 1
        yield made


async def test_an_import_is_previewed_approved_and_applied(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        assert await at.costs() == [AT_2, AT_3]
        assert await at.all.begin_due() == 0, "the open run knows these prices"
        detail = await at.service.get(at.person("anna"), rerating)
        assert (detail.waiting.rows, detail.waiting.delta_nano) == (1, AT_3 - AT_2)
        assert detail.run.deadline is not None

        with pytest.raises(Conflict, match="cannot approve"):
            await at.service.approve(at.person("importer"), rerating, preview=1)
        with pytest.raises(Conflict, match="look at 1"):
            await at.service.approve(at.person("anna"), rerating, preview=2)
        with pytest.raises(ValidationFailed):
            await at.service.approve(at.person("anna"), rerating, preview=1, reason="x" * 501)
        approved = await at.service.approve(at.person("anna"), rerating, preview=1, reason="ok")
        assert approved.run.decided_by == "user:anna"
        applied = await at.once(RerateState.APPLIED)
        assert await at.costs() == [AT_3, AT_3]
        await at.books.assert_sums_agree()

        again = await at.service.approve(at.person("anna"), rerating, preview=1)
        assert again.run.state is RerateState.APPLIED
        with pytest.raises(Conflict, match="has ended: applied"):
            await at.service.approve(at.person("bert"), rerating, preview=1)
        with pytest.raises(Conflict, match="has ended"):
            await at.service.reject(at.person("anna"), rerating)
        assert await at.all.begin_due() == 0
        assert await at.books.audited("rerating.approved") == ["user:anna"]
        assert await at.books.audited("cost.restated") == ["system:rerate", "user:anna"]
        (ended,) = await at.books.events("cost.rerating_ended")
        assert (ended["state"], ended["decided_by"]) == ("applied", "user:anna")

        described = await at.handle(applied.run.workflow_id).describe()
        state = SearchAttributeKey.for_keyword(SearchAttribute.STATE.value)
        assert described.typed_search_attributes[state] == "applied"
        version = applied.run.price_version
        assert described.id == f"tenant/{at.books.tenant}/rerate/{version}"
        asked = await at.handle(reconcile_workflow_id(at.books.tenant)).describe()
        assert asked.workflow_type == "Reconcile"


async def test_prices_that_change_while_it_waits_refuse_the_approval(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        await at.books.price("4", by="user:importer-2")
        with pytest.raises(Conflict, match="prices have changed"):
            await at.service.approve(at.person("anna"), rerating, preview=1)
        await at.waiting(preview=2)
        assert await at.costs() == [AT_2, AT_4]
        for importer in ("importer", "importer-2"):
            with pytest.raises(Conflict, match="cannot approve"):
                await at.service.approve(at.person(importer), rerating, preview=2)
        await at.service.approve(at.person("anna"), rerating, preview=2)
        await at.once(RerateState.APPLIED)
        assert await at.costs() == [AT_4, AT_4]
        await at.books.assert_sums_agree()


async def test_the_open_run_takes_newer_prices_in(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        await at.books.price("4")
        assert await at.all.begin_due() == 1
        assert await at.waiting(preview=2) == rerating
        assert await at.all.begin_due() == 0
        with pytest.raises(Conflict, match="decide it first"):
            await at.service.request(at.person("anna"))


async def test_a_rejection_holds_until_somebody_asks_for_every_row(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        rejected = await at.service.reject(at.person("importer"), rerating, reason="wrong list")
        assert (rejected.run.state, rejected.run.reason) == (RerateState.REJECTED, "wrong list")
        again = await at.service.reject(at.person("importer"), rerating)
        assert again.run.state is RerateState.REJECTED
        assert await at.all.begin_due() == 0
        assert await at.costs() == [AT_2, AT_3]

        asked = await at.service.request(at.person("anna"))
        assert not asked.joined
        second = await at.waiting()
        assert second != rerating
        with pytest.raises(Conflict, match="cannot approve"):
            await at.service.approve(at.person("anna"), second, preview=1)
        await at.service.approve(at.person("bert"), second, preview=1)
        await at.once(RerateState.APPLIED)
        assert await at.costs() == [AT_3, AT_3]


async def test_a_rerating_is_reverted_as_a_rerating_of_its_own(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        with pytest.raises(Conflict, match="has to end first"):
            await at.service.revert(at.person("anna"), rerating)
        await at.service.approve(at.person("anna"), rerating, preview=1)
        await at.once(RerateState.APPLIED)
        before = await at.books.now()

        await at.service.revert(at.person("anna"), rerating)
        back = await at.waiting()
        assert await at.costs() == [AT_3, AT_2]
        with pytest.raises(Conflict, match="cannot approve"):
            await at.service.approve(at.person("anna"), back, preview=1)
        await at.service.approve(at.person("bert"), back, preview=1)
        found = await at.once(RerateState.APPLIED)
        assert found.run.reverts == rerating
        assert await at.costs() == [AT_2, AT_2]
        await at.books.assert_sums_agree()
        assert (await at.books.spend(before))[OCTOBER.date()] == (AT_3, 0)
        with pytest.raises(NotFound):
            await at.service.revert(at.person("anna"), UUID(int=4))


async def test_nobody_deciding_leaves_what_is_over_as_it_is(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        await at.service.reject(at.person("anna"), await at.waiting())
        request = await at.books.request(every_row=True, patience=timedelta(seconds=1))
        await at.house.processes.start(rerate_process(request))
        found = await at.once(RerateState.EXPIRED)
        assert await at.costs() == [AT_2, AT_3]
        (told,) = await at.books.events("cost.rerating_expiring")
        assert told["rerating_id"] == str(found.run.rerating_id)
        assert (told["preview"], told["approval_rows"]) == (1, 1)
        assert datetime.fromisoformat(told["expires_at"]) > found.run.opened_at


async def test_a_run_whose_process_was_terminated_is_begun_anew(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        rerating = await at.waiting()
        found = await at.service.get(at.person("anna"), rerating)
        await at.handle(found.run.workflow_id).terminate()
        with pytest.raises(Conflict, match="has ended"):
            await at.service.approve(at.person("anna"), rerating, preview=1)
        await at.books.price("4")
        assert await at.all.begin_due() == 1
        second = await at.waiting()
        assert second != rerating
        await at.service.approve(at.person("anna"), second, preview=1)
        await at.once(RerateState.APPLIED)
        assert await at.costs() == [AT_4, AT_4]


async def test_an_operator_approves_in_the_temporal_ui(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    async with office(db, database, temporal_server) as at:
        found = await at.service.get(at.person("anna"), await at.waiting())
        await at.handle(found.run.workflow_id).signal("approve_now")
        applied = await at.once(RerateState.APPLIED)
        assert applied.run.decided_by == "operator:temporal-ui"
