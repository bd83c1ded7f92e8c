"""The key of a tenant's content hashes rotated on the real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, Forbidden, NotFound, ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.domain.tenancy.secret_rotation import (
    StoredRotationState,
    StoredRotationStatus,
    stored_rotation_workflow_id,
)
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.services.tenancy.secret_rotation import StoredRotationView, StoredSecretService
from tensorcost.storage import outbox
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.secrets import destroy_secret, read_secret
from tensorcost.storage.session import Database
from tests.support.principals import caller
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House, open_house, utc_now

KIND = StoredSecretKind.CONTENT_HASH
STATE = SearchAttributeKey.for_keyword(SearchAttribute.STATE.value)
OVERLAPPING, ROTATED = StoredRotationState.OVERLAPPING, StoredRotationState.ROTATED
ROLLED_BACK = StoredRotationState.ROLLED_BACK


@dataclass(frozen=True)
class Admin:
    """Whoever administers a tenant, and the product."""

    house: House
    service: StoredSecretService
    me: Principal

    @property
    def handle(self) -> WorkflowHandle[object, StoredRotationStatus]:
        return self.house.client.get_workflow_handle(
            stored_rotation_workflow_id(self.me.tenant_id, KIND), result_type=StoredRotationStatus
        )

    async def secrets(self) -> dict[int, bytes]:
        """What is stored, by version; the highest is what readers get."""
        async with self.house.db.tenant(self.me.tenant_id) as tx:
            rows = await tx.all("SELECT version, secret FROM app.tenant_secret")
            found = {row.version: bytes(row.secret) for row in rows}
            assert await read_secret(tx, KIND) == found[max(found)]
        return found

    async def once(self, state: StoredRotationState) -> StoredRotationView:
        async with asyncio.timeout(30):
            while True:
                view = await self.service.get(self.me, KIND)
                if view.rotation.state is state:
                    return view
                await asyncio.sleep(0.05)

    async def told(self) -> list[tuple[str, object, object]]:
        async with self.house.db.tenant(self.me.tenant_id) as tx:
            events = await outbox.events_after(tx, 0, limit=100)
        return [(one.type, one.data["state"], one.data["version_in_use"]) for one in events]

    async def audited(self) -> list[tuple[str, str]]:
        async with self.house.db.tenant(self.me.tenant_id) as tx:
            entries = await list_entries(tx, AuditFilter(), limit=50, after=None)
        return [(entry.actor, entry.action) for entry in reversed(entries)]

    async def details(self) -> str:
        """What an operator reads in the Temporal UI."""
        shown = await self.handle.query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )
        return str(shown.current_details)


@asynccontextmanager
async def admin(
    db: Database, tenant: TenantId, server: TemporalAddress, clock: Clock = utc_now
) -> AsyncIterator[Admin]:
    async with open_house(server, db, ScriptedConnector()) as house:
        service = StoredSecretService(db, StoredRotationProcesses(house.processes), clock)
        yield Admin(house, service, caller(tenant))


def a_day_but(seconds: int) -> Clock:
    """A clock by which an overlap of a day that begins now ends in so many seconds."""
    return lambda: utc_now() - timedelta(days=1) + timedelta(seconds=seconds)


async def test_a_new_key_is_in_use_at_once_and_the_earlier_one_goes_on_request(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        before = await me.secrets()
        begun = await me.service.begin(me.me, KIND)
        again = await me.service.begin(me.me, KIND, 30)
        assert (begun.joined, again.joined) == (False, True)
        assert again.rotation == begun.rotation
        assert begun.rotation.deadline - begun.rotation.started_at == timedelta(days=7)
        both = await me.secrets()
        assert both[1] == before[1] != both[2]
        assert len(both[2]) == 32
        assert "overlap until" in await me.details()

        done = await me.service.finish(me.me, KIND, "it was in a log")
        assert (done.rotation.state, done.rotation.note) == (ROTATED, "it was in a log")
        assert done.rotation.finished_at is not None
        assert await me.secrets() == {2: both[2]}
        assert (await me.handle.result()).state is ROTATED
        described = await me.handle.describe()
        assert described.typed_search_attributes[STATE] == "rotated"
        for steer in (me.service.finish, me.service.roll_back):
            with pytest.raises(Conflict, match="no rotation of this secret is open"):
                await steer(me.me, KIND)
        assert await me.told() == [
            ("tenant.secret_rotation_started", "overlapping", 2),
            ("tenant.secret_rotation_ended", "rotated", 2),
        ]
        assert await me.audited() == [
            ("user:user-1", "tenant.rotate_secret"),
            ("user:user-1", "tenant.finish_secret_rotation"),
            ("system:rotation", "tenant.secret_rotation_ended"),
        ]


async def test_a_rollback_uses_the_earlier_key_again_and_the_next_rotation_gets_a_number_anew(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        before = await me.secrets()
        await me.service.begin(me.me, KIND, 1)
        back = await me.service.roll_back(me.me, KIND, "too early")
        assert (back.rotation.state, back.rotation.in_use) == (ROLLED_BACK, 1)
        assert await me.secrets() == before
        assert (await me.told())[-1] == ("tenant.secret_rolled_back", "rolled_back", 1)

        # At once: the run that has just ended must not swallow the next rotation.
        second = await me.service.begin(me.me, KIND)
        assert (second.joined, second.rotation.new_version) == (False, 3)
        assert set(await me.secrets()) == {1, 3}
        await me.service.finish(me.me, KIND)
        assert set(await me.secrets()) == {3}


async def test_at_the_end_of_the_overlap_the_earlier_key_goes_by_itself(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server, a_day_but(2)) as me:
        await me.service.begin(me.me, KIND, 1)
        assert set(await me.secrets()) == {1, 2}
        ended = await me.once(ROTATED)
        assert ended.rotation.note == "the overlap is over"
        assert set(await me.secrets()) == {2}
        with pytest.raises(Conflict):
            await me.service.roll_back(me.me, KIND)


async def test_whatever_is_asked_next_brings_a_lost_process_back(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        begun = await me.service.begin(me.me, KIND)
        await me.handle.terminate()
        again = await me.service.begin(me.me, KIND)
        assert again.joined
        assert again.rotation == begun.rotation
        await me.handle.terminate()
        back = await me.service.roll_back(me.me, KIND)
        assert back.rotation.state is ROLLED_BACK
        assert set(await me.secrets()) == {1}


async def test_a_rotation_outlives_the_workers_that_began_it(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    suffix = f"-kept-{tenant.hex[:8]}"
    connector = ScriptedConnector()
    async with open_house(temporal_server, db, connector, suffix=suffix) as house:
        service = StoredSecretService(db, StoredRotationProcesses(house.processes), a_day_but(2))
        await service.begin(caller(tenant), KIND, 1)
    await asyncio.sleep(2)
    async with open_house(temporal_server, db, connector, suffix=suffix) as house:
        service = StoredSecretService(db, StoredRotationProcesses(house.processes), utc_now)
        me = Admin(house, service, caller(tenant))
        assert (await me.handle.result()).state is ROTATED
        assert set(await me.secrets()) == {2}
        assert len(await me.told()) == 2


async def test_a_stop_by_an_operator_keeps_what_is_in_use(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        await me.service.begin(me.me, KIND)
        await me.handle.cancel()
        ended = await me.once(StoredRotationState.CANCELLED)
        assert ended.rotation.note == "stopped by an operator"
        assert set(await me.secrets()) == {2}
        assert not (await me.service.begin(me.me, KIND)).joined


async def test_many_who_begin_at_once_begin_one(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        views = await asyncio.gather(*(me.service.begin(me.me, KIND) for _ in range(5)))
        assert sorted(view.joined for view in views) == [False, True, True, True, True]
        assert len({view.rotation.rotation_id for view in views}) == 1
        assert set(await me.secrets()) == {1, 2}


async def test_what_cannot_be_rotated_says_why(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        with pytest.raises(NotFound):
            await me.service.get(me.me, KIND)
        for days in (0, 31):
            with pytest.raises(ValidationFailed, match="1 to 30 days"):
                await me.service.begin(me.me, KIND, days)
        reader = caller(tenant, {Scope.TENANT_READ})
        for ask in (me.service.get, me.service.begin, me.service.finish, me.service.roll_back):
            with pytest.raises(Forbidden, match="tenant:admin"):
                await ask(reader, KIND)
        async with db.tenant(tenant) as tx:
            await destroy_secret(tx, KIND, 1)
        with pytest.raises(NotFound, match="secret content_hash"):
            await me.service.begin(me.me, KIND)


async def test_neither_events_nor_the_ledger_name_a_secret(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    async with admin(db, tenant, temporal_server) as me:
        await me.service.begin(me.me, KIND)
        both = await me.secrets()
        await me.service.finish(me.me, KIND)
        async with db.tenant(tenant) as tx:
            events = await outbox.events_after(tx, 0, limit=100)
            entries = await list_entries(tx, AuditFilter(), limit=50, after=None)
        text = repr(events) + repr(entries)
        assert "rotation_id" in text
        for secret in both.values():
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
