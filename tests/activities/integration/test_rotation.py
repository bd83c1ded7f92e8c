"""Rotations as rows: what a look writes, how the secrets change places, what is told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.integration.rotation import RotationActivities
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import ConnectionKey, Failure
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    FinishRotation,
    Look,
    LookOrder,
    RotationState,
    SecretKind,
    SecretRotation,
    Side,
    SwitchSecret,
)
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.storage import integration, outbox, secret_rotation
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.support.connections import NOW, make_connection
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied

OLD, NEW = "tc-fake-external-id", "tc-fake-successor"


class Bench:
    """One rotation of one connection, just begun, of a role that trusts the old id."""

    def __init__(self, db: Database, connection: Connection, threads: ThreadPoolExecutor) -> None:
        self.db = db
        self.key = ConnectionKey.of(connection)
        self.connector = ScriptedConnector(trusted={OLD})
        self.acts = RotationActivities(db, {"bedrock": self.connector}, threads, lambda: NOW)
        self.env = ActivityEnvironment()
        self.rotation = SecretRotation(
            rotation_id=uuid4(),
            connection=self.key,
            kind=SecretKind.EXTERNAL_ID,
            state=RotationState.WAITING_FOR_CUSTOMER,
            requested_by="user:a",
            started_at=NOW,
            deadline=NOW + timedelta(days=7),
        )

    @property
    def _named(self) -> dict[str, Any]:
        return {"connection": self.key, "rotation_id": self.rotation.rotation_id}

    async def look(self) -> Look:
        return await self.env.run(self.acts.look, LookOrder(**self._named))

    async def switch(self) -> bool:
        return (await self.env.run(self.acts.switch, SwitchSecret(**self._named))).changed

    async def finish(self, state: RotationState, keep: Side) -> bool:
        order = FinishRotation(**self._named, state=state, keep=keep, note="n")
        return (await self.env.run(self.acts.finish, order)).changed

    async def ids(self) -> tuple[str, str, str]:
        """In use, next, previous."""
        async with self.db.tenant(self.key.tenant_id) as tx:
            found = await integration.get_connection(tx, self.key.connection_id)
        return found.external_id, found.next_external_id, found.previous_external_id

    async def stored(self) -> SecretRotation:
        async with self.db.tenant(self.key.tenant_id) as tx:
            found = await secret_rotation.newest_rotation(tx, self.key.connection_id)
        assert found is not None
        return found

    async def told(self) -> list[tuple[str, Any]]:
        async with self.db.tenant(self.key.tenant_id) as tx:
            events = await outbox.events_after(tx, 0, limit=100)
        return [(event.type, event.data["state"]) for event in events]

    async def codes(self) -> list[str]:
        async with self.db.tenant(self.key.tenant_id) as tx:
            return sorted(found.code for found in await list_findings(tx, limit=50))

    async def audited(self) -> list[str]:
        async with self.db.tenant(self.key.tenant_id) as tx:
            return [
                entry.action
                for entry in await list_entries(tx, AuditFilter(), limit=50, after=None)
            ]


@pytest.fixture
async def bench(db: Database, tenant: TenantId, threads: ThreadPoolExecutor) -> Bench:
    connection = await make_connection(db, tenant, state=ConnectionState.CONNECTED)
    made = Bench(db, connection, threads)
    async with db.tenant(tenant) as tx:
        await secret_rotation.begin_rotation(tx, made.rotation, NEW, NOW)
    return made


async def test_waiting_is_a_finding_until_the_role_trusts_both(bench: Bench) -> None:
    look = await bench.look()
    assert (look.new, look.old) == (Admission.REFUSED, Admission.ADMITTED)
    assert await bench.codes() == ["NEW_EXTERNAL_ID_UNTRUSTED"]
    bench.connector.trusted = {OLD, NEW}
    look = await bench.look()
    assert (look.new, look.old, look.healthy) == (Admission.ADMITTED, Admission.ADMITTED, True)
    assert await bench.codes() == []
    stored = await bench.stored()
    assert (stored.looks, stored.looked_at, stored.new) == (2, NOW, Admission.ADMITTED)


async def test_a_sample_read_that_fails_with_the_new_one_is_told(bench: Bench) -> None:
    bench.connector.trusted = {OLD, NEW}
    bench.connector.verdicts = [denied(title="CloudWatch says no")]
    look = await bench.look()
    assert (look.new, look.healthy, look.note) == (Admission.ADMITTED, False, "CloudWatch says no")
    assert await bench.codes() == ["NEW_EXTERNAL_ID_UNHEALTHY"]


async def test_days_of_waiting_are_one_entry_of_the_ledger(bench: Bench) -> None:
    for _ in range(4):
        await bench.look()
    assert await bench.audited() == ["data.probe"]
    assert bench.connector.probes == 0


async def test_the_new_one_is_taken_into_use_once_and_the_old_one_kept(bench: Bench) -> None:
    assert await bench.ids() == (OLD, NEW, "")
    assert await bench.switch()
    assert not await bench.switch()
    assert await bench.ids() == (NEW, "", OLD)
    assert (await bench.stored()).switched_at == NOW
    assert await bench.told() == [("connection.secret_rotated", "verifying_old_dropped")]


async def test_the_old_one_is_destroyed_only_at_the_end(bench: Bench) -> None:
    bench.connector.trusted = {OLD, NEW}
    await bench.switch()
    look = await bench.look()
    assert (look.new, look.old) == (Admission.ADMITTED, Admission.ADMITTED)
    assert await bench.codes() == ["OLD_EXTERNAL_ID_TRUSTED"]
    assert bench.connector.probes == 0, "the sample read is for the switch"
    bench.connector.trusted = {NEW}
    look = await bench.look()
    assert (look.new, look.old) == (Admission.ADMITTED, Admission.REFUSED)
    assert await bench.finish(RotationState.ROTATED, Side.NEW)
    assert not await bench.finish(RotationState.EXPIRED, Side.OLD)
    assert await bench.ids() == (NEW, "", "")
    assert await bench.codes() == []
    assert (await bench.told())[-1] == ("connection.secret_rotation_ended", "rotated")
    assert "connection.secret_rotation_ended" in await bench.audited()


@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize(
    ("keep", "event"),
    [
        (Side.OLD, "connection.secret_rolled_back"),
        (Side.NEW, "connection.secret_rotation_ended"),
    ],
)
async def test_whichever_is_kept_is_in_use_and_the_other_one_gone(
    bench: Bench, switched: bool, keep: Side, event: str
) -> None:
    if switched:
        await bench.switch()
    assert await bench.finish(RotationState.EXPIRED, keep)
    assert await bench.ids() == (OLD if keep is Side.OLD else NEW, "", "")
    assert (await bench.told())[-1] == (event, "expired")
    stored = await bench.stored()
    assert (stored.state, stored.finished_at, stored.note) == (RotationState.EXPIRED, NOW, "n")


async def test_a_process_that_is_stopped_in_the_middle_of_a_switch_keeps_what_is_in_use(
    bench: Bench,
) -> None:
    await bench.switch()
    assert await bench.finish(RotationState.CANCELLED, Side.OLD)
    assert await bench.ids() == (NEW, "", "")


async def test_an_old_one_still_trusted_at_the_deadline_stays_a_finding(bench: Bench) -> None:
    bench.connector.trusted = {OLD, NEW}
    await bench.switch()
    await bench.look()
    await bench.finish(RotationState.EXPIRED, Side.NEW)
    assert await bench.codes() == ["OLD_EXTERNAL_ID_TRUSTED"]


async def test_nobody_looks_at_a_rotation_that_has_ended(bench: Bench) -> None:
    await bench.finish(RotationState.ROLLED_BACK, Side.OLD)
    with pytest.raises(ApplicationError) as caught:
        await bench.look()
    assert (caught.value.type, caught.value.non_retryable) == (Failure.CLOSED, True)


async def test_a_refusal_of_the_one_in_use_is_recorded(bench: Bench) -> None:
    bench.connector.trusted = {NEW}
    bench.connector.verdicts = [HEALTHY]
    await bench.look()
    assert await bench.codes() == ["EXTERNAL_ID_IN_USE_REFUSED"]


async def test_neither_events_nor_the_ledger_name_a_secret(bench: Bench) -> None:
    await bench.look()
    await bench.switch()
    await bench.finish(RotationState.ROTATED, Side.NEW)
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        events = await outbox.events_after(tx, 0, limit=100)
        entries = await list_entries(tx, AuditFilter(), limit=50, after=None)
    text = repr(events) + repr(entries)
    assert text
    assert OLD not in text
    assert NEW not in text


async def test_a_second_rotation_cannot_be_open(bench: Bench) -> None:
    another = bench.rotation.model_copy(update={"rotation_id": uuid4()})
    with pytest.raises(Exception, match="secret_rotation_open"):
        async with bench.db.tenant(bench.key.tenant_id) as tx:
            await secret_rotation.begin_rotation(tx, another, "tc-fake-third", NOW)
