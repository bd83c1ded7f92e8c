"""What expired goes, what lives stays: on a real Postgres, through the roles of the product."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from tensorcost.domain.errors import TokenReused, Unauthenticated
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId
from tensorcost.events.errors import CursorGone
from tensorcost.events.source import PostgresEventSource
from tensorcost.services.identity.sessions import Sessions
from tensorcost.services.tenancy.create import CreatedTenant
from tensorcost.storage.identity import member_by_id
from tensorcost.workers.pruning import Retention, prune
from tests.events.world import FAST, commit, cursors, read
from tests.gateway.world import World, open_world
from tests.support.clock import MovableClock
from tests.support.databases import Database as TestDatabase

NOW = datetime.now(UTC)
ACTOR = "system:test-pruning"


@dataclass
class House:
    """The gateway's world, and a clock that tells signing in what time it is."""

    world: World
    clock: MovableClock
    superuser_url: str

    def sessions(self) -> Sessions:
        return Sessions(self.world.database, self.world.minter, self.clock)

    async def signed_in(self, tenant: CreatedTenant, days_ago: int) -> str:
        """A refresh token as it was handed out ``days_ago``; it lives for 30 days."""
        self.clock.now = NOW - timedelta(days=days_ago)
        async with self.world.database.tenant(tenant.tenant_id) as tx:
            member = await member_by_id(tx, tenant.owner_id)
            assert member is not None
            return (await self.sessions().open(tx, member)).refresh_token

    async def refreshed(self, token: str, days_ago: int) -> str:
        self.clock.now = NOW - timedelta(days=days_ago)
        return (await self.sessions().refresh(token)).refresh_token

    async def count(self, tenant: TenantId, table: str) -> int:
        async with self.world.database.tenant(tenant) as tx:
            return int(await tx.scalar(f"SELECT count(*) FROM app.{table}"))

    async def prune(self, **options: Any) -> dict[str, int]:
        """How many went, in every tenant."""
        world = self.world
        retention = options.pop("retention", Retention())
        return dict(
            await prune(world.database, world.platform, NOW, retention, actor=ACTOR, **options)
        )


@pytest.fixture
async def house(own_database: TestDatabase) -> AsyncIterator[House]:
    clock = MovableClock()
    async with open_world(own_database, clock) as world:
        yield House(world, clock, own_database.superuser_url)


async def test_tokens_that_ended_go_and_the_reuse_of_a_living_one_is_still_noticed(
    house: House,
) -> None:
    tenant = await house.world.tenant()
    forgotten = await house.signed_in(tenant, 40)
    lately_ended = await house.signed_in(tenant, 36)
    first = await house.signed_in(tenant, 45)
    second = await house.refreshed(first, 20)
    third = await house.refreshed(second, 10)
    assert await house.prune() == {"refresh_tokens": 2}
    assert await house.count(tenant.tenant_id, "refresh_token") == 3
    house.clock.now = NOW
    for ended in (forgotten, lately_ended, first):
        with pytest.raises(Unauthenticated, match="not valid"):
            await house.sessions().refresh(ended)
    with pytest.raises(TokenReused):
        await house.sessions().refresh(second)
    with pytest.raises(Unauthenticated, match="not valid"):
        await house.sessions().refresh(third)


async def test_invitations_go_a_month_after_they_were_used_or_ended(house: House) -> None:
    tenant = await house.world.tenant()
    await _invite(house, tenant, ends=-31)
    await _invite(house, tenant, ends=-29)
    await _invite(house, tenant, ends=5)
    await _invite(house, tenant, ends=-25, accepted=-31)
    await _invite(house, tenant, ends=-31, accepted=-29)
    assert await house.prune() == {"invitations": 2}
    assert await house.count(tenant.tenant_id, "invitation") == 3


async def test_kept_answers_go_after_their_day_in_tenants_that_send_nothing(house: House) -> None:
    tenant = await house.world.tenant()
    async with house.world.database.tenant(tenant.tenant_id) as tx:
        await tx.run(
            "INSERT INTO app.idempotency_key (tenant_id, route, key, body_hash, created_at) "
            "SELECT :tenant, 'POST /x', n::text, '', "
            "CAST(:now AS timestamptz) - n * interval '9 hours' FROM generate_series(1, 4) n",
            tenant=tenant.tenant_id,
            now=NOW,
        )
    assert await house.prune() == {"idempotency_keys": 2}
    assert await house.count(tenant.tenant_id, "idempotency_key") == 2


async def test_a_reader_resumes_at_what_is_kept_and_is_told_when_its_cursor_is_older(
    house: House, own_database: TestDatabase
) -> None:
    tenant = await _with_events(house, 10)
    await _age(house, tenant, 4, days=8)
    assert await house.prune() == {"events": 4}
    database = house.world.database
    async with PostgresEventSource(database, own_database.urls.app, FAST).running() as source:
        async with aclosing(await source.subscribe(tenant, after=4)) as stream:
            assert cursors(await read(stream, 6)) == list(range(5, 11))
        with pytest.raises(CursorGone, match="holds 5 to 10"):
            await source.subscribe(tenant, after=3)


async def test_a_tenant_that_went_quiet_keeps_its_cursor_when_every_event_is_gone(
    house: House, own_database: TestDatabase
) -> None:
    tenant = await _with_events(house, 5)
    await _age(house, tenant, 5, days=8)
    assert await house.prune() == {"events": 5}
    database = house.world.database
    async with PostgresEventSource(database, own_database.urls.app, FAST).running() as source:
        async with aclosing(await source.subscribe(tenant, after=5)) as stream:
            await commit(database, tenant, 6)
            assert cursors(await read(stream, 1)) == [6]
        with pytest.raises(CursorGone):
            await source.subscribe(tenant, after=4)


async def test_no_event_goes_from_behind_one_that_stays(house: House) -> None:
    tenant = await _with_events(house, 6)
    await _age(house, tenant, 6, days=8)
    await _age(house, tenant, 3, days=0, since=3)
    assert await house.prune() == {"events": 2}


async def test_how_long_events_are_kept_is_a_setting(house: House) -> None:
    tenant = await _with_events(house, 6)
    await _age(house, tenant, 6, days=8)
    assert await house.prune(retention=Retention(events=timedelta(days=9))) == {}
    assert await house.prune(retention=Retention(events=timedelta(days=2))) == {"events": 6}


async def test_many_rows_go_in_batches_and_a_second_pass_finds_nothing(house: House) -> None:
    tenants = [await _with_events(house, 7) for _ in range(2)]
    for tenant in tenants:
        await _age(house, tenant, 7, days=8)
        await _age(house, tenant, 7, days=0, since=7)
    assert await house.prune(batch=2) == {"events": 12}
    assert await house.prune(batch=2) == {}


async def test_a_pass_is_audited_once(house: House) -> None:
    for _ in range(3):
        await house.world.tenant()
    await house.prune()
    async with house.world.platform.open(reason="look", actor="system:test") as tx:
        rows = await tx.all("SELECT reason FROM app.platform_audit WHERE actor = :a", a=ACTOR)
    assert [row.reason for row in rows] == ["list tenants to remove what expired"]


@pytest.mark.parametrize("function", ["prune_refresh_tokens", "prune_invitations", "prune_events"])
async def test_the_functions_remove_nothing_alive_whatever_they_are_told(
    house: House, function: str
) -> None:
    tenant = await house.world.tenant()
    other = await house.world.tenant()
    await house.signed_in(tenant, 29)
    await house.signed_in(other, 45)
    await _invite(house, tenant, ends=1)
    await _invite(house, other, ends=-31)
    await _age(house, other.tenant_id, 1, days=8)
    query = f"SELECT app.{function}('infinity', 100)"
    async with house.world.database.tenant(tenant.tenant_id) as tx:
        assert await tx.scalar(query) == 0
    with pytest.raises(DBAPIError):
        async with house.world.database.untenanted() as unbound:
            await unbound.scalar(query)
    async with house.world.database.tenant(other.tenant_id) as tx:
        assert await tx.scalar(query) == 1


async def _with_events(house: House, count: int) -> TenantId:
    """A tenant with events 1 to ``count``, the first of them about its creation."""
    tenant = (await house.world.tenant()).tenant_id
    await commit(house.world.database, tenant, *range(2, count + 1))
    return tenant


async def _age(house: House, tenant: TenantId, until: int, *, days: int, since: int = 1) -> None:
    """Make events ``since`` … ``until`` so many days old."""
    connection = await asyncpg.connect(house.superuser_url)
    try:
        await connection.execute(
            "UPDATE app.event_outbox SET created_at = $1 "
            "WHERE tenant_id = $2 AND cursor BETWEEN $3 AND $4",
            NOW - timedelta(days=days),
            tenant,
            since,
            until,
        )
    finally:
        await connection.close()


async def _invite(
    house: House, tenant: CreatedTenant, *, ends: int, accepted: int | None = None
) -> None:
    """An invitation that ends, and was accepted, so many days from now."""
    user_id, _ = await house.world.member(tenant.tenant_id, Role.VIEWER)
    async with house.world.platform.open(reason="test", actor="test") as tx:
        await tx.run(
            "INSERT INTO app.invitation (tenant_id, token_hash, user_id, invited_by, expires_at, "
            "accepted_at) VALUES (:tenant, uuid_send(gen_random_uuid()), :user, 'test', "
            ":ends, :accepted)",
            tenant=tenant.tenant_id,
            user=user_id,
            ends=NOW + timedelta(days=ends),
            accepted=None if accepted is None else NOW + timedelta(days=accepted),
        )
