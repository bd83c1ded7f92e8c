"""Stored secrets: the newest is in use, a destroyed one is gone, no number is given twice."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from tensorcost.domain.ids import TenantId
from tensorcost.domain.tenancy.secret_rotation import StoredRotation, StoredRotationState
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage.secrets import add_secret, destroy_secret, read_secret, version_in_use
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.stored_secret_rotation import (
    begin_stored_rotation,
    newest_stored_rotation,
)

KIND = StoredSecretKind.CONTENT_HASH
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAKE = b"fake-secret-of-thirty-two-bytes!"


def rotation(tenant: TenantId, old: int, new: int) -> StoredRotation:
    return StoredRotation(
        tenant_id=tenant,
        rotation_id=uuid4(),
        kind=KIND,
        state=StoredRotationState.OVERLAPPING,
        old_version=old,
        new_version=new,
        requested_by="user:a",
        started_at=NOW,
        deadline=NOW + timedelta(days=7),
    )


async def begin(tx: TenantTx, secret: bytes) -> StoredRotation:
    earlier = await version_in_use(tx, KIND)
    assert earlier is not None
    begun = rotation(tx.tenant_id, earlier, await add_secret(tx, KIND, secret))
    await begin_stored_rotation(tx, begun)
    return begun


async def test_a_newer_secret_replaces_the_older_in_use(db: Database, tenant: TenantId) -> None:
    async with db.tenant(tenant) as tx:
        first = await read_secret(tx, KIND)
        assert first is not None
        assert await add_secret(tx, KIND, FAKE) == 2
        assert (await read_secret(tx, KIND), await version_in_use(tx, KIND)) == (FAKE, 2)
        assert await destroy_secret(tx, KIND, 2)
        assert not await destroy_secret(tx, KIND, 2)
        assert (await read_secret(tx, KIND), await version_in_use(tx, KIND)) == (first, 1)


async def test_a_tenant_without_a_secret_has_none(db: Database, tenant: TenantId) -> None:
    async with db.tenant(tenant) as tx:
        await destroy_secret(tx, KIND, 1)
        assert await read_secret(tx, KIND) is None
        assert await version_in_use(tx, KIND) is None


async def test_the_number_of_a_destroyed_secret_is_not_given_again(
    db: Database, tenant: TenantId
) -> None:
    async with db.tenant(tenant) as tx:
        begun = await begin(tx, FAKE)
        assert (begun.old_version, begun.new_version) == (1, 2)
        await destroy_secret(tx, KIND, 2)
        assert await add_secret(tx, KIND, FAKE) == 3
        assert await newest_stored_rotation(tx, KIND) == begun


async def test_a_second_rotation_of_a_kind_cannot_be_open(db: Database, tenant: TenantId) -> None:
    async with db.tenant(tenant) as tx:
        await begin(tx, FAKE)
    with pytest.raises(DBAPIError, match="stored_secret_rotation_open"):
        async with db.tenant(tenant) as tx:
            await begin_stored_rotation(tx, rotation(tenant, 2, 3))


async def test_a_secret_cannot_be_overwritten(db: Database, tenant: TenantId) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with db.tenant(tenant) as tx:
            await tx.run("UPDATE app.tenant_secret SET secret = :secret", secret=FAKE)
