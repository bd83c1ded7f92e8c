"""Connections, accounts, sites, watermarks and profiles as they are kept."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from tensorcost.domain.errors import Conflict, NotFound
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_connection import (
    ConnectionChanges,
    ConnectionSettings,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import AccountCoverage, StoredProfile
from tensorcost.domain.integration.states import ConnectionState, Coverage, SourceKind
from tensorcost.storage import integration, integration_sites
from tensorcost.storage.session import Database
from tests.support.connections import ACCOUNT, NOW, connection_of, make_connection
from tests.support.databases import Database as TestDatabase
from tests.support.tenants import make_tenant


async def test_a_connection_reads_back_as_it_was_written(db: Database, tenant: TenantId) -> None:
    written = await make_connection(
        db, tenant, settings=ConnectionSettings(regions=("us-east-1", "eu-west-1"))
    )
    async with db.tenant(tenant) as tx:
        assert await integration.get_connection(tx, written.connection_id) == written


async def test_an_account_is_connected_once_per_provider(
    db: Database, database: TestDatabase
) -> None:
    tenant = await make_tenant(database)
    await make_connection(db, tenant)
    with pytest.raises(Conflict, match=ACCOUNT):
        await make_connection(db, tenant)
    other = await make_tenant(database)
    assert (await make_connection(db, other)).account_id == ACCOUNT


async def test_a_connection_of_another_tenant_is_not_found(
    db: Database, database: TestDatabase
) -> None:
    mine, theirs = await make_tenant(database), await make_tenant(database)
    connection = await make_connection(db, theirs)
    async with db.tenant(mine) as tx:
        with pytest.raises(NotFound):
            await integration.get_connection(tx, connection.connection_id)
        with pytest.raises(NotFound):
            await integration.set_connection_state(
                tx, connection.connection_id, ConnectionState.FAILED, NOW
            )
        assert await integration.list_connections(tx, limit=10) == []


async def test_pages_of_connections_meet_each_exactly_once(db: Database, tenant: TenantId) -> None:
    made = [
        (await make_connection(db, tenant, account_id=f"{number:012d}")).connection_id
        for number in range(5)
    ]
    met = []
    after = None
    async with db.tenant(tenant) as tx:
        while page := await integration.list_connections(tx, limit=2, after=after):
            met += [found.connection_id for found in page]
            after = (page[-1].created_at, page[-1].connection_id)
    assert sorted(met) == sorted(made)


async def test_a_change_touches_only_the_given_fields(db: Database, tenant: TenantId) -> None:
    before = await make_connection(db, tenant)
    changes = ConnectionChanges(external_id="tc-another-fake-id")
    async with db.tenant(tenant) as tx:
        await integration.change_connection(
            tx, before.connection_id, changes, NOW + timedelta(hours=1)
        )
        after = await integration.get_connection(tx, before.connection_id)
    assert after.external_id == "tc-another-fake-id"
    assert (after.role_arn, after.settings) == (before.role_arn, before.settings)
    assert after.updated_at == NOW + timedelta(hours=1)


async def test_only_a_validation_stamps_the_time_of_validation(
    db: Database, tenant: TenantId
) -> None:
    made = await make_connection(db, tenant)
    async with db.tenant(tenant) as tx:
        await integration.set_connection_state(
            tx, made.connection_id, ConnectionState.VALIDATING, NOW
        )
        assert (await integration.get_connection(tx, made.connection_id)).last_validated_at is None
        await integration.set_connection_state(
            tx, made.connection_id, ConnectionState.CONNECTED, NOW, validated=True
        )
        found = await integration.get_connection(tx, made.connection_id)
    assert (found.state, found.last_validated_at) == (ConnectionState.CONNECTED, NOW)


async def test_accounts_keep_their_last_known_coverage(db: Database, tenant: TenantId) -> None:
    made = await make_connection(db, tenant)
    first = AccountCoverage("222233334444", "a", "ACTIVE", "CREATED", Coverage.UNKNOWN, "", None)
    then = AccountCoverage("222233334444", "a", "ACTIVE", "CREATED", Coverage.COVERED, "ok", NOW)
    other = AccountCoverage("333344445555", "b", "ACTIVE", "INVITED", Coverage.DENIED, "no", NOW)
    async with db.tenant(tenant) as tx:
        await integration.save_accounts(tx, made.connection_id, [first, other])
        await integration.save_accounts(tx, made.connection_id, [then])
        assert await integration.list_accounts(tx, made.connection_id) == [then, other]


async def test_sites_that_are_no_longer_named_retire(db: Database, tenant: TenantId) -> None:
    made = await make_connection(db, tenant)
    logs = Site(SourceKind.LOGS_S3, ACCOUNT, "us-east-1", {"bucket": "fake-logs"})
    metrics = Site(SourceKind.METRICS, ACCOUNT, "us-east-1")
    async with db.tenant(tenant) as tx:
        await integration_sites.replace_sites(tx, made.connection_id, [logs, metrics], NOW)
        await integration_sites.replace_sites(tx, made.connection_id, [logs], NOW)
        assert await integration_sites.active_sites(tx, made.connection_id) == [logs]
        await integration_sites.replace_sites(tx, made.connection_id, [], NOW)
        assert await integration_sites.active_sites(tx, made.connection_id) == []


@pytest.mark.parametrize(
    ("params", "is_kept"),
    [
        ({"log_group": "g", "retention_days": "14"}, True),
        ({"log_group": "g"}, True),
        ({"log_group": "other"}, False),
    ],
)
async def test_how_long_a_place_keeps_its_past_does_not_make_it_another(
    db: Database, tenant: TenantId, params: dict[str, str], is_kept: bool
) -> None:
    """A site that was read whole stays so, unless it is read from elsewhere."""
    made = await make_connection(db, tenant)
    group = Site(SourceKind.LOGS_CLOUDWATCH, "111122223333", "us-east-1", {"log_group": "g"})
    async with db.tenant(made.tenant_id) as tx:
        await integration_sites.replace_sites(tx, made.connection_id, [group], NOW)
        await tx.run("UPDATE app.connection_site SET backfilled_at = :now", now=NOW)
        again = [replace(group, params=params)]
        await integration_sites.replace_sites(tx, made.connection_id, again, NOW)
        backfilled = await tx.scalar("SELECT backfilled_at FROM app.connection_site")
        assert await integration_sites.active_sites(tx, made.connection_id) == again
    assert (backfilled is not None) is is_kept


async def test_a_watermark_never_moves_backwards(db: Database, tenant: TenantId) -> None:
    made = await make_connection(db, tenant)
    async with db.tenant(tenant) as tx:
        for to in (NOW, NOW - timedelta(days=3), NOW + timedelta(microseconds=5)):
            await integration_sites.advance_watermarks(tx, made.connection_id, {"site": to}, NOW)
        assert await integration_sites.watermarks(tx, made.connection_id) == {
            "site": NOW + timedelta(microseconds=5)
        }


async def test_a_profile_is_kept_with_its_newest_tags(db: Database, tenant: TenantId) -> None:
    made = await make_connection(db, tenant)
    arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abcdefghijkl"
    old = StoredProfile(arn, ACCOUNT, "us-east-1", "chat", "m", "geo", "standard")
    new = StoredProfile(
        arn, ACCOUNT, "us-east-1", "chat", "m", "geo", "standard", (("app", "x"), ("team", "y"))
    )
    async with db.tenant(tenant) as tx:
        await integration_sites.save_profiles(tx, made.connection_id, [old], NOW)
        await integration_sites.save_profiles(tx, made.connection_id, [new], NOW)
        assert await integration_sites.list_profiles(tx, made.connection_id) == [new]
        own = await integration_sites.list_profiles(tx, made.connection_id, [new.account_id])
        assert own == [new]
        assert await integration_sites.list_profiles(tx, made.connection_id, ["0" * 12]) == []


async def test_a_batch_of_ids_finds_only_what_exists(db: Database, tenant: TenantId) -> None:
    made = await make_connection(db, tenant)
    async with db.tenant(tenant) as tx:
        found = await integration.connections_by_ids(tx, [made.connection_id, uuid4()])
    assert list(found) == [made.connection_id]
    assert connection_of(tenant).connection_id not in found
