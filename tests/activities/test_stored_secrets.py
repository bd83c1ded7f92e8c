"""The end of a stored secret's rotation as rows: once, whoever repeats it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.stored_secrets import StoredSecretActivities
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.tenancy.secret_rotation import (
    EndOrder,
    StoredRotation,
    StoredRotationState,
    StoredRotationStatus,
)
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage import outbox
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.secrets import add_secret, read_secret, version_in_use
from tensorcost.storage.session import Database
from tensorcost.storage.stored_secret_rotation import (
    begin_stored_rotation,
    newest_stored_rotation,
)

KIND = StoredSecretKind.CONTENT_HASH
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEW = b"fake-secret-of-thirty-two-bytes!"


class Bench:
    """A rotation that was just begun, and the activity that ends it."""

    def __init__(self, db: Database, rotation: StoredRotation, old: bytes) -> None:
        self.db = db
        self.rotation = rotation
        self.old = old
        self.acts = StoredSecretActivities(db, lambda: NOW + timedelta(days=1))

    async def end(self, state: StoredRotationState) -> StoredRotationState:
        order = EndOrder(
            tenant_id=self.rotation.tenant_id,
            rotation_id=self.rotation.rotation_id,
            state=state,
            note="n",
            requested_by="user:b",
        )
        ended: StoredRotationStatus = await ActivityEnvironment().run(self.acts.end_rotation, order)
        return ended.state

    async def in_use(self) -> bytes | None:
        async with self.db.tenant(self.rotation.tenant_id) as tx:
            assert await tx.scalar("SELECT count(*) FROM app.tenant_secret") in (1, 2)
            return await read_secret(tx, KIND)

    async def stored(self) -> StoredRotation | None:
        async with self.db.tenant(self.rotation.tenant_id) as tx:
            return await newest_stored_rotation(tx, KIND)

    async def told(self) -> list[str]:
        """Events, then entries of the ledger."""
        async with self.db.tenant(self.rotation.tenant_id) as tx:
            events = await outbox.events_after(tx, 0, limit=10)
            entries = await list_entries(tx, AuditFilter(), limit=10, after=None)
        assert all(entry.detail["requested_by"] == "user:b" for entry in entries)
        return [event.type for event in events] + [entry.action for entry in entries]


@pytest.fixture
async def bench(db: Database, tenant: TenantId) -> Bench:
    async with db.tenant(tenant) as tx:
        old, earlier = await read_secret(tx, KIND), await version_in_use(tx, KIND)
        assert old is not None
        assert earlier is not None
        rotation = StoredRotation(
            tenant_id=tenant,
            rotation_id=uuid4(),
            kind=KIND,
            state=StoredRotationState.OVERLAPPING,
            old_version=earlier,
            new_version=await add_secret(tx, KIND, NEW),
            requested_by="user:a",
            started_at=NOW,
            deadline=NOW + timedelta(days=7),
        )
        await begin_stored_rotation(tx, rotation)
    return Bench(db, rotation, old)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (StoredRotationState.ROTATED, "tenant.secret_rotation_ended"),
        (StoredRotationState.CANCELLED, "tenant.secret_rotation_ended"),
        (StoredRotationState.ROLLED_BACK, "tenant.secret_rolled_back"),
    ],
)
async def test_an_end_that_is_repeated_is_one(
    bench: Bench, state: StoredRotationState, event: str
) -> None:
    assert await bench.in_use() == NEW
    assert await bench.end(state) is state
    kept = bench.old if state is StoredRotationState.ROLLED_BACK else NEW
    stored = await bench.stored()
    assert stored is not None
    assert (stored.state, stored.note) == (state, "n")
    assert stored.finished_at == NOW + timedelta(days=1)
    for other in StoredRotationState:
        assert await bench.end(other) is state, "how it has ended stays"
    assert await bench.stored() == stored
    assert await bench.in_use() == kept
    assert await bench.told() == [event, event]


async def test_a_rotation_that_is_not_there_is_not_asked_for_again(bench: Bench) -> None:
    bench.rotation = bench.rotation.model_copy(update={"rotation_id": UUID(int=9)})
    with pytest.raises(ApplicationError) as caught:
        await bench.end(StoredRotationState.ROTATED)
    assert caught.value.non_retryable
    assert caught.value.type == Failure.CONNECTION_GONE
    assert await bench.in_use() == NEW
